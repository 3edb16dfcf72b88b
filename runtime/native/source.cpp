#include "source.h"

#include <algorithm>
#include <cstring>

namespace onnx2snn {

namespace {

constexpr std::size_t kChunkRows = 1216;  // weight rows of a table: 152 KiB, for the L2 cache
constexpr std::size_t kSpare = 16;       // pixels that dense steps may read past the last

std::size_t rounded_up(std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; }
std::size_t as_size(std::ptrdiff_t n) { return static_cast<std::size_t>(n); }
std::ptrdiff_t as_offset(std::size_t n) { return static_cast<std::ptrdiff_t>(n); }

// Calls place(output channel, channel within its group, ky, kx, weight) for every weight.
template <typename Place>
void each_weight(const Geometry& geometry, std::size_t channels, const float* weights,
                 const Place& place) {
  for (std::size_t o = 0; o < geometry.outputs; ++o) {
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t ky = 0; ky < as_size(geometry.kernel[0]); ++ky) {
        for (std::size_t kx = 0; kx < as_size(geometry.kernel[1]); ++kx) {
          place(o, c, ky, kx, *weights++);
        }
      }
    }
  }
}

}  // namespace

Geometry::Geometry(const Tensor& tensor) {
  if (tensor.size() != 14) throw std::invalid_argument("a source needs 14 numbers of geometry");
  const auto* told = tensor.as<std::int64_t>();
  link = static_cast<Link>(told[0]);
  unit = told[1] != 0;
  outputs = static_cast<std::size_t>(told[2]);
  groups = static_cast<std::size_t>(told[3]);
  std::size_t i = 4;
  for (auto* pair : {kernel, stride, dilation, before, after}) {
    pair[0] = told[i++];
    pair[1] = told[i++];
  }
}

Sites::Sites(const Extent& output) {
  shared = output.channels <= kRowLanes / 2 && output.width > 1 ? 2 : 1;
  channels = kRowLanes / shared;
  blocks = (output.channels + channels - 1) / channels;
  across = (output.width + shared - 1) / shared;
  count = across * output.height;
}

Source::Source(const Geometry& geometry, const float* weights, const Extent& input,
               const Extent& output, const Sites& sites, bool codes, bool whole)
    : geometry_(geometry),
      input_(input),
      output_(output),
      sites_(sites),
      codes_(codes),
      whole_(whole) {
  if (geometry_.link == Link::identity) {
    dense_.assign(kRowLanes * sites_.blocks, 0.0F);
    for (std::size_t c = 0; c < input_.channels; ++c) {
      for (std::size_t p = 0; p < sites_.shared; ++p) {
        const auto lane = p * sites_.channels + c % sites_.channels;
        dense_[c / sites_.channels * kRowLanes + lane] = weights[c];
      }
    }
    return;
  }
  const auto outputs_of_group = geometry_.outputs / geometry_.groups;
  const auto groups_of_block = sites_.channels % outputs_of_group == 0
                                   ? sites_.channels / outputs_of_group
                                   : (sites_.channels - 1) / outputs_of_group + 2;
  const auto inputs_of_block = groups_of_block * (input_.channels / geometry_.groups);
  channels_ = std::min(input_.channels, rounded_up(inputs_of_block, 8) + 8);
  if (geometry_.groups == 1) channels_ = input_.channels;
  pixel_bits_ = rounded_up(input_.channels, 8);
  for (std::ptrdiff_t ky = 0; ky < geometry_.kernel[0]; ++ky) {
    for (std::ptrdiff_t kx = 0; kx < geometry_.kernel[1]; ++kx) {
      const auto pixel =
          ky * geometry_.dilation[0] * as_offset(padded_width()) + kx * geometry_.dilation[1];
      const auto inputs = geometry_.link == Link::depthwise ? 1 : channels_;
      taps_.push_back({pixel * as_offset(input_.channels), taps_.size() * inputs});
    }
  }
  if (listed()) cut_window();
  pack(weights);
}

// The first channel that the groups of a block read, rounded down to a whole byte of bits, which
// `channels_` has room for. Channels past the last are the next pixel's; their weights are zero.
std::size_t Source::first_channel(std::size_t block) const {
  if (channels_ == input_.channels) return 0;
  const auto group = block * sites_.channels / (geometry_.outputs / geometry_.groups);
  return group * (input_.channels / geometry_.groups) / 8 * 8;
}

