// One source of current of a fused layer: a stream of emissions behind one linear operator.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "kernels/kernels.h"
#include "layers/geometry.h"
#include "layers/step_events.h"
#include "layers/windows.h"
#include "layers/winograd.h"
#include "memory/aligned.h"

namespace onnx2snn {

// What weights are, and how they are kept.
struct Packing {
  bool tiles;             // dense steps may go by tiles, which round differently
  bool whole;             // whole numbers from -127 to 127
  bool paired;            // rows of bytes are those of two blocks of channels
  std::size_t flattened;  // pixels that a full link sees as one; its weights come pixel by pixel
};

class Source {
 public:
  Source(const Geometry& geometry, const float* weights, const Extent& input, const Extent& output,
         const Sites& sites, Coding coding, Packing packing);

  const StepReader& reader() const { return reader_; }
  bool depthwise() const { return geometry_.link == Link::depthwise; }
  bool current() const { return geometry_.link == Link::identity; }  // weight 1: a residual
  bool held() const { return geometry_.link == Link::held; }  // the same current at every timestep
  bool listed() const { return !current() && !depthwise() && !held(); }
  bool grouped() const { return geometry_.groups > 1; }
  // Rows serve unit events and are one byte a weight.
  bool bytes() const { return packing_.whole && reader_.unit() && listed(); }
  bool paired() const { return packing_.paired && listed(); }
  // From which share of firing neurons on a timestep is cheaper densely, as measured.
  float dense_above() const;

  // How the windows of one block of channels are cut (of any, where channels are not grouped), and
  // where the window of a site starts.
  const WindowCut& cut() const { return *cut_; }
  std::ptrdiff_t first_bits(std::size_t row, std::size_t column, std::size_t block) const;
  std::ptrdiff_t first_emission(std::size_t row, std::size_t column, std::size_t block) const;
  // Whether a window of this row of outputs has an event.
  bool reached(const StepEvents& events, std::size_t row) const;
  const float* table(std::size_t block, std::size_t chunk) const;
  const std::uint8_t* byte_table(std::size_t block, std::size_t chunk) const;
  // Bytes of all tables, and of one of them; tables lie one behind the other, block by block.
  std::size_t table_bytes() const;
  std::size_t table_bytes(std::size_t chunk) const;

  // Reads the emissions of a timestep: its events, and what a dense step needs.
  void read(const void* emissions, float dense_above, StepEvents& events) const;
  // How dense steps go by tiles; null if they do not.
  const Winograd* tiles() const;

  // sums[site][lane] of `sites` sites of one row of outputs, `stride` floats apart, += the currents
  // of a dense step.
  void add_plane(const StepEvents& events, std::size_t block, std::size_t row, std::size_t column,
                 std::size_t sites, float* sums, std::size_t stride) const;
  // The same for emissions that are current themselves, one site. Says whether there was an event.
  bool add_current(const void* emissions, std::size_t block, std::size_t row, std::size_t column,
                   float* sums) const;
  const float* quanta(std::size_t block) const { return dense_.data() + block * kRowLanes; }

 private:
  std::size_t wide() const { return paired() ? 2 : 1; }  // blocks of a row
  std::size_t row_bytes() const { return wide() * kRowLanes * (bytes() ? 1 : sizeof(float)); }
  void pack(const float* weights);
  std::size_t own_channel(std::size_t c) const;
  std::size_t entry_of(std::size_t block, std::size_t place) const;
  static std::size_t byte_of(std::size_t lane);
  void lay_out_dense() const;
  float weight_at(std::size_t block, std::size_t ky, std::size_t kx, std::size_t channel,
                  std::size_t lane) const;
  std::size_t first_channel(std::size_t block) const;

  Geometry geometry_;
  Extent input_, pooled_, output_;
  Sites sites_;
  StepReader reader_;
  const Kernels& kernels_ = kernels();
  Packing packing_;
  std::size_t channels_ = 0;             // of the input, that reach one block
  mutable std::size_t dense_table_ = 0;  // numbers of a block
  std::unique_ptr<const WindowCut> cut_;
  Line<float> table_;              // [block][row of the window][pixel][lane]
  Line<std::uint8_t> byte_table_;  // the same in bytes, in its place, two blocks in a row if paired
  mutable std::once_flag dense_once_;
  bool tiled_ = false;
  mutable std::once_flag tiles_once_;
  mutable std::unique_ptr<const Winograd> tiles_;
  mutable Line<float> dense_;  // [block][tap][channel][lane]; of a current: quanta [block][lane]
  std::vector<Tap> taps_;
};

}  // namespace onnx2snn
