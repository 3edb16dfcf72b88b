// Operators on emissions in channel-last form: into it, out of it, and pools of it.
#pragma once

#include <memory>
#include <vector>

#include "operator.h"

namespace onnx2snn {

std::vector<std::unique_ptr<Operator>> code_operators();

}  // namespace onnx2snn
