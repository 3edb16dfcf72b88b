// What every operator of the library shares: exceptions become onnxruntime's status, tensors
// become spans with a shape, and work is spread over the session's own threads.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "abi/ort_abi.h"

namespace onnx2snn {

using Shape = std::vector<std::int64_t>;

extern ort::Api api;

inline void check(ort::Status* status) {
  if (status != nullptr) {
    api.release_status(status);
    throw std::runtime_error("onnx2snn: a call into onnxruntime failed");
  }
}

std::int64_t product(const Shape& shape, std::size_t first = 0);

struct Tensor {
  const void* data = nullptr;
  Shape shape;
  ort::Type type = ort::Type::any;

  template <typename T>
  const T* as() const {
    return static_cast<const T*>(data);
  }
  std::int64_t size() const { return product(shape); }
  bool given() const { return data != nullptr; }
};

// What an operator reads when it is created.
class Info {
 public:
  explicit Info(const ort::KernelInfo* info) : info_(info) {}
  float number(const char* name, float otherwise) const;
  std::int64_t integer(const char* name, std::int64_t otherwise) const;
  Shape integers(const char* name, const Shape& otherwise) const;
  Tensor constant(std::size_t input) const;

 private:
  const ort::KernelInfo* info_;
};

// What an operator reads and writes when it runs.
class Context {
 public:
  explicit Context(ort::KernelContext* context) : context_(context) {}
  std::size_t inputs() const;
  Tensor input(std::size_t i) const;
  std::int64_t scalar(std::size_t i) const { return input(i).as<std::int64_t>()[0]; }
  float number(std::size_t i) const { return input(i).as<float>()[0]; }
  void* output(std::size_t i, const Shape& shape) const;

  // Calls work(0) ... work(total - 1), spread over the session's threads. Rethrows what they throw.
  template <typename Work>
  void parallel(std::size_t total, const Work& work) const {
    if (total == 1) {
      work(0);
      return;
    }
    Shared<Work> shared{&work, std::vector<std::exception_ptr>(total)};
    check(api.parallel_for(context_, &Shared<Work>::run, total, 0, &shared));
    for (const auto& error : shared.errors) {
      if (error) std::rethrow_exception(error);
    }
  }

 private:
  template <typename Work>
  struct Shared {
    const Work* work;
    std::vector<std::exception_ptr> errors;

    static void run(void* data, std::size_t i) {
      auto* self = static_cast<Shared*>(data);
      try {
        (*self->work)(i);
      } catch (...) {
        self->errors[i] = std::current_exception();
      }
    }
  };

  ort::KernelContext* context_;
};

// The timesteps of one call: a scalar T counts them from 1; a vector names them one by one, where
// a run is cut into chunks and the state is carried from call to call.
struct Clock {
  std::int64_t before = 0;  // timesteps that went before
  std::int64_t steps = 1;

  Clock(const Tensor& told, bool carried);
};

class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual void compute(const Context& context) = 0;
};

struct Operator : ort::CustomOp {
  Operator(std::string name, std::vector<ort::Type> inputs, std::vector<ort::Type> outputs);
  virtual ~Operator() = default;
  virtual std::unique_ptr<Kernel> make(const Info& info) const = 0;

  std::string op_name;
  std::vector<ort::Type> inputs;
  std::size_t required;            // inputs from here on are optional
  std::vector<ort::Type> outputs;  // those behind the first may be left out
};

// Expands a numpy-broadcastable tensor to one value for each element of [1, *features].
std::vector<float> broadcast(const Tensor& tensor, const Shape& stream);

}  // namespace onnx2snn
