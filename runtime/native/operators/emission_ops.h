// Operators on emissions in channel-last form: into it, out of it, and pools of it.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "abi/operator.h"

namespace onnx2snn {

// Emissions of one row as floats, decoded if they are codes.
const float* row_values(const Tensor& emissions, std::size_t row, std::size_t size,
                        std::vector<float>& buffer);

std::vector<std::unique_ptr<Operator>> encode_operators();
std::vector<std::unique_ptr<Operator>> decode_operators();
std::vector<std::unique_ptr<Operator>> pool_operators();

}  // namespace onnx2snn
