#include "source.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace onnx2snn {

namespace {

std::size_t rounded_up(std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; }

}  // namespace

Geometry::Geometry(const Tensor& tensor) {
  if (tensor.size() != 13) throw std::invalid_argument("a source needs 13 numbers of geometry");
  const auto* told = tensor.as<std::int64_t>();
  link = static_cast<Link>(told[0]);
  unit = told[1] != 0;
  outputs = told[2];
  std::size_t i = 3;
  for (auto* pair : {kernel, stride, dilation, before, after}) {
    pair[0] = told[i++];
    pair[1] = told[i++];
  }
}

Tiling::Tiling(std::size_t outputs, std::size_t width) {
  const auto most = kernels().most_lanes;
  const auto padded = rounded_up(outputs, 16);
  channels = padded <= 16 ? 16 : padded <= 32 ? 32 : most;
  blocks = (outputs + channels - 1) / channels;
  shared = width > 1 ? std::min<std::size_t>(2, most / channels) : 1;  // narrow rows cannot hide the latency of a sum
}

Source::Source(const Geometry& geometry, const Tensor& weights, const Extent& input,
               const Extent& output, const Tiling& tiling, bool codes)
    : geometry_(geometry), input_(input), output_(output), tiling_(tiling), codes_(codes) {
  window_ = static_cast<std::ptrdiff_t>(tiling_.shared - 1) * geometry_.stride[1] +
            (geometry_.kernel[1] - 1) * geometry_.dilation[1] + 1;
  const auto* given = weights.as<float>();
  if (geometry_.link == Link::identity) {
    dense_.assign(tiling_.channels * tiling_.blocks, 0.0F);
    std::copy_n(given, input_.channels, dense_.begin());
    return;
  }
  for (std::int64_t ky = 0; ky < geometry_.kernel[0]; ++ky) {
    for (std::int64_t kx = 0; kx < geometry_.kernel[1]; ++kx) {
      const auto row = static_cast<std::ptrdiff_t>(ky * geometry_.dilation[0]);
      const auto column = static_cast<std::ptrdiff_t>(kx * geometry_.dilation[1]);
      const auto pixel = row * static_cast<std::ptrdiff_t>(padded_width()) + column;
      taps_.push_back({pixel * static_cast<std::ptrdiff_t>(input_.channels),
                       taps_.size() * input_.channels});
    }
  }
  if (geometry_.link != Link::depthwise) pack_rows(given);
  pack_dense(given);
}

// Calls place(output channel, input channel, ky, kx, weight) for every weight; a full link is a
// convolution whose kernel covers the whole input.
template <typename Place>
static void each_weight(const Geometry& geometry, const Extent& input, const float* weights,
                        const Place& place) {
  const bool depthwise = geometry.link == Link::depthwise;
  const auto inputs = depthwise ? 1 : input.channels;
  const auto height = static_cast<std::size_t>(geometry.kernel[0]);
  const auto width = static_cast<std::size_t>(geometry.kernel[1]);
  for (std::size_t o = 0; o < static_cast<std::size_t>(geometry.outputs); ++o) {
    for (std::size_t c = 0; c < inputs; ++c) {
      for (std::size_t ky = 0; ky < height; ++ky) {
        for (std::size_t kx = 0; kx < width; ++kx) place(o, c, ky, kx, *weights++);
      }
    }
  }
}

void Source::pack_rows(const float* weights) {
  const auto lanes = tiling_.lanes();
  const auto window = static_cast<std::size_t>(window_);
  const auto rows = static_cast<std::size_t>(geometry_.kernel[0]) * window * input_.channels;
  table_ = (1 + rows) * lanes;  // the first row is all zeros: it fills up lists
  rows_.assign(table_ * tiling_.blocks, 0.0F);
  const auto stride = static_cast<std::size_t>(geometry_.stride[1]);
  const auto dilation = static_cast<std::size_t>(geometry_.dilation[1]);
  each_weight(geometry_, input_, weights,
              [&](std::size_t o, std::size_t c, std::size_t ky, std::size_t kx, float weight) {
                float* table = rows_.data() + o / tiling_.channels * table_;
                for (std::size_t p = 0; p < tiling_.shared; ++p) {
                  const auto column = p * stride + kx * dilation;
                  const auto row = (ky * window + column) * input_.channels + c;
                  table[(1 + row) * lanes + p * tiling_.channels + o % tiling_.channels] = weight;
                }
              });
}

