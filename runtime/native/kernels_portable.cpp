// The kernels for any machine: 128-bit vectors of the compiler (SSE2, NEON).
#include "kernels.h"

#include <cstring>

namespace onnx2snn::portable {
namespace {

constexpr std::size_t kWidth = 4;
constexpr std::size_t kMostLanes = 32;
constexpr std::size_t kRegisters = 16;
using Lanes = float __attribute__((vector_size(4 * kWidth)));

inline Lanes fused(Lanes a, Lanes b, Lanes c) {
  return a * b + c;
}

#include "codes.inc"
#include "neuron_law.inc"
#include "sums.inc"
#include "tally.inc"

}  // namespace

extern const Kernels table;
const Kernels table = {"portable", kMostLanes, advance, encode, decode, count_codes, count_values, list_codes,
                       list_values, add_codes, add_values, add_rows, add_dense, add_depthwise, to_quanta, tally};

}  // namespace onnx2snn::portable
