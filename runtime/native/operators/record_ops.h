// Counting the events of a stream: by segment of time and unit, by timestep and sample, by unit.
#pragma once

#include <memory>
#include <vector>

#include "abi/operator.h"

namespace onnx2snn {

// The function bodies of ir/derive/record.py as operators: dense streams in activation units.
std::vector<std::unique_ptr<Operator>> stream_counters();

// The same on the emissions of fused layers, where they are.
std::vector<std::unique_ptr<Operator>> emission_counters();

}  // namespace onnx2snn
