// The kernels for AVX-512 (F, BW, VL, DQ, VBMI2).
#include "kernels/kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <algorithm>
#include <cstring>
#include <utility>
#include <immintrin.h>

// clang-format off
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512cd,avx512vbmi2,avx512vnni,avx2,fma,bmi,bmi2,popcnt,prefer-vector-width=512"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512cd,avx512vbmi2,avx512vnni,avx2,fma,bmi,bmi2,popcnt,prefer-vector-width=512")
#endif
// clang-format on

namespace onnx2snn::avx512 {
namespace {

#define ONNX2SNN_COMPRESS 1

constexpr std::size_t kWidth = 16;
constexpr std::size_t kRegisters = 32;
constexpr const char* kName = "avx512";

#include "kernels/vectors.inc"

inline Lanes fused(Lanes a, Lanes b, Lanes c) {
  return reinterpret_cast<Lanes>(_mm512_fmadd_ps(
      reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b), reinterpret_cast<__m512>(c)));
}

inline Lanes floor_of(Lanes x) {
  return reinterpret_cast<Lanes>(_mm512_roundscale_ps(reinterpret_cast<__m512>(x), 0x09));
}

// Those lanes whose bit is set.
inline Lanes unit_lanes(std::uint32_t bits, Lanes lanes) {
  return reinterpret_cast<Lanes>(
      _mm512_maskz_mov_ps(static_cast<__mmask16>(bits), reinterpret_cast<__m512>(lanes)));
}

inline Words widened(HalfShorts from) {
  return reinterpret_cast<Words>(_mm512_cvtepi16_epi32(reinterpret_cast<__m256i>(from)));
}

// sums[i] + a[2i] * b[2i] + a[2i + 1] * b[2i + 1]; sums wrap around.
inline Wrapped plus_products(Wrapped sums, Shorts a, Shorts b) {
  return reinterpret_cast<Wrapped>(_mm512_dpwssd_epi32(
      reinterpret_cast<__m512i>(sums), reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
}

}  // namespace

#include "kernels/table.inc"

}  // namespace onnx2snn::avx512

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif
