// What a fused layer prepares once for inputs of one extent: packed weights and reusable memory.
#pragma once

#include <deque>
#include <vector>

#include "layers/source.h"
#include "memory/aligned.h"
#include "memory/shelf.h"

namespace onnx2snn {

constexpr std::size_t kMostSources = 4;
constexpr std::size_t kFirstState = 7;  // inputs before it: the neuron's parameters
constexpr std::size_t kScale = 9;       // charge and count lie between, channel-last
constexpr std::size_t kFirstSource = 10;
constexpr std::size_t kSourceInputs = 4;  // of each source

// A source as it stands among the inputs of a layer. `active`: of each timestep and sample, whether
// there is an event; empty where nobody knows.
struct SourceInput {
  Tensor emissions, weights, geometry, active;
  Coding coding() const;
  Extent extent() const;
  const void* at(std::size_t row) const;
  bool silent(std::size_t row) const {
    return active.size() > 0 && active.as<std::int8_t>()[row] == 0;
  }
};

std::vector<SourceInput> source_inputs(const Context& context);

// The lists of one source for the sites and timesteps of a tile.
struct Lists {
  Line<std::uint16_t> place;
  Line<float> value;
  std::vector<std::uint32_t> starts, active;
  std::vector<std::uint16_t> rounds;
};

// What is to be done for one source of one sample; bit t stands for timestep t.
struct SourceSteps {
  Planes planes;
  const StepEvents* events[kSteps];
  std::uint32_t listed, dense, current;
};

// Memory of one call.
struct Scratch {
  std::vector<StepEvents> events;  // [sample of a group][timestep][source]
  std::vector<SourceSteps> steps;  // [kSteps timesteps][sample of a group][source]

  std::size_t bytes() const {
    std::size_t all = 0;
    for (const auto& step : events) all += step.bytes();
    return all;
  }
};

// Sites of a tile that lie in one row of outputs of one sample.
struct Run {
  std::size_t first, count;  // sites of the tile
  std::size_t slot, row, column;
};

// The gain of some timesteps, at which ones it is not that of the timestep before, and at which
// ones the input is shown.
struct Gains {
  float of[kSteps];
  std::uint32_t changes = 0, shown = 0;
};

// Memory of one work item.
struct Workspace {
  Gains gains;
  std::vector<Run> runs;
  std::vector<std::ptrdiff_t> first_bits, first_emission;  // of the windows of a run
  std::vector<Lists> lists;                                // of each source
  Line<float> sums;                    // [block][site][timestep][lane], with a pitch
  std::vector<std::uint32_t> driven;   // [block][site]: at which timesteps there was any input
  std::vector<LaneState> states;       // [block][site]
  std::vector<std::uint32_t> emitted;  // [site]: at which timesteps
  Line<float> values;                  // emissions on their way out, [timestep][site][lane]
  Line<std::int8_t> codes;
  std::vector<std::uint32_t> bits;  // the same, [timestep][site][block]
};

class LayerPlan {
 public:
  // `scale`: what the whole numbers that are weights count for, one for each output channel; empty
  // where weights are what they are.
  LayerPlan(const std::vector<SourceInput>& inputs, const Tensor& scale, bool tiles);

  bool fits(const std::vector<SourceInput>& inputs) const;
  // Blocks of channels that are summed together.
  std::size_t blocks_at_once() const { return paired ? 2 : 1; }
  // Whether sums are complete once one chunk of lists is added, as far as timesteps are listed.
  bool one_list() const;

  std::vector<Extent> extents;
  Extent output;
  Sites sites;
  std::deque<Source> sources;  // they stay where they are
  Line<float> scale;           // [block][lane], a whole number of pairs of blocks; or empty
  bool paired = false;
  mutable Shelf<Scratch> scratch;
  mutable Shelf<Workspace> workspaces;
  mutable Shelf<Line<std::uint8_t>> tile_memory;
};

}  // namespace onnx2snn
