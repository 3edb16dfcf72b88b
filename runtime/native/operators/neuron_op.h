// The neurons of the domain `onnx2snn` as operators of their own: dense stream in, dense out;
// a whole run, one timestep (`_Step`) or a chunk of timesteps (`_Chunk`) with explicit state.
#pragma once

#include <memory>
#include <vector>

#include "abi/operator.h"
#include "kernels/kernels.h"

namespace onnx2snn {

std::vector<std::unique_ptr<Operator>> neuron_operators();

// The neurons that the attributes of a fused layer tell of; their bounds are inputs.
Law law_told(const Info& info);

// A gain g_t = min(t, S) as the float the numpy step uses.
float gain(std::int64_t t, std::int64_t stimulus);

// The parameters of a layer, expanded to one value a neuron.
struct Expanded {
  std::vector<float> quantum, inverse, drive, slope;

  Expanded(const Law& law, const Tensor& quantum, const Tensor& current, const Tensor& slope,
           const Shape& stream);
  Rows at(std::size_t i) const {
    return {&inverse[i], &drive[i], slope.empty() ? nullptr : &slope[i]};
  }
};

}  // namespace onnx2snn