void Source::pack_dense(const float* weights) {
  const auto inputs = geometry_.link == Link::depthwise ? 1 : input_.channels;
  dense_table_ = taps_.size() * inputs * tiling_.channels;
  dense_.assign(dense_table_ * tiling_.blocks, 0.0F);
  const auto width = static_cast<std::size_t>(geometry_.kernel[1]);
  each_weight(geometry_, input_, weights,
              [&](std::size_t o, std::size_t c, std::size_t ky, std::size_t kx, float weight) {
                float* table = dense_.data() + o / tiling_.channels * dense_table_;
                const auto row = (ky * width + kx) * inputs + c;
                table[row * tiling_.channels + o % tiling_.channels] = weight;
              });
}

void Source::read(const void* emissions, const void* before, float dense_above,
                  StepEvents& events) const {
  const auto size = input_.size();
  events.emissions = emissions;
  events.dense = false;
  events.repeats = false;
  events.count = 1;
  if (geometry_.link == Link::identity) return;  // read where it is added
  const auto bytes = size * (codes_ ? sizeof(std::int8_t) : sizeof(float));
  events.repeats = before != nullptr && std::memcmp(emissions, before, bytes) == 0;
  if (events.repeats) return;
  events.count = codes_ ? kernels_.count_codes(static_cast<const std::int8_t*>(emissions), size)
                        : kernels_.count_values(static_cast<const float*>(emissions), size);
  if (events.count == 0) return;
  // A lone output pixel shares its weights with no other: dense never pays, unless it is forced.
  const float bar = output_.pixels() == 1 && dense_above > 0.0F ? 1.0F : dense_above;
  const bool many = static_cast<float>(events.count) > bar * static_cast<float>(size);
  if (many || geometry_.link == Link::depthwise) {
    spread_out(emissions, events);
  } else {
    list(emissions, events);
  }
}

void Source::list(const void* emissions, StepEvents& events) const {
  const auto room = events.count + kSlack;
  if (events.index.size() < room) events.index.resize(room);
  if (!geometry_.unit && events.value.size() < room) events.value.resize(room);
  events.offset.resize(input_.pixels() + 1);
  const auto row = input_.width * input_.channels;
  std::size_t n = 0;
  for (std::size_t y = 0; y < input_.height; ++y) {
    auto* index = events.index.data() + n;
    auto* value = geometry_.unit ? nullptr : events.value.data() + n;
    auto* offset = events.offset.data() + y * input_.width;
    const auto first = static_cast<std::uint32_t>(n);
    n += codes_ ? kernels_.list_codes(static_cast<const std::int8_t*>(emissions) + y * row,
                                      input_.width, input_.channels, index, value, offset, first)
                : kernels_.list_values(static_cast<const float*>(emissions) + y * row,
                                       input_.width, input_.channels, index, value, offset, first);
  }
  events.offset[input_.pixels()] = static_cast<std::uint32_t>(n);
}

void Source::spread_out(const void* emissions, StepEvents& events) const {
  const auto top = static_cast<std::size_t>(geometry_.before[0]);
  const auto height = input_.height + top + static_cast<std::size_t>(geometry_.after[0]);
  const auto size = height * padded_width() * input_.channels + kSlack * tiling_.channels;
  if (events.plane.size() != size) events.plane.assign(size, 0.0F);  // the border stays zero
  const auto row = input_.width * input_.channels;
  for (std::size_t y = 0; y < input_.height; ++y) {
    float* to = events.plane.data() +
                ((y + top) * padded_width() + before_x()) * input_.channels;
    if (codes_) {
      kernels_.decode(static_cast<const std::int8_t*>(emissions) + y * row, to, row);
    } else {
      std::memcpy(to, static_cast<const float*>(emissions) + y * row, row * sizeof(float));
    }
  }
  events.dense = true;
}

bool Source::add(const StepEvents& events, std::size_t block, std::size_t y, std::size_t x,
                 std::size_t pixels, float* sums) const {
  if (geometry_.link == Link::identity) return add_identity(events, block, y, x, pixels, sums);
  if (events.count == 0) return false;
  if (events.dense) {
    add_plane(events, block, y, x, pixels, sums);
  } else {
    add_events(events, block, y, x, pixels, sums);
  }
  return true;
}

