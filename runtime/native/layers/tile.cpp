// The events of all windows of a tile are listed once, for all blocks of channels. Then, block by
// block, each table of weight rows serves all lists while it is in a near cache. Last come the
// neurons, site by site through all timesteps.
#include "layers/tile.h"

#include <algorithm>

#include "operators/neuron_op.h"

namespace onnx2snn {

namespace {

constexpr std::size_t kListsOfPart = 512;          // sums of a block: 64 KiB
constexpr std::size_t kEntriesOfPart = 1U << 20U;  // most events of the lists of a source

// The sites of a part, row by row of the outputs.
void cut_runs(const Sites& sites, const Part& part, std::vector<Run>& runs) {
  runs.clear();
  for (std::size_t at = part.first; at < part.end;) {
    const auto slot = at / sites.count, site = at % sites.count;
    const auto count = std::min(sites.across - site % sites.across, part.end - at);
    runs.push_back({at - part.first, count, slot, sites.row(site), sites.column(site)});
    at += count;
  }
}

Gains gains_of(const TileStep& tile) {
  Gains gains;
  auto now = tile.call.before + static_cast<std::int64_t>(tile.first_step);
  float before = gain(now, tile.call.stimulus);
  for (std::size_t t = 0; t < tile.steps; ++t) {
    gains.of[t] = gain(++now, tile.call.stimulus);
    gains.changes |= (gains.of[t] != before ? 1U : 0U) << t;
    gains.shown |= (now <= tile.call.stimulus ? 1U : 0U) << t;
    before = gains.of[t];
  }
  return gains;
}

const SourceSteps& steps_of(const TileStep& tile, const Run& run, std::size_t s) {
  return tile.call.steps(tile.first_step / kSteps, run.slot, s);
}

EventLists lists_of(const TileStep& tile, std::size_t s) {
  Lists& lists = tile.memory.lists[s];
  float* value = tile.call.plan.sources[s].reader().unit() ? nullptr : lists.value.data();
  return {lists.place.data(),  value,     lists.starts.data(), lists.rounds.data(),
          lists.active.data(), tile.count};
}

void list(const TileStep& tile, std::size_t s, std::size_t block) {
  const Source& source = tile.call.plan.sources[s];
  const WindowCut& cut = source.cut();
  Workspace& memory = tile.memory;
  Lists& lists = memory.lists[s];
  const auto room = tile.count * tile.steps * cut.entries() + 2 * kListSlack;
  if (lists.place.size() < room) lists.place.resize(room);
  if (!source.reader().unit() && lists.value.size() < room) lists.value.resize(room);
  lists.starts.resize(cut.chunks() * tile.count * kSteps);
  lists.rounds.resize(cut.chunks() * tile.count * kSteps);
  lists.active.resize(cut.chunks() * tile.count);
  memory.first_bits.resize(tile.count);
  memory.first_emission.resize(tile.count);
  std::uint32_t used = 0;
  for (const Run& run : memory.runs) {
    const SourceSteps& steps = steps_of(tile, run, s);
    std::uint32_t reached = 0;
    for (std::uint32_t left = steps.listed; left != 0; left &= left - 1) {
      const auto t = static_cast<std::size_t>(__builtin_ctz(left));
      reached |= (source.reached(*steps.events[t], run.row) ? 1U : 0U) << t;
    }
    for (std::size_t k = 0; k < run.count; ++k) {
      const auto column = run.column + k * tile.call.plan.sites.shared;
      memory.first_bits[k] = source.first_bits(run.row, column, block);
      memory.first_emission[k] = source.first_emission(run.row, column, block);
    }
    const Places places{memory.first_bits.data(), memory.first_emission.data(), run.count};
    used = kernels().list_windows(steps.planes, reached, places, cut.window(), lists_of(tile, s),
                                  run.first, used);
  }
}

// Dense steps of one run that went by tiles.
void add_tiles(const TileStep& tile, const Run& run, std::size_t s, std::size_t block,
               const StepEvents& events, std::size_t t) {
  const auto& sites = tile.call.plan.sites;
  const Winograd& tiles = *tile.call.plan.sources[s].tiles();
  const auto first = run.row * tiles.row() + run.column * tiles.pixel() + block * sites.channels;
  const Sums sums{tile.sums(run.first, 0), &tile.driven(run.first), TileStep::kPitch};
  kernels().add_plane(events.currents.data() + first, sites.shared * tiles.pixel(), run.count, sums,
                      t);
}

// Dense steps of one run, added to sums that are zero where there was no input so far.
void add_planes(const TileStep& tile, const Run& run, std::size_t s, std::size_t block) {
  const SourceSteps& steps = steps_of(tile, run, s);
  for (std::uint32_t left = steps.dense; left != 0; left &= left - 1) {
    const auto t = static_cast<std::size_t>(__builtin_ctz(left));
    if (steps.events[t]->tiled) {
      add_tiles(tile, run, s, block, *steps.events[t], t);
      continue;
    }
    for (std::size_t i = run.first; i < run.first + run.count; ++i) {
      if ((tile.driven(i) >> t & 1) == 0) std::fill_n(tile.sums(i, t), kRowLanes, 0.0F);
      tile.driven(i) |= 1U << t;
    }
    tile.call.plan.sources[s].add_plane(*steps.events[t], block, run.row, run.column, run.count,
                                        tile.sums(run.first, t), TileStep::kPitch);
  }
}

void add_currents(const TileStep& tile, const Run& run, std::size_t s, std::size_t block) {
  const auto& plan = tile.call.plan;
  const Source& source = plan.sources[s];
  const SourceSteps& steps = steps_of(tile, run, s);
  auto* driven = &tile.driven(run.first);
  const bool rows = tile.kept(block) == plan.sites.channels &&  // of lanes, that lie together
                    (tile.adjacent(block) || plan.sites.shared == 1);
  for (std::uint32_t left = steps.current; left != 0; left &= left - 1) {
    const auto t = static_cast<std::size_t>(__builtin_ctz(left));
    const void* emissions = steps.planes.emissions[t];
    if (rows && source.reader().bits()) {
      const auto pitch = plan.sites.shared * plan.output.channels / 8;
      const auto* bits =
          static_cast<const std::uint8_t*>(emissions) + tile.place(run, 0, block) / 8;
      const Sums sums{tile.sums(run.first, 0), driven, TileStep::kPitch};
      kernels().add_bits(bits, pitch, run.count, source.quanta(block), sums, t);
      continue;
    }
    if (rows && source.reader().codes()) {
      const auto together = tile.adjacent(block) ? run.count : 1;
      for (std::size_t k = 0; k < run.count; k += together) {
        const auto* codes = static_cast<const std::int8_t*>(emissions) + tile.place(run, k, block);
        const Sums sums{tile.sums(run.first + k, 0), driven + k, TileStep::kPitch};
        kernels().add_current(codes, together, source.quanta(block), sums, t);
      }
      continue;
    }
    for (std::size_t k = 0; k < run.count; ++k) {
      float* sums = tile.sums(run.first + k, t);
      if ((driven[k] >> t & 1) == 0) std::fill_n(sums, kRowLanes, 0.0F);
      const auto column = run.column + k * plan.sites.shared;
      const bool any = source.add_current(emissions, block, run.row, column, sums);
      driven[k] |= (any ? 1U : 0U) << t;
    }
  }
}

Sums sums_of(const TileStep& tile, std::size_t site) {
  return {tile.sums(site, 0), &tile.driven(site), TileStep::kPitch};
}

// Lists that fetch the table behind their own while they are summed. That pays where tables do not
// stay in the second-level cache, and where there are enough lists to fetch a little at each.
EventLists fetching(const TileStep& tile, std::size_t s, std::size_t block, std::size_t chunk) {
  constexpr std::size_t kFewestBytes = 512U << 10U, kMostLines = 24, kLineBytes = 64;
  const Source& source = tile.call.plan.sources[s];
  EventLists lists = lists_of(tile, s);
  if (source.table_bytes() < kFewestBytes) return lists;
  const auto own = source.table_bytes(chunk);
  const auto lines = source.table_bytes((chunk + 1) % source.cut().chunks()) / kLineBytes;
  const auto each = (lines + tile.count * tile.steps - 1) / (tile.count * tile.steps);
  if (each > kMostLines) return lists;
  const auto* table = source.bytes()
                          ? source.byte_table(block, chunk)
                          : reinterpret_cast<const std::uint8_t*>(source.table(block, chunk));
  lists.next = table + own;
  lists.next_lines = lines;
  lists.lines_a_list = each;
  return lists;
}

// The lists of all sources, for one or two blocks.
void add_lists(const TileStep& tile, std::size_t block, std::size_t blocks) {
  Workspace& memory = tile.memory;
  const auto& plan = tile.call.plan;
  const auto places = blocks * tile.count;
  if (memory.sums.size() < places * TileStep::kPitch) memory.sums.resize(places * TileStep::kPitch);
  memory.driven.assign(places, 0);
  const float* scale =
      plan.scale.empty() || !plan.one_list() ? nullptr : &plan.scale[block * kRowLanes];
  TileStep second = tile;
  second.half = blocks - 1;
  for (std::size_t s = 0; s < plan.sources.size(); ++s) {
    const Source& source = plan.sources[s];
    if (!source.listed()) continue;
    for (std::size_t chunk = 0; chunk < source.cut().chunks(); ++chunk) {
      const EventLists lists = fetching(tile, s, block, chunk);
      if (!source.bytes()) {
        kernels().add_lists(lists, chunk, source.table(block, chunk), scale, sums_of(tile, 0));
      } else if (!source.paired()) {
        kernels().add_int8_lists(lists, chunk, source.byte_table(block, chunk), scale,
                                 sums_of(tile, 0));
      } else {
        kernels().add_int8_pairs(lists, chunk, source.byte_table(block, chunk), scale,
                                 sums_of(tile, 0), sums_of(second, 0));
      }
    }
  }
}

// What is not listed.
void add_rest(const TileStep& tile, std::size_t block) {
  const auto& plan = tile.call.plan;
  for (const Run& run : tile.memory.runs) {
    std::uint32_t dense = 0;
    for (std::size_t s = 0; s < plan.sources.size(); ++s) {
      add_planes(tile, run, s, block);
      dense |= steps_of(tile, run, s).dense;
    }
    if (!plan.scale.empty()) {  // whole numbers so far; what follows is current already
      const auto steps = plan.one_list() ? dense : ~0U;
      kernels().scale_sums(&plan.scale[block * kRowLanes], run.count, steps,
                           sums_of(tile, run.first));
    }
    for (std::size_t s = 0; s < plan.sources.size(); ++s) add_currents(tile, run, s, block);
  }
}

}  // namespace

std::size_t sites_of_part(const Call& call) {
  const auto steps = std::min(kSteps, call.timesteps);
  std::size_t rows = 1;
  for (const auto& source : call.plan.sources) {
    if (source.listed()) rows = std::max(rows, source.cut().entries());
  }
  const auto most = std::min(kListsOfPart, kEntriesOfPart / rows);
  return std::max<std::size_t>(1, most / steps);
}

void run_part(const Call& call, const Part& part, Workspace& memory) {
  const auto& sources = call.plan.sources;
  TileStep tile{call, part, memory, part.end - part.first, 0, 0, 0};
  memory.lists.resize(sources.size());
  cut_runs(call.plan.sites, part, memory.runs);
  memory.states.assign(tile.count * tile.blocks(), LaneState{});
  for (; tile.first_step < call.timesteps; tile.first_step += kSteps) {
    tile.steps = std::min(kSteps, call.timesteps - tile.first_step);
    memory.gains = gains_of(tile);
    memory.emitted.assign(tile.count, 0);
    const auto together = call.plan.blocks_at_once();
    for (std::size_t block = part.first_block; block < part.end_block; block += together) {
      for (std::size_t s = 0; s < sources.size(); ++s) {
        const bool again = block == part.first_block || sources[s].grouped();
        if (sources[s].listed() && again) list(tile, s, block);
      }
      add_lists(tile, block, together);
      for (tile.half = 0; tile.half < together && block + tile.half < part.end_block; ++tile.half) {
        add_rest(tile, block + tile.half);
        finish_block(tile, block + tile.half);
      }
      tile.half = 0;
    }
    finish_blocks(tile);
  }
}

}  // namespace onnx2snn
