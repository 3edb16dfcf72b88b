// The kernels for portable.
#include "kernels.h"

#include <cstring>

namespace onnx2snn::portable {
namespace {

constexpr std::size_t kWidth = 4;
constexpr std::size_t kMostLanes = 32;

#include "neuron_law.inc"

}  // namespace

extern const Kernels table;
const Kernels table = {"portable", kMostLanes, advance};

}  // namespace onnx2snn::portable