void Source::prefetch(const StepEvents& events, std::size_t block, std::size_t y, std::size_t x,
                      std::size_t pixels) const {
  constexpr std::size_t kLine = 64;
  if (geometry_.link == Link::identity) {
    const auto width = codes_ ? sizeof(std::int8_t) : sizeof(float);
    const auto from = (y * input_.width + x) * input_.channels + block * tiling_.channels;
    const auto* data = static_cast<const char*>(events.emissions) + from * width;
    const auto bytes = std::min<std::size_t>(pixels * input_.channels * width, 16 * kLine);
    for (std::size_t i = 0; i < bytes; i += kLine) __builtin_prefetch(data + i);
    return;
  }
  if (events.dense || events.repeats || events.count == 0) return;
  for (std::int64_t ky = 0; ky < geometry_.kernel[0]; ++ky) {
    const auto row = static_cast<std::int64_t>(y) * geometry_.stride[0] - geometry_.before[0] +
                     ky * geometry_.dilation[0];
    if (row < 0 || row >= static_cast<std::int64_t>(input_.height)) continue;
    const auto* offset = events.offset.data() + static_cast<std::size_t>(row) * input_.width;
    __builtin_prefetch(offset);
    __builtin_prefetch(offset + input_.width);
  }
}

void Source::add_events(const StepEvents& events, std::size_t block, std::size_t y, std::size_t x,
                        std::size_t pixels, float* sums) const {
  constexpr std::size_t kMostSegments = 16;
  std::array<Segment, kMostSegments> segments;
  const float* table = rows_.data() + block * table_ + tiling_.lanes();
  const auto width = static_cast<std::ptrdiff_t>(input_.width);
  const auto channels = static_cast<std::ptrdiff_t>(input_.channels);
  for (std::size_t p = 0; p < pixels; p += tiling_.shared, sums += tiling_.lanes()) {
    const auto left = static_cast<std::ptrdiff_t>(x + p) * geometry_.stride[1] - geometry_.before[1];
    const auto from = std::clamp<std::ptrdiff_t>(left, 0, width);
    const auto to = std::clamp<std::ptrdiff_t>(left + window_, 0, width);
    std::size_t n = 0;
    for (std::int64_t ky = 0; ky < geometry_.kernel[0]; ++ky) {
      const auto row = static_cast<std::int64_t>(y) * geometry_.stride[0] - geometry_.before[0] +
                       ky * geometry_.dilation[0];
      if (row < 0 || row >= static_cast<std::int64_t>(input_.height)) continue;
      const auto* offset = events.offset.data() + row * width;
      const std::size_t first = offset[from], count = offset[to] - first;
      if (count == 0) continue;
      if (n == kMostSegments) {
        kernels_.add_rows(segments.data(), n, table, tiling_.lanes(), sums);
        n = 0;
      }
      const float* value = geometry_.unit ? nullptr : events.value.data() + first;
      segments[n++] = {events.index.data() + first, value, count,
                       (ky * window_ - left) * channels};
    }
    if (n > 0) kernels_.add_rows(segments.data(), n, table, tiling_.lanes(), sums);
  }
}

void Source::add_plane(const StepEvents& events, std::size_t block, std::size_t y, std::size_t x,
                       std::size_t pixels, float* sums) const {
  const auto top = y * static_cast<std::size_t>(geometry_.stride[0]);
  const auto left = x * static_cast<std::size_t>(geometry_.stride[1]);
  const float* data = events.plane.data() + (top * padded_width() + left) * input_.channels;
  const float* table = dense_.data() + block * dense_table_;
  const auto stride = static_cast<std::size_t>(geometry_.stride[1]) * input_.channels;
  DenseInput input{data, stride, input_.channels, taps_.data(), taps_.size()};
  if (geometry_.link == Link::depthwise) {
    input.data += block * tiling_.channels;
    kernels_.add_depthwise(input, table, tiling_.channels, pixels, sums);
  } else {
    kernels_.add_dense(input, table, tiling_.channels, pixels, sums);
  }
}

bool Source::add_identity(const StepEvents& events, std::size_t block, std::size_t y,
                          std::size_t x, std::size_t pixels, float* sums) const {
  const auto first = block * tiling_.channels;
  const auto kept = std::min(tiling_.channels, input_.channels - first);
  const float* quanta = dense_.data() + first;
  const auto from = (y * input_.width + x) * input_.channels + first;
  const auto lanes = tiling_.channels;
  if (codes_) {
    return kernels_.add_codes(static_cast<const std::int8_t*>(events.emissions) + from, pixels,
                              input_.channels, quanta, kept, lanes, sums);
  }
  return kernels_.add_values(static_cast<const float*>(events.emissions) + from, pixels,
                             input_.channels, quanta, kept, lanes, sums);
}

}  // namespace onnx2snn
