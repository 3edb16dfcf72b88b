// What the kernels of dense steps read and write: directly, or by tiles (winograd.inc).
#pragma once

#include <cstddef>
#include <cstdint>

namespace onnx2snn {

// One position of a convolution's kernel: where it reads, and the weight rows it reads with.
struct Tap {
  std::ptrdiff_t input;
  std::size_t row;
};

// Input of a dense step: pixels of `channels` floats, `stride` floats between output pixels.
struct DenseInput {
  const float* data;
  std::size_t stride;
  std::size_t channels;
  const Tap* taps;
  std::size_t tap_count;
};

constexpr std::size_t kTilesAtOnce = 8;   // tiles of a dense step are worked on in such groups
constexpr std::size_t kTilePad = 16;      // numbers between points, which else share cache lines
constexpr float kLargestWhole = 8191.0F;  // of a value in tiles: four of them fit in 16 bits

constexpr std::size_t padded_channels(std::size_t channels) { return (channels + 15) / 16 * 16; }

// A square of outputs of a 3 x 3 convolution: its inputs in a padded plane of floats or numbers of
// 16 bits, and its outputs, of which `rows` x `columns` are there.
struct PlaneTile {
  const void* from;
  float* to;
  std::uint8_t rows, columns;
};

// Some tiles of planes of one source. Distances are in elements; lanes: 16 or 32, those of a block.
struct TileWork {
  const PlaneTile* tiles;
  std::size_t count;
  std::size_t row, channels;
  const void* weights;  // transformed, [block][point][channel][lane], or channels in pairs
  std::size_t blocks, lanes;
  std::size_t to_row, to_pixel;
  void* memory;  // Winograd::memory() bytes
};

}  // namespace onnx2snn
