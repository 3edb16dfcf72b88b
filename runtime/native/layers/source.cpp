#include "layers/source.h"

#include <algorithm>

namespace onnx2snn {

namespace {

constexpr std::size_t kTableBytes = 80U << 10U;  // of a table of weight rows, by measurement

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

// Channels of the input that reach one block of outputs; with groups a whole number of bytes of
// bits, and room for a start within a byte.
std::size_t channels_of_block(const Geometry& geometry, const Extent& input, const Sites& sites) {
  if (geometry.groups == 1) return input.channels;
  const auto outputs_of_group = geometry.outputs / geometry.groups;
  const auto groups_of_block = sites.channels % outputs_of_group == 0
                                   ? sites.channels / outputs_of_group
                                   : (sites.channels - 1) / outputs_of_group + 2;
  const auto inputs_of_block = groups_of_block * (input.channels / geometry.groups);
  return std::min(input.channels, rounded_up(inputs_of_block, 8) + 8);
}

}  // namespace

Source::Source(const Geometry& geometry, const float* weights, const Extent& input,
               const Extent& output, const Sites& sites, Coding coding, Packing packing)
    : geometry_(geometry),
      input_(input),
      pooled_(geometry.pooled(input)),
      output_(output),
      sites_(sites),
      reader_(geometry, input, sites.shared, coding),
      packing_(packing) {
  if (held()) return;
  if (current()) {
    dense_.assign(kRowLanes * sites_.blocks, 0.0F);
    for (std::size_t c = 0; c < input_.channels; ++c) {
      for (std::size_t p = 0; p < sites_.shared; ++p) {
        const auto lane = p * sites_.channels + c % sites_.channels;
        dense_[c / sites_.channels * kRowLanes + lane] = weights[c];
      }
    }
    return;
  }
  channels_ = channels_of_block(geometry_, input_, sites_);
  for (std::ptrdiff_t ky = 0; ky < geometry_.kernel[0]; ++ky) {
    for (std::ptrdiff_t kx = 0; kx < geometry_.kernel[1]; ++kx) {
      const auto pixel = ky * geometry_.dilation[0] * as_offset(reader_.padded_width()) +
                         kx * geometry_.dilation[1];
      taps_.push_back(
          {pixel * as_offset(input_.channels), taps_.size() * (depthwise() ? 1 : channels_)});
    }
  }
  if (listed()) {
    cut_ = std::make_unique<WindowCut>(geometry_, input_, sites_, reader_, channels_,
                                       kTableBytes / row_bytes());
  }
  tiled_ = packing_.tiles && Winograd::serves(geometry_, pooled_, output_);
  pack(weights);
}

float Source::dense_above() const {
  // A lone output pixel shares its weights with no other: dense never pays.
  if (output_.pixels() == 1) return 1.0F;
  if (!tiled_) return 0.5F;
  return reader_.unit() ? 0.35F : 0.15F;
}

const Winograd* Source::tiles() const {
  if (!tiled_) return nullptr;
  std::call_once(tiles_once_, [this] {
    tiles_ =
        std::make_unique<Winograd>(pooled_, output_, sites_, reader_.padded_width(), packing_.whole,
                                   [this](auto... at) { return weight_at(at...); });
  });
  return tiles_.get();
}

void Source::read(const void* emissions, float dense_above, StepEvents& events) const {
  reader_.read(emissions, dense_above, events);
  if (!events.dense) return;
  const Winograd* tiles = this->tiles();
  if (tiles != nullptr) {
    events.currents.resize(tiles->plane_size());
    events.tiled = !packing_.whole || reader_.spread_shorts(emissions, tiles->largest(), events);
  }
  if (!events.tiled || !packing_.whole) reader_.spread_out(emissions, events);
}

// The first channel that the groups of a block read, rounded down to a whole byte of bits, which
// `channels_` has room for. Channels past the last are the next pixel's; their weights are zero.
std::size_t Source::first_channel(std::size_t block) const {
  if (channels_ == input_.channels) return 0;
  const auto group = block * sites_.channels / (geometry_.outputs / geometry_.groups);
  return group * (input_.channels / geometry_.groups) / 8 * 8;
}

std::ptrdiff_t Source::first_bits(std::size_t row, std::size_t column, std::size_t block) const {
  const auto y = as_offset(row) * geometry_.stride[0] * geometry_.pool[0];
  const auto x = as_offset(column) * geometry_.stride[1] * geometry_.pool[1];
  const auto pixel = y * as_offset(reader_.bits_width()) + x;
  return (pixel * as_offset(reader_.pixel_bits()) + as_offset(first_channel(block))) / 8;
}

std::ptrdiff_t Source::first_emission(std::size_t row, std::size_t column,
                                      std::size_t block) const {
  const auto y = (as_offset(row) * geometry_.stride[0] - geometry_.before[0]) * geometry_.pool[0];
  const auto x =
      (as_offset(column) * geometry_.stride[1] - geometry_.before[1]) * geometry_.pool[1];
  const auto pixel = y * as_offset(input_.width) + x;
  return pixel * as_offset(input_.channels) + as_offset(first_channel(block));
}

bool Source::reached(const StepEvents& events, std::size_t row) const {
  const auto height = as_offset(pooled_.height);
  for (std::ptrdiff_t ky = 0; ky < geometry_.kernel[0]; ++ky) {
    const auto y =
        as_offset(row) * geometry_.stride[0] - geometry_.before[0] + ky * geometry_.dilation[0];
    for (std::ptrdiff_t iy = 0; iy < geometry_.pool[0] && y >= 0 && y < height; ++iy) {
      if (events.rows[as_size(y * geometry_.pool[0] + iy)] != 0) return true;
    }
  }
  return false;
}

const float* Source::table(std::size_t block, std::size_t chunk) const {
  return table_.data() + (block * cut_->rows() + cut_->first_row(chunk)) * kRowLanes;
}

const std::uint8_t* Source::byte_table(std::size_t block, std::size_t chunk) const {
  return byte_table_.data() +
         (block / wide() * cut_->rows() + cut_->first_row(chunk)) * wide() * kRowLanes;
}

std::size_t Source::table_bytes() const {
  return bytes() ? byte_table_.size() : table_.size() * sizeof(float);
}

std::size_t Source::table_bytes(std::size_t chunk) const {
  const auto end = chunk + 1 < cut_->chunks() ? cut_->first_row(chunk + 1) : cut_->rows();
  return (end - cut_->first_row(chunk)) * row_bytes();
}

void Source::pack(const float* weights) {
  const auto lanes = sites_.channels;
  if (depthwise()) {
    dense_table_ = taps_.size() * lanes;
    dense_.assign(dense_table_ * sites_.blocks, 0.0F);
    each_weight(geometry_, 1, weights,
                [&](std::size_t o, std::size_t, std::size_t ky, std::size_t kx, float weight) {
                  const auto tap = ky * as_size(geometry_.kernel[1]) + kx;
                  dense_[o / lanes * dense_table_ + tap * lanes + o % lanes] = weight;
                });
    return;
  }
  const auto entries = cut_->rows() * kRowLanes * rounded_up(sites_.blocks, wide());
  bytes() ? byte_table_.resize(entries) : table_.assign(entries, 0.0F);
  for (std::size_t i = 0; i < byte_table_.size(); i += 2) byte_table_[i] = kLowBias;
  const auto outputs_of_group = geometry_.outputs / geometry_.groups;
  const auto inputs_of_group = input_.channels / geometry_.groups;
  each_weight(geometry_, inputs_of_group, weights,
              [&](std::size_t o, std::size_t c, std::size_t ky, std::size_t kx, float weight) {
                const auto block = o / lanes;
                const auto group = o / outputs_of_group;
                const auto channel =
                    group * inputs_of_group + own_channel(c) - first_channel(block);
                for (std::size_t p = 0; p < sites_.shared; ++p) {
                  const auto entry = entry_of(block, cut_->place(ky, kx, p, channel));
                  const auto own = p * lanes + o % lanes;
                  if (bytes()) {
                    byte_table_[entry + byte_of(own)] +=
                        static_cast<std::uint8_t>(static_cast<std::int32_t>(weight));
                  } else {
                    table_[entry + own] = weight;
                  }
                }
              });
}

// Emissions are channel-last; the weights of a full link count pixels within each channel.
std::size_t Source::own_channel(std::size_t c) const {
  const auto pixels = packing_.flattened;
  return pixels == 1 ? c : c % pixels * (input_.channels / pixels) + c / pixels;
}

// Where the row at a place of a block starts.
std::size_t Source::entry_of(std::size_t block, std::size_t place) const {
  return ((block / wide() * cut_->rows() + place) * wide() + block % wide()) * kRowLanes;
}

// Lanes 0 to 15 are the first bytes of pairs, 16 to 31 the second.
std::size_t Source::byte_of(std::size_t lane) {
  constexpr auto half = kRowLanes / 2;
  return lane % half * 2 + lane / half;
}

// One weight, from the tables of lists.
float Source::weight_at(std::size_t block, std::size_t ky, std::size_t kx, std::size_t channel,
                        std::size_t lane) const {
  const auto entry = entry_of(block, cut_->place(ky, kx, 0, channel));
  if (!bytes()) return table_[entry + lane];
  const int bias = lane < kRowLanes / 2 ? kLowBias : 0;
  return static_cast<float>(static_cast<std::int8_t>(byte_table_[entry + byte_of(lane)] - bias));
}

// The tables of dense steps, from those of lists: many nets never need them.
void Source::lay_out_dense() const {
  const auto lanes = sites_.channels;
  dense_table_ = taps_.size() * channels_ * lanes;
  dense_.assign(dense_table_ * sites_.blocks, 0.0F);
  float* to = dense_.data();
  for (std::size_t block = 0; block < sites_.blocks; ++block) {
    for (std::size_t ky = 0; ky < as_size(geometry_.kernel[0]); ++ky) {
      for (std::size_t kx = 0; kx < as_size(geometry_.kernel[1]); ++kx) {
        for (std::size_t channel = 0; channel < channels_; ++channel, to += lanes) {
          for (std::size_t lane = 0; lane < lanes; ++lane) {
            to[lane] = weight_at(block, ky, kx, channel, lane);
          }
        }
      }
    }
  }
}

void Source::add_plane(const StepEvents& events, std::size_t block, std::size_t row,
                       std::size_t column, std::size_t sites, float* sums,
                       std::size_t stride) const {
  constexpr std::size_t kMost = 16;  // pixels at once
  if (!depthwise()) std::call_once(dense_once_, [this] { lay_out_dense(); });
  const auto lanes = sites_.channels;
  const float* table = dense_.data() + block * dense_table_;
  const auto top = row * as_size(geometry_.stride[0]) * reader_.padded_width();
  const auto pitch = as_size(geometry_.stride[1]) * input_.channels;
  const auto end = std::min(output_.width, column + sites * sites_.shared);
  std::size_t place = 0;
  for (std::size_t x = column; x < end; x += kMost) {
    alignas(64) float sum[kMost * kRowLanes] = {};
    const auto pixels = std::min(kMost, end - x);
    const float* data = events.plane.data() + top * input_.channels + x * pitch;
    if (depthwise()) {
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

bool Source::add_current(const void* emissions, std::size_t block, std::size_t row,
                         std::size_t column, float* sums) const {
  const auto channel = block * sites_.channels;
  const auto kept = std::min(sites_.channels, input_.channels - channel);
  const auto pixels = std::min(sites_.shared, output_.width - column);
  const auto from = (row * input_.width + column) * input_.channels + channel;
  if (reader_.bits()) {
    bool any = false;
    for (std::size_t p = 0; p < pixels; ++p) {
      const auto* bits =
          static_cast<const std::uint8_t*>(emissions) + from / 8 + p * input_.channels / 8;
      float emission[kRowLanes];
      kernels_.spread_bits(bits, emission, kept);
      any |= kernels_.add_values(emission, 1, kept, quanta(block), kept, sites_.channels,
                                 sums + p * sites_.channels);
    }
    return any;
  }
  if (reader_.codes()) {
    return kernels_.add_codes(static_cast<const std::int8_t*>(emissions) + from, pixels,
                              input_.channels, quanta(block), kept, sites_.channels, sums);
  }
  return kernels_.add_values(static_cast<const float*>(emissions) + from, pixels, input_.channels,
                             quanta(block), kept, sites_.channels, sums);
}

}  // namespace onnx2snn
