// Dense steps of 3 x 3 convolutions, cut into tiles whose inputs and weights are transformed, so
// that there is less to multiply (kernels/winograd.inc says how).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/kernels.h"
#include "layers/geometry.h"
#include "layers/step_events.h"
#include "memory/aligned.h"

namespace onnx2snn {

class Winograd {
 public:
  // The weight of a channel at one tap, in a lane of a block of outputs.
  using Weight = std::function<float(std::size_t block, std::size_t ky, std::size_t kx,
                                     std::size_t channel, std::size_t lane)>;

  // Whether a source can do without direct sums, and gains by it.
  static bool serves(const Geometry& geometry, const Extent& input, const Extent& output);

  // `whole`: weights are whole numbers from -127 to 127, and sums exact.
  Winograd(const Extent& input, const Extent& output, const Sites& sites, std::size_t padded_width,
           bool whole, const Weight& weight);

  // Largest value that a plane may hold; above it, sums of whole numbers may not fit in 32 bits.
  float largest() const { return largest_; }
  std::size_t tiles() const { return down_ * across_; }
  // Numbers of the currents of a plane, [pixel][block][lane]; from row to row, from site to site.
  std::size_t plane_size() const { return output_.height * row() + kRowLanes; }
  std::size_t row() const { return sites_.across * sites_.shared * pixel(); }
  std::size_t pixel() const { return sites_.blocks * sites_.channels; }

  // The currents of tiles first .. end - 1, counted through all planes.
  void convolve(const std::vector<StepEvents*>& planes, std::size_t first, std::size_t end,
                Line<std::uint8_t>& memory) const;
  // How many tiles convolve() should be given.
  std::size_t tiles_at_once() const;

 private:
  std::size_t edge() const { return whole_ ? 2 : 4; }  // outputs of a tile
  std::size_t reach() const { return edge() + 2; }     // its inputs
  std::size_t points() const { return reach() * reach(); }
  void lay_out(const Weight& weight);
  void transform(const float (&weights)[3][3], std::vector<float>& to) const;

  Extent input_, output_;
  Sites sites_;
  std::size_t padded_width_;
  bool whole_;
  std::size_t down_, across_;  // tiles of a plane
  float largest_ = 0.0F;
  Line<float> floats_;         // transformed weights, [block][point][channel][lane]
  Line<std::int16_t> shorts_;  // the same of whole numbers, [block][point][channel pair][lane][2]
};

}  // namespace onnx2snn
