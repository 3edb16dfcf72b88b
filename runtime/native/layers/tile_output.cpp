// What leaves a tile: emissions of the neurons behind the sums, or the sums themselves.
#include <algorithm>
#include <cstring>

#include "layers/tile.h"
#include "operators/neuron_op.h"

namespace onnx2snn {

namespace {

// What the neurons of a site have of their own.
struct SiteRows {
  alignas(64) float inverse[kRowLanes], slope[kRowLanes], quantum[kRowLanes];
  alignas(64) float drive[kSteps * kRowLanes];

  void load(const TileStep& tile, std::size_t row, std::size_t column, std::size_t block) {
    const auto& rows = *tile.call.rows;
    const auto& plan = tile.call.plan;
    const auto channels = plan.sites.channels;
    alignas(64) float own[kRowLanes];
    for (std::size_t p = 0; p < plan.sites.shared; ++p) {
      const auto x = std::min(column + p, plan.output.width - 1);
      const auto pixel = row * plan.output.width + x;
      const auto from = pixel * rows.pixel_stride + block * channels;
      std::copy_n(&rows.inverse[from], channels, inverse + p * channels);
      std::copy_n(&rows.drive[from], channels, own + p * channels);
      std::copy_n(&rows.slope[from], channels, slope + p * channels);
      std::copy_n(&rows.quantum[from], channels, quantum + p * channels);
    }
    kernels().drive_lanes(tile.call.law, own, tile.memory.gains.of, tile.steps, drive);
  }
};

// Calls visit(place, n, charge, count) for the neurons of each pixel of a site.
template <typename Visit>
void each_pixel(const TileStep& tile, const Run& run, std::size_t k, std::size_t block,
                LaneState& state, const Visit& visit) {
  const auto& plan = tile.call.plan;
  const auto place = (tile.call.first + run.slot) * plan.output.size() + tile.place(run, k, block);
  const auto pixels = tile.pixels(run.column + k * plan.sites.shared);
  for (std::size_t p = 0; p < pixels; ++p) {
    const auto lane = p * plan.sites.channels;
    visit(place + p * plan.output.channels, tile.kept(block), state.charge + lane,
          state.count + lane);
  }
}

// Calls visit(lane, place) for what is there of a site, `place` being that in a channel-first
// sample.
template <typename Visit>
void each_lane(const TileStep& tile, const Run& run, std::size_t k, std::size_t block,
               const Visit& visit) {
  const auto& output = tile.call.plan.output;
  const auto& sites = tile.call.plan.sites;
  const auto column = run.column + k * sites.shared;
  const auto kept = tile.kept(block), pixels = tile.pixels(column);
  for (std::size_t c = 0; c < kept; ++c) {
    const auto channel = block * sites.channels + c;
    const auto place = channel * output.pixels() + run.row * output.width + column;
    for (std::size_t p = 0; p < pixels; ++p) visit(p * sites.channels + c, place + p);
  }
}

// The current of a site that is held during the stimulus.
void load_held(const TileStep& tile, const Run& run, std::size_t k, std::size_t block,
               float* lanes) {
  const auto* from =
      static_cast<const float*>(tile.call.inputs.front().at(tile.call.first + run.slot));
  std::fill_n(lanes, kRowLanes, 0.0F);
  each_lane(tile, run, k, block, [&](auto lane, auto place) { lanes[lane] = from[place]; });
}

// Emissions counted over all timesteps, times their quantum, channel-first.
void put_total(const TileStep& tile, const Run& run, std::size_t k, std::size_t block,
               const LaneState& state, const float* quantum) {
  const Call& call = tile.call;
  auto* to = static_cast<float*>(call.out) + (call.first + run.slot) * call.plan.output.size();
  each_lane(tile, run, k, block,
            [&](auto lane, auto place) { to[place] = state.count[lane] * quantum[lane]; });
}

// Where the emissions of a site wait to be moved to the output.
Emitted emitted_of(const TileStep& tile, std::size_t site, std::size_t block) {
  Workspace& memory = tile.memory;
  switch (tile.call.form) {
    case Form::codes:
      return {memory.codes.data() + site * kRowLanes, nullptr, nullptr, tile.count * kRowLanes};
    case Form::values:
      return {nullptr, memory.values.data() + site * kRowLanes, nullptr, tile.count * kRowLanes};
    case Form::bits:
      return {nullptr, nullptr, memory.bits.data() + site * tile.blocks() + tile.own(block),
              tile.count * tile.blocks()};
    default:
      return {nullptr, nullptr, nullptr, 0};
  }
}

void advance(const TileStep& tile, std::size_t block) {
  const Call& call = tile.call;
  Workspace& memory = tile.memory;
  const bool held = call.plan.sources.front().held();
  const bool last = tile.first_step + tile.steps == call.timesteps;
  const auto places = tile.steps * tile.count;
  if (call.form == Form::codes) memory.codes.resize(places * kRowLanes);
  if (call.form == Form::values) memory.values.resize(places * kRowLanes);
  if (call.form == Form::bits) memory.bits.resize(places * tile.blocks());
  const Gains& gains = memory.gains;
  SiteRows rows;
  bool loaded = false;
  alignas(64) float current[kRowLanes];
  for (const Run& run : memory.runs) {
    for (std::size_t k = 0; k < run.count; ++k) {
      const auto i = run.first + k;
      if (!loaded) rows.load(tile, run.row, run.column + k * call.plan.sites.shared, block);
      loaded = call.rows->pixel_stride == 0;
      LaneState& state = memory.states[tile.own(block) * tile.count + i];
      if (tile.first_step == 0 && call.state.carried()) {
        each_pixel(tile, run, k, block, state, [&](auto... at) { call.state.load(at...); });
      }
      if (held) load_held(tile, run, k, block, current);
      const LaneRun lanes{rows.drive,           rows.inverse,
                          rows.slope,           held ? current : tile.sums(i, 0),
                          held ? 0 : kRowLanes, held ? gains.shown : tile.driven(i),
                          gains.changes,        tile.steps};
      const Emitted to = emitted_of(tile, i, block);
      memory.emitted[i] |= kernels().advance_through(call.law, lanes, state, to);
      if (last && call.state.carried()) {
        each_pixel(tile, run, k, block, state, [&](auto... at) { call.state.store(at...); });
      }
      if (last && call.form == Form::total) put_total(tile, run, k, block, state, rows.quantum);
    }
  }
}

// Moves one site's emissions of one timestep, `to` being the output of its first channel. Whole
// rows of lanes, the common case, are moved by a few instructions, not by a call.
template <typename T>
void put_site(const TileStep& tile, std::size_t pixels, std::size_t block, const T* lanes, T* to) {
  const auto kept = tile.kept(block);
  if (kept == kRowLanes) {
    std::memcpy(to, lanes, kRowLanes * sizeof(T));
    return;
  }
  const auto& plan = tile.call.plan;
  for (std::size_t p = 0; p < pixels; ++p) {
    std::copy_n(lanes + p * plan.sites.channels, kept, to + p * plan.output.channels);
  }
}

// The bits of one site at one timestep, of all blocks of the part.
void put_bits(const TileStep& tile, std::size_t pixels, const std::uint32_t* lanes,
              std::uint8_t* to) {
  const auto& plan = tile.call.plan;
  const auto channels = plan.output.channels;
  if (plan.sites.shared == 1) {
    const auto first = tile.part.first_block * kRowLanes;
    std::memcpy(to, lanes, std::min(channels - first, tile.blocks() * kRowLanes) / 8);
    return;
  }
  for (std::size_t p = 0; p < pixels; ++p) {
    const std::uint32_t own = *lanes >> (p * plan.sites.channels);
    std::memcpy(to + p * channels / 8, &own, channels / 8);
  }
}

// Several parts of a layer may set the same mark; it is written once, or threads would take turns
// at the memory it lies in.
void mark(std::int8_t* active) {
  if (__atomic_load_n(active, __ATOMIC_RELAXED) == 0) __atomic_store_n(active, 1, __ATOMIC_RELAXED);
}

// Moves the emissions of the tile to the output, timestep by timestep. A site has `lanes` elements
// of `from`; an element of the output is 8 emissions if they are bits, else one. `adjacent`: sites
// that lie next to each other do so in the output as well.
template <typename T, typename Put>
void put(const TileStep& tile, const T* from, std::size_t lanes, std::size_t block, bool adjacent,
         const Put& put_one) {
  const Call& call = tile.call;
  const auto& output = call.plan.output;
  const std::size_t packed = call.form == Form::bits ? 8 : 1;
  const auto size =
      sizeof(T) / (call.form == Form::bits ? 4 : 1);  // bytes of an element of the output
  const auto shared = call.plan.sites.shared;
  for (const Run& run : tile.memory.runs) {
    std::uint32_t emitted = 0;
    for (std::size_t k = 0; k < run.count; ++k) emitted |= tile.memory.emitted[run.first + k];
    const auto place = tile.place(run, 0, block);
    for (std::size_t t = 0; t < tile.steps; ++t) {
      const auto row = (tile.first_step + t) * call.samples + call.first + run.slot;
      auto* to =
          static_cast<std::uint8_t*>(call.out) + (row * output.size() + place) / packed * size;
      const bool any = (emitted >> t & 1) != 0;
      if (any && call.active != nullptr) mark(call.active + row);
      const T* own = from + (t * tile.count + run.first) * lanes;
      if (adjacent) {
        const auto bytes = run.count * lanes * sizeof(T);
        any ? std::memcpy(to, own, bytes) : std::memset(to, 0, bytes);
        continue;
      }
      for (std::size_t k = 0; k < run.count; ++k, own += lanes) {
        const auto pixels = tile.pixels(run.column + k * shared);
        put_one(pixels, own, to + k * shared * output.channels / packed * size);
      }
    }
  }
}

// Sums as they are, channel-first.
void put_currents(const TileStep& tile, std::size_t block) {
  const Call& call = tile.call;
  for (const Run& run : tile.memory.runs) {
    for (std::size_t k = 0; k < run.count; ++k) {
      const auto i = run.first + k;
      for (std::size_t t = 0; t < tile.steps; ++t) {
        const auto row = (tile.first_step + t) * call.samples + call.first + run.slot;
        auto* to = static_cast<float*>(call.out) + row * call.plan.output.size();
        const bool any = (tile.driven(i) >> t & 1) != 0;
        const float* from = tile.sums(i, t);
        each_lane(tile, run, k, block,
                  [&](auto lane, auto place) { to[place] = any ? from[lane] : 0.0F; });
      }
    }
  }
}

}  // namespace

void finish_block(const TileStep& tile, std::size_t block) {
  if (tile.call.form == Form::currents) return put_currents(tile, block);
  advance(tile, block);
  const Workspace& memory = tile.memory;
  if (tile.call.form == Form::codes) {
    put(tile, memory.codes.data(), kRowLanes, block, tile.adjacent(block),
        [&](auto pixels, const std::int8_t* from, auto* to) {
          put_site(tile, pixels, block, from, reinterpret_cast<std::int8_t*>(to));
        });
  } else if (tile.call.form == Form::values) {
    put(tile, memory.values.data(), kRowLanes, block, tile.adjacent(block),
        [&](auto pixels, const float* from, auto* to) {
          put_site(tile, pixels, block, from, reinterpret_cast<float*>(to));
        });
  }
}

void finish_blocks(const TileStep& tile) {
  if (tile.call.form != Form::bits) return;
  const auto& plan = tile.call.plan;
  const bool whole = tile.blocks() * kRowLanes == plan.output.channels * plan.sites.shared &&
                     plan.output.width % plan.sites.shared == 0;
  put(tile, tile.memory.bits.data(), tile.blocks(), tile.part.first_block, whole,
      [&](auto pixels, const std::uint32_t* from, auto* to) { put_bits(tile, pixels, from, to); });
}

}  // namespace onnx2snn
