// The entry point onnxruntime calls: announces the operators of this library to a session.
#include <string>

#include "abi/operator.h"
#include "kernels/kernels.h"
#include "layers/layer_op.h"
#include "operators/emission_ops.h"
#include "operators/held_product_op.h"
#include "operators/neuron_op.h"
#include "operators/record_ops.h"

#if defined(_WIN32)
#define ONNX2SNN_EXPORT extern "C" __declspec(dllexport)
#else
#define ONNX2SNN_EXPORT extern "C" __attribute__((visibility("default")))
#endif

namespace onnx2snn {
namespace {

// A domain must outlive every session that uses it: made once, never released.
struct Domain {
  Domain(const char* name, std::vector<std::unique_ptr<Operator>> made)
      : operators(std::move(made)) {
    check(api.create_domain(name, &handle));
    for (const auto& op : operators) {
      check(api.domain_add(handle, static_cast<const ort::CustomOp*>(op.get())));
    }
  }

  std::vector<std::unique_ptr<Operator>> operators;
  ort::Domain* handle = nullptr;
};

std::vector<std::unique_ptr<Operator>> model_operators() {
  auto operators = neuron_operators();
  for (auto& op : stream_counters()) operators.push_back(std::move(op));
  return operators;
}

std::vector<std::unique_ptr<Operator>> engine_operators() {
  auto operators = layer_operators();
  for (auto* more : {encode_operators, decode_operators, pool_operators, emission_counters,
                     held_product_operators}) {
    for (auto& op : more()) operators.push_back(std::move(op));
  }
  return operators;
}

}  // namespace
}  // namespace onnx2snn

ONNX2SNN_EXPORT ort::Status* RegisterCustomOps(ort::SessionOptions* options,
                                               const ort::ApiBase* base) {
  using onnx2snn::api;
  const void* const* table = base->get_api(ort::kApiVersion);
  if (table == nullptr) return nullptr;  // too old: the function bodies serve
  api.bind(table);
  try {
    static const auto* neurons = new onnx2snn::Domain("onnx2snn", onnx2snn::model_operators());
    static const auto* engine =
        new onnx2snn::Domain("onnx2snn.engine", onnx2snn::engine_operators());
    ort::Status* failed = api.add_domain(options, neurons->handle);
    return failed != nullptr ? failed : api.add_domain(options, engine->handle);
  } catch (const std::exception& error) {
    return api.create_status(ort::kFail, error.what());
  }
}

// The instruction set in use.
ONNX2SNN_EXPORT const char* onnx2snn_isa() { return onnx2snn::kernels().name; }

// Chooses another instruction set; see kernels/kernels.h.
ONNX2SNN_EXPORT int onnx2snn_use_isa(const char* name) {
  return onnx2snn::use_kernels(name) ? 1 : 0;
}
