// The kernels for any machine: 128-bit vectors of the compiler (SSE2, NEON).
#include "kernels/kernels.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace onnx2snn::portable {
namespace {

constexpr std::size_t kWidth = 4;
constexpr std::size_t kRegisters = 16;
constexpr const char* kName = "portable";

#include "kernels/vectors.inc"

inline Lanes fused(Lanes a, Lanes b, Lanes c) { return a * b + c; }

inline Lanes floor_of(Lanes x) {
  for (std::size_t i = 0; i < kWidth; ++i) x[i] = __builtin_floorf(x[i]);
  return x;
}

// Those lanes whose bit is set.
inline Lanes unit_lanes(std::uint32_t bits, Lanes lanes) {
  for (std::size_t i = 0; i < kWidth; ++i) lanes[i] = bits >> i & 1 ? lanes[i] : 0.0F;
  return lanes;
}

inline Words widened(HalfShorts from) { return __builtin_convertvector(from, Words); }

// sums[i] + a[2i] * b[2i] + a[2i + 1] * b[2i + 1]; sums wrap around.
inline Wrapped plus_products(Wrapped sums, Shorts a, Shorts b) {
  for (std::size_t i = 0; i < kWidth; ++i) {
    sums[i] += static_cast<std::uint32_t>(a[2 * i] * b[2 * i]) +
               static_cast<std::uint32_t>(a[2 * i + 1] * b[2 * i + 1]);
  }
  return sums;
}

}  // namespace

#include "kernels/table.inc"

}  // namespace onnx2snn::portable
