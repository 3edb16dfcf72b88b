// The operator that multiplies a constant input by weights of one byte.
#pragma once

#include <memory>
#include <vector>

#include "abi/operator.h"

namespace onnx2snn {

std::vector<std::unique_ptr<Operator>> held_product_operators();

}  // namespace onnx2snn
