// The kernels for AVX2 with FMA.
#include "kernels/kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <algorithm>
#include <cstring>
#include <utility>
#include <immintrin.h>

// clang-format off
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi,bmi2,popcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi,bmi2,popcnt")
#endif
// clang-format on

namespace onnx2snn::avx2 {
namespace {

constexpr std::size_t kWidth = 8;
constexpr std::size_t kRegisters = 16;
constexpr const char* kName = "avx2";

#include "kernels/vectors.inc"

inline Lanes fused(Lanes a, Lanes b, Lanes c) {
  return reinterpret_cast<Lanes>(_mm256_fmadd_ps(
      reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b), reinterpret_cast<__m256>(c)));
}

inline Lanes floor_of(Lanes x) {
  return reinterpret_cast<Lanes>(_mm256_floor_ps(reinterpret_cast<__m256>(x)));
}

// Those lanes whose bit is set.
inline Lanes unit_lanes(std::uint32_t bits, Lanes lanes) {
  for (std::size_t i = 0; i < kWidth; ++i) lanes[i] = bits >> i & 1 ? lanes[i] : 0.0F;
  return lanes;
}

inline Words widened(HalfShorts from) {
  return reinterpret_cast<Words>(_mm256_cvtepi16_epi32(reinterpret_cast<__m128i>(from)));
}

// sums[i] + a[2i] * b[2i] + a[2i + 1] * b[2i + 1]; sums wrap around.
inline Wrapped plus_products(Wrapped sums, Shorts a, Shorts b) {
  return sums + reinterpret_cast<Wrapped>(
                    _mm256_madd_epi16(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
}

}  // namespace

#include "kernels/table.inc"

}  // namespace onnx2snn::avx2

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif
