// The parameters of the neurons of a fused layer.
#pragma once

#include <vector>

#include "layers/source.h"
#include "operators/neuron_op.h"

namespace onnx2snn {

// The parameters of the neurons, channel-last and padded to whole blocks of channels.
struct LayerRows {
  std::vector<float> quantum, inverse, drive, slope;
  std::size_t pixel_stride = 0;  // 0: the same for every pixel

  LayerRows(const Law& law, const Tensor& quanta, const Tensor& current, const Tensor& soma,
            const Extent& output, std::size_t rank, std::size_t padded)
      : output_(output), rank_(rank), padded_(padded) {
    const bool each = spatial(quanta) || spatial(current) || (law.leaky && spatial(soma));
    const auto pixels = each ? output.pixels() : 1;
    Shape shape(rank, 1);
    shape[1] = static_cast<std::int64_t>(output.channels);
    if (each && rank == 3) shape[2] = static_cast<std::int64_t>(output.width);
    if (each && rank == 4) shape[2] = static_cast<std::int64_t>(output.height);
    if (each && rank == 4) shape[3] = static_cast<std::int64_t>(output.width);
    const Expanded rows(law, quanta, current, soma, shape);
    pixel_stride = each ? padded : 0;
    const auto last = [&](const std::vector<float>& from, float otherwise) {
      std::vector<float> to(pixels * padded, otherwise);
      for (std::size_t i = 0; i < from.size(); ++i) to[i % pixels * padded + i / pixels] = from[i];
      return to;
    };
    quantum = last(rows.quantum, 0.0F);
    inverse = last(rows.inverse, 1.0F);
    drive = last(rows.drive, 0.0F);
    slope = last(rows.slope, 1.0F);
  }

  bool fits(const Extent& output, std::size_t rank, std::size_t padded) const {
    return output == output_ && rank == rank_ && padded == padded_;
  }

 private:
  static bool spatial(const Tensor& tensor) {
    return tensor.shape.size() > 2 && product(tensor.shape, 2) > 1;
  }

  Extent output_;
  std::size_t rank_, padded_;
};

}  // namespace onnx2snn