// Columns without a gap are one run of bits, if all their channels count. Where emissions have
// values, it must be a run of emissions, too.
void Source::cut_window() {
  const auto span = as_offset(sites_.shared - 1) * geometry_.stride[1];
  const auto columns = span + (geometry_.kernel[1] - 1) * geometry_.dilation[1] + 1;
  const bool gaps = sites_.shared == 1 && geometry_.dilation[1] > 1;
  const bool run = channels_ == input_.channels && !gaps && (unit() || pixel_bits_ == channels_);
  const auto step = gaps ? geometry_.dilation[1] : 1;
  chunk_rows_.assign(1, 0);
  const auto put = [&](std::ptrdiff_t down, std::ptrdiff_t column, std::size_t size) {
    const auto pixel = down * as_offset(padded_width()) + column;
    const auto place = down * as_offset(input_.width) + column;
    for (std::size_t done = 0; done < size;) {
      if (chunk_rows_.back() == kChunkRows) chunk_rows_.push_back(0);
      auto& used = chunk_rows_.back();
      const auto n = std::min(size - done, kChunkRows - used);
      pieces_.push_back({(pixel * as_offset(pixel_bits_) + as_offset(done)) / 8,
                         place * as_offset(input_.channels) + as_offset(done), n,
                         static_cast<std::uint16_t>(used), kNoFill,
                         static_cast<std::uint32_t>(chunk_rows_.size())});
      used += n;
      done += n;
    }
  };
  pixel_rows_ = run ? pixel_bits_ : rounded_up(channels_, 8);
  for (std::ptrdiff_t ky = 0; ky < geometry_.kernel[0]; ++ky) {
    const auto down = ky * geometry_.dilation[0];
    if (run) {
      put(down, 0, as_size(columns) * pixel_bits_);
      continue;
    }
    for (std::ptrdiff_t column = 0; column < columns; column += step) put(down, column, pixel_rows_);
  }
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    if (i + 1 < pieces_.size() && pieces_[i + 1].chunk == pieces_[i].chunk) continue;
    pieces_[i].fill = static_cast<std::uint16_t>(chunk_rows_[pieces_[i].chunk - 1]);
  }
  for (const auto rows : chunk_rows_) {
    chunk_first_.push_back(rows_);
    rows_ += rows + 1;  // the last row of a table is all zeros
  }
}

std::ptrdiff_t Source::first_bits(std::size_t site, std::size_t block) const {
  const auto y = as_offset(sites_.row(site)) * geometry_.stride[0];
  const auto x = as_offset(sites_.column(site)) * geometry_.stride[1];
  const auto pixel = y * as_offset(padded_width()) + x;
  return (pixel * as_offset(pixel_bits_) + as_offset(first_channel(block))) / 8;
}

std::ptrdiff_t Source::first_emission(std::size_t site, std::size_t block) const {
  const auto y = as_offset(sites_.row(site)) * geometry_.stride[0] - geometry_.before[0];
  const auto x = as_offset(sites_.column(site)) * geometry_.stride[1] - geometry_.before[1];
  const auto pixel = y * as_offset(input_.width) + x;
  return pixel * as_offset(input_.channels) + as_offset(first_channel(block));
}

const float* Source::table(std::size_t block, std::size_t chunk) const {
  return table_.data() + (block * rows_ + chunk_first_[chunk]) * kRowLanes;
}

const std::int8_t* Source::byte_table(std::size_t block, std::size_t chunk) const {
  return byte_table_.data() + (block * rows_ + chunk_first_[chunk]) * kRowLanes;
}

