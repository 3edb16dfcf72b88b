#include "abi/operator.h"

#include <cstring>

namespace onnx2snn {

ort::Api api;

namespace {

const Operator& self(const ort::CustomOp* op) { return *static_cast<const Operator*>(op); }

template <typename Action>
ort::Status* guarded(const Action& action) {
  try {
    action();
    return nullptr;
  } catch (const std::exception& error) {
    return api.create_status(ort::kFail, error.what());
  }
}

Tensor described(const ort::Value* value) {
  Tensor tensor;
  if (value == nullptr) return tensor;
  ort::ShapeInfo* raw = nullptr;
  check(api.type_and_shape(value, &raw));
  auto release = [](ort::ShapeInfo* info) { api.release_shape(info); };
  std::unique_ptr<ort::ShapeInfo, decltype(release)> info(raw, release);
  std::size_t rank = 0;
  check(api.dimensions_count(raw, &rank));
  tensor.shape.resize(rank);
  check(api.dimensions(raw, tensor.shape.data(), rank));
  int type = 0;
  check(api.element_type(raw, &type));
  tensor.type = static_cast<ort::Type>(type);
  void* data = nullptr;
  check(api.tensor_data(value, &data));
  tensor.data = data;
  return tensor;
}

}  // namespace

std::int64_t product(const Shape& shape, std::size_t first) {
  std::int64_t size = 1;
  for (std::size_t i = first; i < shape.size(); ++i) size *= shape[i];
  return size;
}

float Info::number(const char* name, float otherwise) const {
  float value = otherwise;
  ort::Status* missing = api.attribute(info_, name, &value);
  if (missing == nullptr) return value;
  api.release_status(missing);
  return otherwise;
}

std::int64_t Info::integer(const char* name, std::int64_t otherwise) const {
  std::int64_t value = otherwise;
  ort::Status* missing = api.attribute(info_, name, &value);
  if (missing == nullptr) return value;
  api.release_status(missing);
  return otherwise;
}

Shape Info::integers(const char* name, const Shape& otherwise) const {
  std::size_t count = 0;
  ort::Status* missing = api.attributes(info_, name, nullptr, &count);
  if (missing != nullptr) {
    api.release_status(missing);
    return otherwise;
  }
  Shape values(count);
  check(api.attributes(info_, name, values.data(), &count));
  return values;
}

Tensor Info::constant(std::size_t input) const {
  int constant = 0;
  const ort::Value* value = nullptr;
  ort::Status* missing = api.constant_input(info_, input, &constant, &value);
  if (missing != nullptr) api.release_status(missing);
  return missing == nullptr && constant != 0 ? described(value) : Tensor{};
}

std::size_t Context::inputs() const {
  std::size_t count = 0;
  check(api.input_count(context_, &count));
  return count;
}

Tensor Context::input(std::size_t i) const {
  const ort::Value* value = nullptr;
  check(api.input(context_, i, &value));
  return described(value);
}

void* Context::output(std::size_t i, const Shape& shape) const {
  ort::Value* value = nullptr;
  check(api.output(context_, i, shape.data(), shape.size(), &value));
  void* data = nullptr;
  check(api.tensor_data(value, &data));
  return data;
}

Clock::Clock(const Tensor& told, bool carried) {
  if (told.size() < 1) throw std::invalid_argument("there must be at least one timestep");
  const auto* values = told.as<std::int64_t>();
  steps = carried ? told.size() : values[0];
  before = carried ? values[0] - 1 : 0;
  for (std::int64_t k = 1; carried && k < steps; ++k) {
    if (values[k] != values[k - 1] + 1) {
      throw std::invalid_argument("the timesteps of a chunk follow one another");
    }
  }
}

Operator::Operator(std::string name_, std::vector<ort::Type> inputs_,
                   std::vector<ort::Type> outputs_)
    : ort::CustomOp{},
      op_name(std::move(name_)),
      inputs(std::move(inputs_)),
      required(inputs.size()),
      outputs(std::move(outputs_)) {
  version = ort::kApiVersion;
  name = [](const ort::CustomOp* op) { return self(op).op_name.c_str(); };
  provider = [](const ort::CustomOp*) { return "CPUExecutionProvider"; };
  input_count = [](const ort::CustomOp* op) { return self(op).inputs.size(); };
  input_type = [](const ort::CustomOp* op, std::size_t i) { return self(op).inputs[i]; };
  output_count = [](const ort::CustomOp* op) { return self(op).outputs.size(); };
  output_type = [](const ort::CustomOp* op, std::size_t i) { return self(op).outputs[i]; };
  input_presence = [](const ort::CustomOp* op, std::size_t i) {
    return i < self(op).required ? ort::Presence::required : ort::Presence::optional;
  };
  output_presence = [](const ort::CustomOp*, std::size_t i) {
    return i == 0 ? ort::Presence::required : ort::Presence::optional;
  };
  input_memory = [](const ort::CustomOp*, std::size_t) { return 0; };
  start_version = [](const ort::CustomOp*) { return 1; };
  end_version = [](const ort::CustomOp*) { return 0x7fffffff; };
  create_checked = [](const ort::CustomOp* op, const void* const*, const ort::KernelInfo* info,
                      void** kernel) {
    return guarded([&] { *kernel = self(op).make(Info(info)).release(); });
  };
  compute_checked = [](void* kernel, ort::KernelContext* context) {
    return guarded([&] { static_cast<Kernel*>(kernel)->compute(Context(context)); });
  };
  destroy = [](void* kernel) { delete static_cast<Kernel*>(kernel); };
}

std::vector<float> broadcast(const Tensor& tensor, const Shape& stream) {
  const auto rank = stream.size();
  if (tensor.shape.size() > rank) throw std::invalid_argument("a parameter has too many axes");
  Shape target(stream);
  if (!target.empty()) target[0] = 1;
  std::vector<float> values(static_cast<std::size_t>(product(target)));
  if (tensor.size() == 1) {
    values.assign(values.size(), tensor.as<float>()[0]);
    return values;
  }
  Shape strides(rank, 0);
  std::int64_t stride = 1;
  for (std::size_t i = tensor.shape.size(); i-- > 0;) {
    const auto axis = rank - tensor.shape.size() + i;
    const auto size = tensor.shape[i];
    if (size != 1 && size != target[axis]) {
      throw std::invalid_argument("a parameter does not broadcast to the stream");
    }
    strides[axis] = size == 1 ? 0 : stride;
    stride *= size;
  }
  Shape place(rank, 0);
  for (auto& value : values) {
    std::int64_t from = 0;
    for (std::size_t i = 0; i < rank; ++i) from += place[i] * strides[i];
    value = tensor.as<float>()[from];
    for (std::size_t i = rank; i-- > 0;) {
      if (++place[i] < target[i]) break;
      place[i] = 0;
    }
  }
  return values;
}

}  // namespace onnx2snn
