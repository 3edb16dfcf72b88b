#include "layers/winograd.h"

#include <algorithm>
#include <cmath>

namespace onnx2snn {

namespace {

constexpr std::size_t kMostWeights = 256U * 256U;  // of a tap; more no longer stay in a cache
constexpr std::size_t kFewestChannels = 8;
constexpr std::size_t kTileBytes = 192U << 10U;  // of transformed inputs at once, by measurement
constexpr std::size_t kMostTiles = 32;
constexpr float kLargestSum = 536870911.0F;  // four times as much fits in 32 bits

// G of F(4 x 4, 3 x 3), and 2 G of F(2 x 2, 3 x 3).
constexpr double kFloatTransform[6][3] = {{1.0 / 4, 0, 0},
                                          {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                                          {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                          {1.0 / 24, 1.0 / 12, 1.0 / 6},
                                          {1.0 / 24, -1.0 / 12, 1.0 / 6},
                                          {0, 0, 1}};
constexpr double kWholeTransform[4][3] = {{2, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 2}};

}  // namespace

bool Winograd::serves(const Geometry& geometry, const Extent& input, const Extent& output) {
  const auto all = [](const std::ptrdiff_t (&pair)[2], std::ptrdiff_t value) {
    return pair[0] == value && pair[1] == value;
  };
  return geometry.link == Link::convolution && geometry.groups == 1 && all(geometry.kernel, 3) &&
         all(geometry.stride, 1) && all(geometry.dilation, 1) && output.pixels() >= 16 &&
         std::min(input.channels, output.channels) >= kFewestChannels &&
         input.channels * output.channels <= kMostWeights;
}

Winograd::Winograd(const Extent& input, const Extent& output, const Sites& sites,
                   std::size_t padded_width, bool whole, const Weight& weight)
    : input_(input),
      output_(output),
      sites_(sites),
      padded_width_(padded_width),
      whole_(whole),
      down_((output.height + edge() - 1) / edge()),
      across_((output.width + edge() - 1) / edge()) {
  lay_out(weight);
}

// G g G^T, point by point.
void Winograd::transform(const float (&weights)[3][3], std::vector<float>& to) const {
  const auto size = reach();
  const auto* matrix = whole_ ? kWholeTransform : kFloatTransform;
  for (std::size_t y = 0; y < size; ++y) {
    for (std::size_t x = 0; x < size; ++x) {
      double sum = 0.0;
      for (std::size_t ky = 0; ky < 3; ++ky) {
        for (std::size_t kx = 0; kx < 3; ++kx) {
          sum += matrix[y][ky] * matrix[x][kx] * static_cast<double>(weights[ky][kx]);
        }
      }
      to[y * size + x] = static_cast<float>(sum);
    }
  }
}

void Winograd::lay_out(const Weight& weight) {
  const std::size_t together = whole_ ? 2 : 1;
  const auto lanes = sites_.channels;
  const auto channels = rounded_up(input_.channels, together);
  const auto size = sites_.blocks * points() * channels * lanes;
  whole_ ? shorts_.assign(size, 0) : floats_.assign(size, 0.0F);
  std::vector<float> transformed(points());
  double most = 1.0;
  for (std::size_t block = 0; block < sites_.blocks; ++block) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      double sizes = 0.0;
      for (std::size_t channel = 0; channel < input_.channels; ++channel) {
        float weights[3][3];
        for (std::size_t tap = 0; tap < 9; ++tap) {
          float& own = weights[tap / 3][tap % 3];
          own = weight(block, tap / 3, tap % 3, channel, lane);
          sizes += std::fabs(static_cast<double>(own));
        }
        transform(weights, transformed);
        for (std::size_t point = 0; point < points(); ++point) {
          const auto row = (block * points() + point) * channels + channel / together * together;
          const auto place = row * lanes + lane * together + channel % together;
          whole_ ? shorts_[place] = static_cast<std::int16_t>(transformed[point])
                 : floats_[place] = transformed[point];
        }
      }
      most = std::max(most, sizes);
    }
  }
  largest_ = std::min(kLargestWhole, static_cast<float>(kLargestSum / most));
}

std::size_t Winograd::tiles_at_once() const {
  const auto bytes = points() * padded_channels(input_.channels) * (whole_ ? 2 : 4);
  return std::clamp(kTileBytes / bytes / kTilesAtOnce * kTilesAtOnce, kTilesAtOnce, kMostTiles);
}

void Winograd::convolve(const std::vector<StepEvents*>& planes, std::size_t first, std::size_t end,
                        Line<std::uint8_t>& memory) const {
  PlaneTile tiles[kMostTiles];
  for (std::size_t i = first; i < end; ++i) {
    StepEvents& events = *planes[i / this->tiles()];
    const auto y = i % this->tiles() / across_ * edge(), x = i % across_ * edge();
    const auto from = (y * padded_width_ + x) * input_.channels;
    tiles[i - first] = {whole_ ? static_cast<const void*>(events.shorts.data() + from)
                               : static_cast<const void*>(events.plane.data() + from),
                        events.currents.data() + y * row() + x * pixel(),
                        static_cast<std::uint8_t>(std::min(edge(), output_.height - y)),
                        static_cast<std::uint8_t>(std::min(edge(), output_.width - x))};
  }
  const auto numbers =
      rounded_up(end - first, kTilesAtOnce) * (padded_channels(input_.channels) + sites_.channels) +
      2 * kTilePad;
  if (memory.size() < points() * numbers * sizeof(float) + 64)
    memory.resize(points() * numbers * sizeof(float) + 64);
  const TileWork work{
      tiles,
      end - first,
      padded_width_ * input_.channels,
      input_.channels,
      whole_ ? static_cast<const void*>(shorts_.data()) : static_cast<const void*>(floats_.data()),
      sites_.blocks,
      sites_.channels,
      row(),
      pixel(),
      memory.data()};
  whole_ ? kernels().convolve_whole_tiles(work) : kernels().convolve_tiles(work);
}

}  // namespace onnx2snn
