// What the kernels of the neurons read and write.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/sizes.h"

namespace onnx2snn {

enum class Kind : int { none = 0, binary = 1, ternary = 2, graded = 3 };

// What all neurons of a layer share; the numpy step of the same name defines the arithmetic.
struct Law {
  Kind kind = Kind::none;
  int digits = 1;
  bool leaky = false;
  float start = 0.5F;  // initial potential, in quanta
  float below = 0.0F;  // negative threshold, in quanta
  float n_min = 0.0F;
  float n_max = 0.0F;
};

// What each neuron has of its own; `drive` is current / quantum, or the current itself if leaky.
struct Rows {
  const float* inverse;
  const float* drive;
  const float* slope;
};

// The neurons of one weight row, as they stand between two runs of timesteps.
struct LaneState {
  alignas(64) float charge[kRowLanes] = {};
  alignas(64) float count[kRowLanes] = {};
  bool quiet = false;  // nothing was emitted at the timestep before
};

// Where emissions go: `stride` elements from timestep to timestep. One of codes, values and bits is
// given, or none: emissions are counted only. Bit i of a number of bits is lane i.
struct Emitted {
  std::int8_t* codes;
  float* values;
  std::uint32_t* bits;
  std::size_t stride;
};

// Some timesteps of the neurons of one weight row.
struct LaneRun {
  const float* drive;    // [timestep][lane], as `drive_lanes` gives it
  const float* inverse;  // of the quanta
  const float* slope;
  const float* sums;       // [timestep][lane]
  std::size_t sum_stride;  // floats from timestep to timestep
  std::uint32_t driven;    // bit t: there is a sum at timestep t
  std::uint32_t wake;      // bit t: the drive changes at timestep t
  std::size_t timesteps;
};

}  // namespace onnx2snn
