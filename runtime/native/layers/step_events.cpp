#include "layers/step_events.h"

#include <cstring>

namespace onnx2snn {

namespace {

constexpr std::size_t kSpare = 16;     // pixels that dense steps may read past the last
constexpr std::size_t kSpareRows = 4;  // the same of rows, for tiles

}  // namespace

StepReader::StepReader(const Geometry& geometry, const Extent& input, std::size_t shared,
                       Coding coding)
    : geometry_(geometry),
      input_(input),
      pooled_(geometry.pooled(input)),
      shared_(shared),
      coding_(coding),
      pixel_bits_(rounded_up(input.channels, 8)) {}

void StepReader::read(const void* emissions, float dense_above, StepEvents& events) const {
  events.emissions = emissions;
  events.dense = events.tiled = false;
  events.count = 1;
  if (geometry_.link == Link::identity || geometry_.link == Link::held) return;  // read in place
  events.count = pack_bits(emissions, events);
  if (events.count == 0) return;
  const bool many =
      static_cast<float>(events.count) > dense_above * static_cast<float>(input_.size());
  events.dense = many || geometry_.link == Link::depthwise;
}

// Rows and columns that no window of the pool reaches are left out.
std::size_t StepReader::pack_bits(const void* emissions, StepEvents& events) const {
  const auto down = as_size(geometry_.pool[0]), across = as_size(geometry_.pool[1]);
  const auto span = bits_width() + (shared_ - 1) * as_size(geometry_.stride[1]) * across;
  const auto size = (padded_height() * down * bits_width() + span) * pixel_bits_ / 8 + 64;
  if (events.bits.size() != size) events.bits.assign(size, 0);  // the border stays zero
  events.rows.resize(input_.height);
  const auto used = pooled_.width * across;
  std::size_t count = 0;
  for (std::size_t y = 0; y < pooled_.height * down; ++y) {
    const auto pixel = (y + as_size(geometry_.before[0]) * down) * bits_width() +
                       as_size(geometry_.before[1]) * across;
    std::uint8_t* to = events.bits.data() + pixel * pixel_bits_ / 8;
    const auto here = pack_pixels(emissions, y * input_.width, used, to);
    events.rows[y] = here > 0 ? 1 : 0;
    count += here;
  }
  return count;
}

std::size_t StepReader::pack_pixels(const void* emissions, std::size_t first, std::size_t pixels,
                                    std::uint8_t* to) const {
  const auto channels = input_.channels;
  if (bits()) {
    const auto* from = static_cast<const std::uint8_t*>(emissions) + first * channels / 8;
    return kernels_.copy_bits(from, pixels * channels / 8, to);
  }
  const Stream from{emissions, codes()};
  if (pixel_bits_ == channels)
    return kernels_.pack_bits(from, first * channels, pixels * channels, to);
  std::size_t count = 0;
  for (std::size_t x = 0; x < pixels; ++x, to += pixel_bits_ / 8) {
    count += kernels_.pack_bits(from, (first + x) * channels, channels, to);
  }
  return count;
}

// One row of emissions as floats, decoded if need be.
const float* StepReader::spread_row(const void* emissions, std::size_t y, float* decoded) const {
  const auto row = input_.width * input_.channels;
  if (coding_ == Coding::values) return static_cast<const float*>(emissions) + y * row;
  if (bits()) {
    kernels_.spread_bits(static_cast<const std::uint8_t*>(emissions) + y * row / 8, decoded, row);
  } else {
    kernels_.decode(static_cast<const std::int8_t*>(emissions) + y * row, decoded, row);
  }
  return decoded;
}

std::size_t StepReader::plane_size() const {
  const auto pixels = (padded_height() + kSpareRows) * padded_width() + kSpare;
  return pixels * input_.channels + kRowLanes;
}

// One row of the values after the pool, in `pooled` or where they are.
const float* StepReader::pooled_row(const void* emissions, std::size_t y, float* decoded,
                                    float* pooled) const {
  if (!geometry_.pools()) return spread_row(emissions, y, pooled);
  const auto down = as_size(geometry_.pool[0]), across = as_size(geometry_.pool[1]);
  const auto channels = input_.channels;
  std::memset(pooled, 0, pooled_.width * channels * sizeof(float));
  for (std::size_t k = 0; k < down; ++k) {
    const float* values = spread_row(emissions, y * down + k, decoded);
    for (std::size_t x = 0; x < pooled_.width * across; ++x) {
      for (std::size_t c = 0; c < channels; ++c)
        pooled[x / across * channels + c] += values[x * channels + c];
    }
  }
  return pooled;
}

void StepReader::spread_out(const void* emissions, StepEvents& events) const {
  if (events.plane.size() != plane_size()) events.plane.assign(plane_size(), 0.0F);  // zero border
  Line<float> decoded(geometry_.pools() ? input_.width * input_.channels : 0);
  for (std::size_t y = 0; y < pooled_.height; ++y) {
    float* to = events.plane.data() + inner_row(y);
    const float* values = pooled_row(emissions, y, decoded.data(), to);
    if (values != to) std::memcpy(to, values, pooled_.width * input_.channels * sizeof(float));
  }
}

bool StepReader::spread_shorts(const void* emissions, float largest, StepEvents& events) const {
  if (events.shorts.size() != plane_size()) events.shorts.assign(plane_size(), 0);  // zero border
  Line<float> decoded(geometry_.pools() ? input_.width * input_.channels : 0);
  Line<float> values(input_.width * input_.channels);
  for (std::size_t y = 0; y < pooled_.height; ++y) {
    const float* row = pooled_row(emissions, y, decoded.data(), values.data());
    const auto numbers = pooled_.width * input_.channels;
    if (kernels_.to_shorts(row, numbers, events.shorts.data() + inner_row(y)) > largest)
      return false;
  }
  return true;
}

}  // namespace onnx2snn
