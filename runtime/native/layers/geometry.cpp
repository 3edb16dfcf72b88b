#include "layers/geometry.h"

#include <stdexcept>

namespace onnx2snn {

namespace {

std::size_t outputs_along(const Geometry& geometry, std::size_t axis, std::size_t size) {
  const auto reach = geometry.dilation[axis] * (geometry.kernel[axis] - 1) + 1;
  const auto room = as_offset(size) + geometry.before[axis] + geometry.after[axis];
  if (room < reach) throw std::invalid_argument("a kernel is larger than its input");
  return as_size((room - reach) / geometry.stride[axis] + 1);
}

}  // namespace

Geometry::Geometry(const Tensor& tensor) {
  if (tensor.size() != 16) throw std::invalid_argument("a source needs 16 numbers of geometry");
  const auto* told = tensor.as<std::int64_t>();
  link = static_cast<Link>(told[0]);
  unit = told[1] != 0;
  outputs = static_cast<std::size_t>(told[2]);
  groups = static_cast<std::size_t>(told[3]);
  std::size_t i = 4;
  for (auto* pair : {kernel, stride, dilation, before, after, pool}) {
    pair[0] = told[i++];
    pair[1] = told[i++];
  }
  if (pool[0] < 1 || pool[1] < 1) throw std::invalid_argument("a pool sums at least one emission");
}

Extent Geometry::pooled(const Extent& input) const {
  return {input.height / as_size(pool[0]), input.width / as_size(pool[1]), input.channels};
}

Extent Geometry::output(const Extent& input) const {
  const Extent extent = pooled(input);
  if (link == Link::identity || link == Link::held) return extent;
  return {outputs_along(*this, 0, extent.height), outputs_along(*this, 1, extent.width), outputs};
}

Sites::Sites(const Extent& output) {
  shared = output.channels <= kRowLanes / 2 && output.width > 1 ? 2 : 1;
  channels = kRowLanes / shared;
  blocks = (output.channels + channels - 1) / channels;
  across = (output.width + shared - 1) / shared;
  count = across * output.height;
}

}  // namespace onnx2snn
