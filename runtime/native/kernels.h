// The inner loops, compiled once for each instruction set and chosen when the library is loaded.
#pragma once

#include <cstddef>
#include <cstdint>

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

struct Kernels {
  const char* name;
  std::size_t most_lanes;  // widest weight row; a multiple of 16

  // One timestep of n neurons: charge += x, count += emission. Returns whether one emitted.
  bool (*advance)(const Law&, const Rows&, float g, const float* x, float* charge, float* count,
                  float* emission, std::size_t n);
};

// The kernels of the best instruction set this machine has.
const Kernels& kernels();

// Makes sessions loaded from now on use another instruction set (portable, avx2, avx512; null: the
// best) and says whether this machine has it: for tests and for comparing.
bool use_kernels(const char* name);

}  // namespace onnx2snn
