// State of neurons and pools before and after the timesteps of one call.
#pragma once

#include <algorithm>
#include <stdexcept>

#include "abi/operator.h"

namespace onnx2snn {

// One state tensor. Where a run is cut into chunks of timesteps it is one more input and one more
// output of an operator; without (`carried` false) everything starts at zero and is forgotten.
class CarriedPart {
 public:
  struct Place {
    std::size_t input, output;
  };

  CarriedPart(const Context& context, Place place, const Shape& shape, bool carried) {
    if (!carried) return;
    const Tensor given = context.input(place.input);
    if (given.size() != product(shape)) {
      throw std::invalid_argument("a state must be as large as one timestep of its layer");
    }
    before_ = given.as<float>();
    after_ = static_cast<float*>(context.output(place.output, shape));
  }

  bool carried() const { return before_ != nullptr; }
  void load(std::size_t place, std::size_t n, float* to) const {
    if (before_ != nullptr) std::copy_n(before_ + place, n, to);
  }
  void store(std::size_t place, std::size_t n, const float* from) const {
    if (after_ != nullptr) std::copy_n(from, n, after_ + place);
  }

 private:
  const float* before_ = nullptr;
  float* after_ = nullptr;
};

// Charge and count of neurons: inputs from `first` on, outputs from 1 on.
class CarriedState {
 public:
  CarriedState(const Context& context, std::size_t first, const Shape& shape, bool carried)
      : charge_(context, {first, 1}, shape, carried),
        count_(context, {first + 1, 2}, shape, carried) {}

  bool carried() const { return charge_.carried(); }
  void load(std::size_t place, std::size_t n, float* charge, float* count) const {
    charge_.load(place, n, charge);
    count_.load(place, n, count);
  }
  void store(std::size_t place, std::size_t n, const float* charge, const float* count) const {
    charge_.store(place, n, charge);
    count_.store(place, n, count);
  }

 private:
  CarriedPart charge_, count_;
};

}  // namespace onnx2snn
