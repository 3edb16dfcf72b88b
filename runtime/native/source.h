// One source of current of a fused layer: a stream of emissions behind one linear operator.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "aligned.h"
#include "kernels.h"
#include "operator.h"

namespace onnx2snn {

enum class Link : std::int64_t { convolution = 0, full = 1, identity = 2, depthwise = 3 };

// Height, width and channels of one timestep of one sample.
struct Extent {
  std::size_t height, width, channels;
  std::size_t pixels() const { return height * width; }
  std::size_t size() const { return pixels() * channels; }
};

// How a source is linked; read from an int64 tensor that the lowering writes, in this order.
struct Geometry {
  Link link;
  bool unit;  // every emission is 0 or 1
  std::size_t outputs, groups;
  std::ptrdiff_t kernel[2], stride[2], dilation[2], before[2], after[2];

  explicit Geometry(const Tensor& tensor);
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

// The emissions of one timestep of one sample.
struct StepEvents {
  const void* emissions = nullptr;
  std::size_t count = 0;
  Line<std::uint8_t> bits;  // the padded plane of bits, where events are to be listed
  Line<float> plane;        // the padded values, where a dense step is cheaper
  bool dense = false;
  bool repeats = false;  // the same emissions as one timestep before
  std::size_t origin = 0;  // the timestep that they repeat, or this one
};

class Source {
 public:
  Source(const Geometry& geometry, const float* weights, const Extent& input,
         const Extent& output, const Sites& sites, bool codes, bool whole);

  // Reads one timestep: counts its events, and spreads them out if more than `dense_above` of all
  // fire. `before` is the timestep before, null at the first.
  void read(const void* emissions, const void* before, float dense_above,
            StepEvents& events) const;

  bool depthwise() const { return geometry_.link == Link::depthwise; }
  bool current() const { return geometry_.link == Link::identity; }  // weight 1: a residual
  bool listed() const { return !current() && !depthwise(); }
  bool unit() const { return geometry_.unit && codes_; }
  Stream stream(const void* emissions) const { return {emissions, codes_, unit()}; }

  // The pieces of every window of one block of channels (of any, where channels are not grouped),
  // and where the window of a site starts.
  const std::vector<Piece>& pieces() const { return pieces_; }
  std::ptrdiff_t first_bits(std::size_t site, std::size_t block) const;
  std::ptrdiff_t first_emission(std::size_t site, std::size_t block) const;
  std::size_t chunks() const { return chunk_rows_.size(); }
  // Most entries of the list of a window.
  std::size_t entries() const { return rows_ + kRound * chunks(); }
  bool grouped() const { return geometry_.groups > 1; }
  // Weights are whole numbers from -127 to 127, and rows of them serve unit events: one byte each.
  bool bytes() const { return whole_ && unit() && listed(); }
  const float* table(std::size_t block, std::size_t chunk) const;
  const std::int8_t* byte_table(std::size_t block, std::size_t chunk) const;

  // sums[site][lane] of `sites` sites of one row of outputs, `stride` floats apart, += the currents
  // of a dense step.
  void add_plane(const StepEvents& events, std::size_t block, std::size_t site, std::size_t sites,
                 float* sums, std::size_t stride) const;
  // The same for emissions that are current themselves, one site. Says whether there was an event.
  bool add_current(const void* emissions, std::size_t block, std::size_t site, float* sums) const;
  const float* quanta(std::size_t block) const { return dense_.data() + block * kRowLanes; }

 private:
  void cut_window();
  void pack(const float* weights);
  std::size_t pack_bits(const void* emissions, StepEvents& events) const;
  void spread_out(const void* emissions, StepEvents& events) const;
  std::size_t padded_height() const;
  std::size_t first_channel(std::size_t block) const;
  std::size_t padded_width() const;

  Geometry geometry_;
  Extent input_, output_;
  Sites sites_;
  const Kernels& kernels_ = kernels();
  bool codes_, whole_;
  std::size_t channels_ = 0;  // of the input, that reach one block
  std::size_t pixel_rows_ = 0;  // weight rows of a pixel of a window
  std::size_t rows_ = 0;      // of a window
  std::size_t dense_table_ = 0;
  std::size_t pixel_bits_ = 0;  // channels of a pixel in the plane of bits, a multiple of 8
  std::vector<Piece> pieces_;
  std::vector<std::size_t> chunk_rows_;
  std::vector<std::size_t> chunk_first_;  // row of the first, in the table of a block
  Line<float> table_;                     // [block][row of the window][pixel][lane]
  Line<std::int8_t> byte_table_;          // the same in bytes, in its place
  Line<float> dense_;                     // [block][tap][channel][lane]; of a current: quanta [block][lane]
  std::vector<Tap> taps_;
};

}  // namespace onnx2snn
