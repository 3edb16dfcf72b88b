// How the window of a site is cut into words of bits, and these into chunks: the weight rows of a
// chunk are one table.
#pragma once

#include <cstddef>
#include <vector>

#include "layers/geometry.h"
#include "layers/step_events.h"

namespace onnx2snn {

class WindowCut {
 public:
  // `channels` of a pixel reach one block of outputs; a table has at most `most_rows` rows.
  WindowCut(const Geometry& geometry, const Extent& input, const Sites& sites,
            const StepReader& reader, std::size_t channels, std::size_t most_rows);

  Window window() const { return {words_.data(), chunks_.data(), chunks_.size()}; }
  std::size_t chunks() const { return chunks_.size(); }

  // Rows of all tables of a block, the rows of zeros behind each among them.
  std::size_t rows() const { return rows_ + chunks_.size(); }
  // Most entries of the lists of a window.
  std::size_t entries() const;
  // Place of the first row of a chunk among them.
  std::size_t first_row(std::size_t chunk) const { return chunk * (chunk_rows_ + 1); }
  // Place of the row of a channel at one tap of the kernel, for one pixel of the site.
  std::size_t place(std::size_t ky, std::size_t kx, std::size_t pixel, std::size_t channel) const;

 private:
  Geometry geometry_;
  std::size_t columns_;     // of pixels, of a row of the window
  std::ptrdiff_t step_;     // from column to column
  std::size_t pixel_rows_;  // weight rows of a pixel of the window
  std::size_t rows_, chunk_rows_;
  std::vector<Word> words_;
  std::vector<Chunk> chunks_;
};

}  // namespace onnx2snn
