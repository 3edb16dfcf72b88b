// One work item of a fused layer: some sites, some blocks of channels, all timesteps.
#pragma once

#include <cstddef>
#include <cstdint>

#include "carried_state.h"
#include "layer_plan.h"
#include "layer_rows.h"

namespace onnx2snn {

enum class Form { codes, values, currents };

constexpr std::size_t kSteps = 32;  // timesteps that a tile holds at once

// One call of a layer, for a group of samples whose emissions have been read.
struct Call {
  const LayerPlan& plan;
  const std::vector<SourceInput>& inputs;
  Law law;
  const LayerRows* rows;
  Form form;
  float dense_above;
  std::size_t timesteps, samples;
  std::int64_t stimulus;
  std::int64_t before;  // timesteps that went before this call
  const CarriedState& state;
  void* out;
  Scratch* scratch;
  std::size_t first;  // sample of the group

  StepEvents& events(std::size_t slot, std::size_t t, std::size_t source) const {
    return (*scratch)[(slot * timesteps + t) * inputs.size() + source];
  }
};

// Part of a layer. Sites are counted through all samples of the group.
struct Part {
  std::size_t first, end;              // sites
  std::size_t first_block, end_block;  // blocks of channels
};

// How many sites a part should have.
std::size_t sites_of_part(const Call& call);

void run_part(const Call& call, const Part& part, Workspace& memory);

}  // namespace onnx2snn
