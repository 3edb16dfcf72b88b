#include "layers/windows.h"

#include <algorithm>

namespace onnx2snn {

namespace {

// Rows of the window whose bits lie next to each other, as do the emissions that they belong to.
struct Cut {
  std::ptrdiff_t bits, emissions;
  std::size_t row, size;
};

// Columns without a gap are one run of bits, if all their channels count. Where emissions have
// values, it must be a run of emissions, too.
std::vector<Cut> cuts_of(const Geometry& geometry, const Extent& input, const StepReader& reader,
                         bool run, std::size_t columns, std::ptrdiff_t step,
                         std::size_t pixel_rows) {
  std::vector<Cut> cuts;
  const auto put = [&](std::ptrdiff_t down, std::ptrdiff_t across, std::size_t row,
                       std::size_t size) {
    cuts.push_back(
        {(down * as_offset(reader.bits_width()) + across) * as_offset(reader.pixel_bits()),
         (down * as_offset(input.width) + across) * as_offset(input.channels), row, size});
  };
  for (std::ptrdiff_t ky = 0; ky < geometry.kernel[0]; ++ky) {
    const auto row = as_size(ky) * columns * pixel_rows;
    for (std::ptrdiff_t iy = 0; iy < geometry.pool[0]; ++iy) {
      const auto down = ky * geometry.dilation[0] * geometry.pool[0] + iy;
      if (run) {
        put(down, 0, row, columns * pixel_rows);
        continue;
      }
      for (std::size_t column = 0; column < columns; ++column) {
        for (std::ptrdiff_t ix = 0; ix < geometry.pool[1]; ++ix) {
          const auto across = as_offset(column) * step * geometry.pool[1] + ix;
          put(down, across, row + column * pixel_rows, pixel_rows);
        }
      }
    }
  }
  return cuts;
}

}  // namespace

WindowCut::WindowCut(const Geometry& geometry, const Extent& input, const Sites& sites,
                     const StepReader& reader, std::size_t channels, std::size_t most_rows)
    : geometry_(geometry), step_(sites.shared == 1 ? geometry.dilation[1] : 1) {
  const auto span = as_offset(sites.shared - 1) * geometry.stride[1];
  columns_ = as_size((span + (geometry.kernel[1] - 1) * geometry.dilation[1]) / step_) + 1;
  const bool run = channels == input.channels && step_ == 1 && geometry.pool[1] == 1 &&
                   (reader.unit() || reader.pixel_bits() == channels);
  pixel_rows_ = rounded_up(channels, 8);
  rows_ = as_size(geometry.kernel[0]) * columns_ * pixel_rows_;
  const auto tables = (rows_ + most_rows - 1) / most_rows;
  chunk_rows_ = rounded_up((rows_ + tables - 1) / tables, 64);
  const auto cuts = cuts_of(geometry, input, reader, run, columns_, step_, pixel_rows_);
  for (std::size_t first = 0; first < rows_; first += chunk_rows_) {
    const auto end = std::min(rows_, first + chunk_rows_);
    const auto words = words_.size();
    for (const auto& cut : cuts) {
      const auto to = std::min(end, cut.row + cut.size);
      for (auto from = std::max(first, cut.row); from < to; from += 64) {
        const auto skipped = as_offset(from - cut.row);
        const auto size = std::min<std::size_t>(64, to - from);
        words_.push_back({~std::uint64_t{0} >> (64 - size),
                          static_cast<std::int32_t>((cut.bits + skipped) / 8),
                          static_cast<std::int32_t>(cut.emissions + skipped),
                          static_cast<std::uint16_t>((from - first) * kEntryStep)});
      }
    }
    chunks_.push_back(
        {words, words_.size(), static_cast<std::uint16_t>((end - first) * kEntryStep)});
  }
}

std::size_t WindowCut::entries() const {
  return rows_ * as_size(geometry_.pool[0] * geometry_.pool[1]) + kRound * chunks_.size();
}

std::size_t WindowCut::place(std::size_t ky, std::size_t kx, std::size_t pixel,
                             std::size_t channel) const {
  const auto across =
      as_offset(pixel) * geometry_.stride[1] + as_offset(kx) * geometry_.dilation[1];
  const auto row = (ky * columns_ + as_size(across / step_)) * pixel_rows_ + channel;
  return row + row / chunk_rows_;  // a row of zeros stands behind each chunk
}

}  // namespace onnx2snn