void Source::pack(const float* weights) {
  const bool depthwise = geometry_.link == Link::depthwise;
  const auto inputs = depthwise ? 1 : channels_;
  const auto lanes = sites_.channels;
  dense_table_ = taps_.size() * inputs * lanes;
  dense_.assign(dense_table_ * sites_.blocks, 0.0F);
  const auto entries = rows_ * kRowLanes * sites_.blocks;
  bytes() ? byte_table_.assign(entries, 0) : table_.assign(entries, 0.0F);
  const auto outputs_of_group = geometry_.outputs / geometry_.groups;
  const auto inputs_of_group = input_.channels / geometry_.groups;
  const auto gaps = sites_.shared == 1 ? geometry_.dilation[1] : 1;
  const auto span = as_size((as_offset(sites_.shared - 1) * geometry_.stride[1] +
                             (geometry_.kernel[1] - 1) * geometry_.dilation[1]) / gaps + 1);
  each_weight(geometry_, depthwise ? 1 : inputs_of_group, weights,
              [&](std::size_t o, std::size_t c, std::size_t ky, std::size_t kx, float weight) {
                const auto block = o / lanes, lane = o % lanes;
                const auto group = o / outputs_of_group;
                const auto channel =
                    depthwise ? 0 : group * inputs_of_group + c - first_channel(block);
                const auto tap = ky * as_size(geometry_.kernel[1]) + kx;
                dense_[block * dense_table_ + (tap * inputs + channel) * lanes + lane] = weight;
                for (std::size_t p = 0; p < sites_.shared && !depthwise; ++p) {
                  const auto column = (p * as_size(geometry_.stride[1]) +
                                       kx * as_size(geometry_.dilation[1])) / as_size(gaps);
                  const auto row = (ky * span + column) * pixel_rows_ + channel;
                  const auto place = row + row / kChunkRows;  // a row of zeros behind each chunk
                  const auto entry = (block * rows_ + place) * kRowLanes + p * lanes + lane;
                  if (bytes()) {
                    byte_table_[entry] = static_cast<std::int8_t>(weight);
                  } else {
                    table_[entry] = weight;
                  }
                }
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
  events.count = pack_bits(emissions, events);
  if (events.count == 0) return;
  // A lone output pixel shares its weights with no other: dense never pays, unless it is forced.
  const float bar = output_.pixels() == 1 && dense_above > 0.0F ? 1.0F : dense_above;
  const bool many = static_cast<float>(events.count) > bar * static_cast<float>(size);
  if (many || depthwise()) spread_out(emissions, events);
}

std::size_t Source::padded_height() const {
  return input_.height + as_size(geometry_.before[0] + geometry_.after[0]);
}

std::size_t Source::padded_width() const {
  return input_.width + as_size(geometry_.before[1] + geometry_.after[1]);
}

std::size_t Source::pack_bits(const void* emissions, StepEvents& events) const {
  const auto span = (padded_width() + (sites_.shared - 1) * as_size(geometry_.stride[1]));
  const auto size = padded_height() * padded_width() * pixel_bits_ / 8 + span * pixel_bits_ / 8 + 64;
  if (events.bits.size() != size) events.bits.assign(size, 0);  // the border stays zero
  const Stream from = stream(emissions);
  const auto row = input_.width * input_.channels;
  std::size_t count = 0;
  for (std::size_t y = 0; y < input_.height; ++y) {
    const auto pixel =
        (y + as_size(geometry_.before[0])) * padded_width() + as_size(geometry_.before[1]);
    std::uint8_t* to = events.bits.data() + pixel * pixel_bits_ / 8;
    if (pixel_bits_ == input_.channels) {
      count += kernels_.pack_bits(from, y * row, row, to);
      continue;
    }
    for (std::size_t x = 0; x < input_.width; ++x, to += pixel_bits_ / 8) {
      count += kernels_.pack_bits(from, y * row + x * input_.channels, input_.channels, to);
    }
  }
  return count;
}

void Source::spread_out(const void* emissions, StepEvents& events) const {
  const auto top = as_size(geometry_.before[0]);
  const auto size = (padded_height() * padded_width() + kSpare) * input_.channels + kRowLanes;
  if (events.plane.size() != size) events.plane.assign(size, 0.0F);  // the border stays zero
  const auto row = input_.width * input_.channels;
  for (std::size_t y = 0; y < input_.height; ++y) {
    float* to = events.plane.data() +
                ((y + top) * padded_width() + as_size(geometry_.before[1])) * input_.channels;
    if (codes_) {
      kernels_.decode(static_cast<const std::int8_t*>(emissions) + y * row, to, row);
    } else {
      std::memcpy(to, static_cast<const float*>(emissions) + y * row, row * sizeof(float));
    }
  }
  events.dense = true;
}

void Source::add_plane(const StepEvents& events, std::size_t block, std::size_t site,
                       std::size_t sites, float* sums, std::size_t stride) const {
  constexpr std::size_t kMost = 16;  // pixels at once
  const auto lanes = sites_.channels;
  const float* table = dense_.data() + block * dense_table_;
  const auto top = sites_.row(site) * as_size(geometry_.stride[0]) * padded_width();
  const auto pitch = as_size(geometry_.stride[1]) * input_.channels;
  const auto end = std::min(output_.width, sites_.column(site) + sites * sites_.shared);
  std::size_t place = 0;
  for (std::size_t x = sites_.column(site); x < end; x += kMost) {
    alignas(64) float sum[kMost * kRowLanes] = {};
    const auto pixels = std::min(kMost, end - x);
    const float* data = events.plane.data() + top * input_.channels + x * pitch;
    if (geometry_.link == Link::depthwise) {
      const DenseInput input{data + block * lanes, pitch, 1, taps_.data(), taps_.size()};
      kernels_.add_depthwise(input, table, lanes, pixels, sum);
    } else {
      const DenseInput input{data + first_channel(block), pitch, channels_, taps_.data(),
                             taps_.size()};
      kernels_.add_dense(input, table, lanes, pixels, sum);
    }
    for (std::size_t p = 0; p < pixels; ++p, ++place) {
      float* to = sums + place / sites_.shared * stride + place % sites_.shared * lanes;
      for (std::size_t i = 0; i < lanes; ++i) to[i] += sum[p * lanes + i];
    }
  }
}

bool Source::add_current(const void* emissions, std::size_t block, std::size_t site,
                         float* sums) const {
  const auto channel = block * sites_.channels;
  const auto kept = std::min(sites_.channels, input_.channels - channel);
  const auto x = sites_.column(site);
  const auto pixels = std::min(sites_.shared, output_.width - x);
  const auto from = (sites_.row(site) * input_.width + x) * input_.channels + channel;
  if (codes_) {
    return kernels_.add_codes(static_cast<const std::int8_t*>(emissions) + from, pixels,
                              input_.channels, quanta(block), kept, sites_.channels, sums);
  }
  return kernels_.add_values(static_cast<const float*>(emissions) + from, pixels,
                             input_.channels, quanta(block), kept, sites_.channels, sums);
}

}  // namespace onnx2snn
