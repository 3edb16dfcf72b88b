// What a fused layer prepares once for inputs of one extent: packed weights and reusable memory.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "source.h"

namespace onnx2snn {

constexpr std::size_t kMostSources = 4;
constexpr std::size_t kFirstState = 7;   // inputs before it: the neuron's parameters
constexpr std::size_t kFirstSource = 9;  // charge and count lie between, channel-last

// A source as it stands among the inputs of a layer.
struct SourceInput {
  Tensor emissions, weights, geometry;
  bool codes() const { return emissions.type == ort::Type::int8; }
  Extent extent() const;
  const void* at(std::size_t row) const;
};

std::vector<SourceInput> source_inputs(const Context& context);

// Memory of one call: the events of [sample of a group][timestep][source].
using Scratch = std::vector<StepEvents>;

class LayerPlan {
 public:
  explicit LayerPlan(const std::vector<SourceInput>& inputs);

  bool fits(const std::vector<SourceInput>& inputs) const;
  std::unique_ptr<Scratch> borrow() const;
  void give_back(std::unique_ptr<Scratch> scratch) const;

  std::vector<Extent> extents;
  Extent output;
  Tiling tiling;
  std::vector<Source> sources;

 private:
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Scratch>> idle_;
};

// The plan for the inputs at hand; concurrent calls share it.
class PlanHolder {
 public:
  std::shared_ptr<const LayerPlan> plan_for(const std::vector<SourceInput>& inputs);

 private:
  std::mutex mutex_;
  std::shared_ptr<const LayerPlan> plan_;
};

}  // namespace onnx2snn
