// The kernels for any machine: 128-bit vectors of the compiler (SSE2, NEON).
#include "kernels/kernels.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace onnx2snn::portable {
namespace {

constexpr std::size_t kWidth = 4;
constexpr std::size_t kRegisters = 16;
using Lanes = float __attribute__((vector_size(4 * kWidth)));

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

using HalfShorts = std::int16_t __attribute__((vector_size(2 * kWidth)));
using Words = std::int32_t __attribute__((vector_size(4 * kWidth)));

inline Words widened(HalfShorts from) { return __builtin_convertvector(from, Words); }

using Shorts = std::int16_t __attribute__((vector_size(4 * kWidth)));
using Wrapped = std::uint32_t __attribute__((vector_size(4 * kWidth)));

// sums[i] + a[2i] * b[2i] + a[2i + 1] * b[2i + 1]; sums wrap around.
inline Wrapped plus_products(Wrapped sums, Shorts a, Shorts b) {
  for (std::size_t i = 0; i < kWidth; ++i) {
    sums[i] += static_cast<std::uint32_t>(a[2 * i] * b[2 * i]) +
               static_cast<std::uint32_t>(a[2 * i + 1] * b[2 * i + 1]);
  }
  return sums;
}

#include "kernels/codes.inc"
#include "kernels/neuron_law.inc"
#include "kernels/sums.inc"
#include "kernels/neuron_time.inc"
#include "kernels/events.inc"
#include "kernels/rows.inc"
#include "kernels/rows_int8.inc"
#include "kernels/tally.inc"
#include "kernels/held_product.inc"
#include "kernels/winograd.inc"

}  // namespace

extern const Kernels table;
const Kernels table = {"portable",   advance,         encode,         decode,
                       count_codes,  count_values,    add_codes,      add_values,
                       drive_lanes,  advance_through, pack_bits,      copy_bits,
                       list_windows, add_lists,       add_int8_lists, add_int8_pairs,
                       scale_sums,   add_current,     add_bits,       spread_bits,
                       add_dense,    add_depthwise,   convolve_tiles, convolve_whole_tiles,
                       to_shorts,    add_plane,       to_quanta,      tally,
                       held_product};

}  // namespace onnx2snn::portable
