// Fused layers of the domain `onnx2snn.engine`: synapses, residual adds and neurons in one pass.
#pragma once

#include <memory>
#include <vector>

#include "abi/operator.h"

namespace onnx2snn {

std::vector<std::unique_ptr<Operator>> layer_operators();

}  // namespace onnx2snn
