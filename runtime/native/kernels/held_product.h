// What the kernel of products with a constant input reads.
#pragma once

#include <cstddef>
#include <cstdint>

namespace onnx2snn {

// Inputs of a product with weights of one byte: up to kSampleGroup samples as numbers of 16 bits,
// two neighbouring inputs a pair. Pairs that are zero in all samples may be left out.
struct InputPairs {
  const std::uint32_t* rows;   // of each pair: its weight row
  const std::int16_t* values;  // [pair][sample][2]
  const std::int32_t* sums;    // [kSafePairs pairs][sample]: of their inputs
  std::size_t count, samples;  // samples: a power of two
};

constexpr std::size_t kSampleGroup = 8;
constexpr std::size_t kSafePairs = 256;  // 32 bits hold their sum: 256 * 2 * 127 * 32767 < 2^31

}  // namespace onnx2snn
