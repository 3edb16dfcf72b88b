// One work item of a fused layer: some sites, some blocks of channels, all timesteps.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "layers/layer_plan.h"
#include "layers/layer_rows.h"
#include "operators/carried_state.h"

namespace onnx2snn {

// What a layer gives: emissions in one of their codings, the sum of emissions over time in units of
// current, or the sums of currents without neurons.
enum class Form { codes, values, bits, total, currents };

// One call of a layer, for a group of samples whose emissions have been read.
struct Call {
  const LayerPlan& plan;
  const std::vector<SourceInput>& inputs;
  Law law;
  const LayerRows* rows;
  Form form;
  float dense_above;  // below zero: as measured
  std::size_t timesteps, samples;
  std::int64_t stimulus;
  std::int64_t before;  // timesteps that went before this call
  const CarriedState& state;
  void* out;
  std::int8_t* active;  // of each row of the output: whether there was an emission; or null
  Scratch* scratch;
  std::size_t first, slots;  // samples of the group: the first, and how many

  StepEvents& events(std::size_t slot, std::size_t t, std::size_t source) const {
    return scratch->events[(slot * timesteps + t) * inputs.size() + source];
  }
  SourceSteps& steps(std::size_t stretch, std::size_t slot, std::size_t source) const {
    return scratch->steps[(stretch * slots + slot) * inputs.size() + source];
  }
};

// Part of a layer. Sites are counted through all samples of the group.
struct Part {
  std::size_t first, end;              // sites
  std::size_t first_block, end_block;  // blocks of channels
};

// What a tile works on at the moment.
struct TileStep {
  const Call& call;
  const Part& part;
  Workspace& memory;
  std::size_t count;              // sites
  std::size_t first_step, steps;  // timesteps
  std::size_t half;               // which of the blocks that are summed together

  // Floats from site to site: not a power of two, or all sites would share a line of the cache.
  static constexpr std::size_t kPitch = kSteps * kRowLanes + 16;
  float* sums(std::size_t site, std::size_t t) const {
    return memory.sums.data() + (half * count + site) * kPitch + t * kRowLanes;
  }
  std::uint32_t& driven(std::size_t site) const { return memory.driven[half * count + site]; }

  // Blocks of the part, and the number of a block among them.
  std::size_t blocks() const { return part.end_block - part.first_block; }
  std::size_t own(std::size_t block) const { return block - part.first_block; }

  // Channels of a block, and pixels of a site, that are there.
  std::size_t kept(std::size_t block) const {
    const auto& plan = call.plan;
    return std::min(plan.sites.channels, plan.output.channels - block * plan.sites.channels);
  }
  std::size_t pixels(std::size_t column) const {
    return std::min(call.plan.sites.shared, call.plan.output.width - column);
  }
  // Whether the outputs of sites that lie next to each other lie next to each other.
  bool adjacent(std::size_t block) const {
    const auto& plan = call.plan;
    return kept(block) == plan.output.channels && kept(block) == plan.sites.channels &&
           plan.output.width % plan.sites.shared == 0;
  }
  // Index of the first channel of a site in one timestep of a sample.
  std::size_t place(const Run& run, std::size_t k, std::size_t block) const {
    const auto& plan = call.plan;
    const auto pixel = run.row * plan.output.width + run.column + k * plan.sites.shared;
    return pixel * plan.output.channels + block * plan.sites.channels;
  }
};

// How many sites a part should have.
std::size_t sites_of_part(const Call& call);

void run_part(const Call& call, const Part& part, Workspace& memory);

// The neurons of a block of channels behind their sums, or the sums themselves: the output.
void finish_block(const TileStep& tile, std::size_t block);

// What leaves for all blocks of a part at once, so that what lies together is moved together: bits.
void finish_blocks(const TileStep& tile);

}  // namespace onnx2snn
