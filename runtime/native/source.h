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

// How a source is linked; read from an int64 tensor that the lowering writes, in this order.
struct Geometry {
  Link link;
  bool unit;  // every emission is 0 or 1
  std::int64_t outputs;
  std::int64_t kernel[2], stride[2], dilation[2], before[2], after[2];

  explicit Geometry(const Tensor& tensor);
};

// How the outputs of a layer are cut: blocks of channels, and pixels that share one weight row.
struct Tiling {
  std::size_t channels;  // of a block, a multiple of 16
  std::size_t blocks;
  std::size_t shared;  // output pixels in one weight row
  std::size_t lanes() const { return channels * shared; }

  Tiling(std::size_t outputs, std::size_t width);
};

// Height, width and channels of one timestep of one sample.
struct Extent {
  std::size_t height, width, channels;
  std::size_t pixels() const { return height * width; }
  std::size_t size() const { return pixels() * channels; }
};

// The emissions of one timestep of one sample, in the form its density asks for.
struct StepEvents {
  std::vector<std::uint32_t> index;   // within its row of pixels
  std::vector<float> value;           // empty for unit events
  std::vector<std::uint32_t> offset;  // first event of each pixel, and the end
  Line<float> plane;                  // the padded values, where dense is cheaper
  const void* emissions = nullptr;    // what was read
  std::size_t count = 0;
  bool dense = false;
  bool repeats = false;  // the same emissions as one timestep before: nothing was listed
};

class Source {
 public:
  Source(const Geometry& geometry, const Tensor& weights, const Extent& input,
         const Extent& output, const Tiling& tiling, bool codes);

  // Reads one timestep: lists its events, or spreads them out if more than `dense_above` of all
  // fire. `before` is the timestep before, null at the first.
  void read(const void* emissions, const void* before, float dense_above,
            StepEvents& events) const;

  // Adds the currents of `pixels` outputs from (y, x) on, channels of a block, to `sums`. Says
  // whether there were any.
  bool add(const StepEvents& events, std::size_t block, std::size_t y, std::size_t x,
           std::size_t pixels, float* sums) const;

  // Asks for the memory that `add` will read at this place: timesteps lie far apart.
  void prefetch(const StepEvents& events, std::size_t block, std::size_t y, std::size_t x,
                std::size_t pixels) const;

 private:
  void pack_rows(const float* weights);
  void pack_dense(const float* weights);
  void add_events(const StepEvents& events, std::size_t block, std::size_t y, std::size_t x,
                  std::size_t pixels, float* sums) const;
  void add_plane(const StepEvents& events, std::size_t block, std::size_t y, std::size_t x,
                 std::size_t pixels, float* sums) const;
  bool add_identity(const StepEvents& events, std::size_t block, std::size_t y, std::size_t x,
                    std::size_t pixels, float* sums) const;
  void list(const void* emissions, StepEvents& events) const;
  void spread_out(const void* emissions, StepEvents& events) const;
  std::size_t padded_width() const { return input_.width + before_x() + after_x(); }
  std::size_t before_x() const { return static_cast<std::size_t>(geometry_.before[1]); }
  std::size_t after_x() const { return static_cast<std::size_t>(geometry_.after[1]); }

  Geometry geometry_;
  Extent input_, output_;
  Tiling tiling_;
  const Kernels& kernels_ = kernels();
  bool codes_;
  std::ptrdiff_t window_;         // columns that reach the pixels of one weight row
  std::size_t table_ = 0;         // floats of one block's table of rows
  std::size_t dense_table_ = 0;   // floats of one block's table for dense steps
  Line<float> rows_;              // [block][ky][column][channel][pixel][lane]
  Line<float> dense_;             // [block][tap][channel][lane]
  std::vector<Tap> taps_;
};

}  // namespace onnx2snn
