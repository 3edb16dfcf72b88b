// Where the synapses of a source lead: extents, kernels, and how the outputs of a layer are cut.
#pragma once

#include <cstddef>
#include <cstdint>

#include "abi/operator.h"
#include "kernels/kernels.h"

namespace onnx2snn {

enum class Link : std::int64_t { convolution = 0, full = 1, identity = 2, depthwise = 3, held = 4 };

// What emissions are in memory, told by the type of their tensor: int8 codes (0 or +-(exponent +
// 1)), float32 values, or uint8 numbers of 8 bits each, channel by channel, where every emission is
// 0 or 1.
enum class Coding { codes, values, bits };

// Height, width and channels of one timestep of one sample.
struct Extent {
  std::size_t height, width, channels;
  std::size_t pixels() const { return height * width; }
  std::size_t size() const { return pixels() * channels; }
  bool operator==(const Extent& other) const {
    return height == other.height && width == other.width && channels == other.channels;
  }
};

// How a source is linked; read from an int64 tensor that the lowering writes, in this order. A pool
// sums each pool[0] x pool[1] emissions first: the synapses of a convolution behind a sum-pool lead
// from the emissions before it.
struct Geometry {
  Link link;
  bool unit;  // every emission is 0 or 1
  std::size_t outputs, groups;
  std::ptrdiff_t kernel[2], stride[2], dilation[2], before[2], after[2], pool[2];

  explicit Geometry(const Tensor& tensor);

  // What the kernel moves over: the emissions after the pool.
  Extent pooled(const Extent& input) const;
  Extent output(const Extent& input) const;
  bool pools() const { return pool[0] * pool[1] > 1; }
};

// How the outputs of a layer are cut: a site is one output pixel and 32 of its channels, or two
// pixels that lie next to each other and have up to 16 channels, so that a row is always 32 lanes.
struct Sites {
  std::size_t shared;    // pixels of a site
  std::size_t channels;  // of a block: 32 / shared
  std::size_t blocks;    // of channels
  std::size_t across;    // sites of a row of outputs
  std::size_t count;     // of an image

  explicit Sites(const Extent& output);
  std::size_t row(std::size_t site) const { return site / across; }
  std::size_t column(std::size_t site) const { return site % across * shared; }
};

inline std::size_t rounded_up(std::size_t n, std::size_t unit) {
  return (n + unit - 1) / unit * unit;
}
inline std::size_t as_size(std::ptrdiff_t n) { return static_cast<std::size_t>(n); }
inline std::ptrdiff_t as_offset(std::size_t n) { return static_cast<std::ptrdiff_t>(n); }

}  // namespace onnx2snn
