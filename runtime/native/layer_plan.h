// What a fused layer prepares once for inputs of one extent: packed weights and reusable memory.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "source.h"

namespace onnx2snn {

constexpr std::size_t kMostSources = 4;
constexpr std::size_t kFirstState = 7;   // inputs before it: the neuron's parameters
constexpr std::size_t kScale = 9;        // charge and count lie between, channel-last
constexpr std::size_t kFirstSource = 10;

// A source as it stands among the inputs of a layer.
struct SourceInput {
  Tensor emissions, weights, geometry;
  bool codes() const { return emissions.type == ort::Type::int8; }
  Extent extent() const;
  const void* at(std::size_t row) const;
};

std::vector<SourceInput> source_inputs(const Context& context);

// Memory that is used again: whoever needs some borrows it, so calls may run at the same time.
template <typename T>
class Shelf {
 public:
  std::unique_ptr<T> borrow() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (idle_.empty()) return std::make_unique<T>();
    auto borrowed = std::move(idle_.back());
    idle_.pop_back();
    return borrowed;
  }

  void give_back(std::unique_ptr<T> borrowed) {
    const std::lock_guard<std::mutex> lock(mutex_);
    idle_.push_back(std::move(borrowed));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<T>> idle_;
};

// Memory of one call: the events of [sample of a group][timestep][source].
using Scratch = std::vector<StepEvents>;

// The lists of one source for the sites and timesteps of a tile.
struct Lists {
  std::vector<std::uint16_t> place;
  Line<float> value;
  std::vector<std::uint32_t> ends;
};

// What is to be done for one source at one timestep of one sample.
struct Step {
  const void* emissions;
  const std::uint8_t* bits;
  const StepEvents* plane;  // the dense values; null: none, or listed
  bool listed;
  bool stands;  // all sources repeat themselves: the sums of the timestep before stand
};

// Memory of one work item.
struct Workspace {
  std::vector<Step> steps;             // [sample][source][timestep]
  std::vector<std::uint32_t> slots, sites;                // of each site of the tile
  std::vector<std::ptrdiff_t> first_bits, first_emission;  // of the windows of one source
  std::vector<Lists> lists;            // of each source
  Line<float> sums;                    // [site][timestep][lane], with a pitch
  std::vector<char> driven;            // [site][timestep]: whether there was any input
  std::vector<LaneState> states;       // [block][site]
  Line<float> values;                  // emissions on their way out, [timestep][site][lane]
  Line<std::int8_t> codes;
};

class LayerPlan {
 public:
  // `scale`: what the whole numbers that are weights count for, one for each output channel; empty
  // where weights are what they are.
  LayerPlan(const std::vector<SourceInput>& inputs, const Tensor& scale);

  bool fits(const std::vector<SourceInput>& inputs) const;

  std::vector<Extent> extents;
  Extent output;
  Sites sites;
  std::vector<Source> sources;
  Line<float> scale;  // [block][lane], or empty
  mutable Shelf<Scratch> scratch;
  mutable Shelf<Workspace> workspaces;
};

// The plan for the inputs at hand; concurrent calls share it.
class PlanHolder {
 public:
  std::shared_ptr<const LayerPlan> plan_for(const std::vector<SourceInput>& inputs,
                                            const Tensor& scale);

 private:
  std::mutex mutex_;
  std::shared_ptr<const LayerPlan> plan_;
};

}  // namespace onnx2snn
