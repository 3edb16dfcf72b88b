// The emissions of one timestep of one sample, as a source reads them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernels.h"
#include "layers/geometry.h"
#include "memory/aligned.h"

namespace onnx2snn {

struct StepEvents {
  const void* emissions = nullptr;
  std::size_t count = 0;
  Line<std::uint8_t> bits;  // the padded plane of bits, where events are to be listed
  Line<char> rows;          // of each row of the input: whether it has an event
  Line<float> plane;        // the padded values after the pool, where a dense step is cheaper
  bool dense = false;
  // Where the dense step goes by tiles: the same values as numbers of 16 bits if sums are whole,
  // and the currents that they give.
  bool tiled = false;
  Line<std::int16_t> shorts;
  Line<float> currents;

  std::size_t bytes() const {
    return bits.size() + rows.size() + shorts.size() * sizeof(std::int16_t) +
           (plane.size() + currents.size()) * sizeof(float);
  }
};

// Reads the emissions of a source into planes with a border of silence, as wide as its padding.
class StepReader {
 public:
  StepReader(const Geometry& geometry, const Extent& input, std::size_t shared, Coding coding);

  // Counts the events of one timestep; the step is dense if more than `dense_above` of all fire.
  void read(const void* emissions, float dense_above, StepEvents& events) const;
  // The values of a dense step.
  void spread_out(const void* emissions, StepEvents& events) const;
  // The same as numbers of 16 bits; says whether all are at most `largest`.
  bool spread_shorts(const void* emissions, float largest, StepEvents& events) const;

  // Whether every emission is 0 or 1, and can be read as such.
  bool unit() const { return bits() || (geometry_.unit && codes()); }
  bool codes() const { return coding_ == Coding::codes; }
  bool bits() const { return coding_ == Coding::bits; }

  // Bits of a pixel, a multiple of 8; pixels of a row of the plane of bits.
  std::size_t pixel_bits() const { return pixel_bits_; }
  std::size_t bits_width() const { return padded_width() * as_size(geometry_.pool[1]); }
  std::size_t padded_width() const {
    return pooled_.width + as_size(geometry_.before[1] + geometry_.after[1]);
  }

 private:
  std::size_t padded_height() const {
    return pooled_.height + as_size(geometry_.before[0] + geometry_.after[0]);
  }
  std::size_t pack_bits(const void* emissions, StepEvents& events) const;
  std::size_t pack_pixels(const void* emissions, std::size_t first, std::size_t pixels,
                          std::uint8_t* to) const;
  const float* spread_row(const void* emissions, std::size_t y, float* decoded) const;
  std::size_t plane_size() const;
  // Where a row of the input starts in a padded plane.
  std::size_t inner_row(std::size_t y) const {
    const auto top = y + as_size(geometry_.before[0]);
    return (top * padded_width() + as_size(geometry_.before[1])) * input_.channels;
  }
  const float* pooled_row(const void* emissions, std::size_t y, float* decoded,
                          float* pooled) const;

  Geometry geometry_;
  Extent input_, pooled_;
  std::size_t shared_;  // pixels of a site
  Coding coding_;
  std::size_t pixel_bits_;
  const Kernels& kernels_ = kernels();
};

}  // namespace onnx2snn
