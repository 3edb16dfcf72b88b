#include "layer_plan.h"

namespace onnx2snn {

namespace {

// A full link is a convolution whose kernel covers the whole input.
Geometry settled(const SourceInput& input) {
  Geometry geometry(input.geometry);
  if (geometry.link == Link::full) {
    geometry.kernel[0] = static_cast<std::int64_t>(input.extent().height);
    geometry.kernel[1] = static_cast<std::int64_t>(input.extent().width);
  }
  return geometry;
}

std::size_t outputs_along(const Geometry& geometry, std::size_t axis, std::size_t size) {
  const auto reach = geometry.dilation[axis] * (geometry.kernel[axis] - 1) + 1;
  const auto room = static_cast<std::int64_t>(size) + geometry.before[axis] + geometry.after[axis];
  if (room < reach) throw std::invalid_argument("a kernel is larger than its input");
  return static_cast<std::size_t>((room - reach) / geometry.stride[axis] + 1);
}

Extent output_of(const SourceInput& input) {
  const Geometry geometry = settled(input);
  const Extent extent = input.extent();
  if (geometry.link == Link::identity) return extent;
  return {outputs_along(geometry, 0, extent.height), outputs_along(geometry, 1, extent.width),
          static_cast<std::size_t>(geometry.outputs)};
}

bool same(const Extent& a, const Extent& b) {
  return a.height == b.height && a.width == b.width && a.channels == b.channels;
}

void check_weights(const SourceInput& input, const Geometry& geometry) {
  const auto channels = static_cast<std::int64_t>(input.extent().channels);
  const auto taps = geometry.kernel[0] * geometry.kernel[1];
  const auto expected = geometry.link == Link::identity    ? channels
                        : geometry.link == Link::depthwise ? channels * taps
                                                           : geometry.outputs * channels * taps;
  if (input.weights.size() != expected) {
    throw std::invalid_argument("the weights of a source do not fit its input");
  }
}

}  // namespace

Extent SourceInput::extent() const {
  const auto& shape = emissions.shape;
  const auto size = [&](std::size_t axis) { return static_cast<std::size_t>(shape[axis]); };
  switch (shape.size()) {
    case 2:
      return {1, 1, size(1)};
    case 3:
      return {1, size(1), size(2)};
    case 4:
      return {size(1), size(2), size(3)};
    default:
      throw std::invalid_argument("emissions have two to four axes");
  }
}

const void* SourceInput::at(std::size_t row) const {
  const auto place = row * extent().size();
  if (codes()) return emissions.as<std::int8_t>() + place;
  return emissions.as<float>() + place;
}

std::vector<SourceInput> source_inputs(const Context& context) {
  std::vector<SourceInput> sources;
  for (std::size_t i = kFirstSource; i + 2 < context.inputs(); i += 3) {
    SourceInput source{context.input(i), context.input(i + 1), context.input(i + 2)};
    if (!source.emissions.given()) break;
    sources.push_back(std::move(source));
  }
  if (sources.empty()) throw std::invalid_argument("a layer needs a source");
  return sources;
}

LayerPlan::LayerPlan(const std::vector<SourceInput>& inputs)
    : output(output_of(inputs.front())), tiling(output.channels, output.width) {
  for (const auto& input : inputs) {
    if (!same(output_of(input), output)) {
      throw std::invalid_argument("the sources of a layer differ in shape");
    }
    const Geometry geometry = settled(input);
    check_weights(input, geometry);
    extents.push_back(input.extent());
    sources.emplace_back(geometry, input.weights, input.extent(), output, tiling, input.codes());
  }
}

bool LayerPlan::fits(const std::vector<SourceInput>& inputs) const {
  if (inputs.size() != extents.size()) return false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!same(inputs[i].extent(), extents[i])) return false;
  }
  return true;
}

std::unique_ptr<Scratch> LayerPlan::borrow() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (idle_.empty()) return std::make_unique<Scratch>();
  auto scratch = std::move(idle_.back());
  idle_.pop_back();
  return scratch;
}

void LayerPlan::give_back(std::unique_ptr<Scratch> scratch) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  idle_.push_back(std::move(scratch));
}

std::shared_ptr<const LayerPlan> PlanHolder::plan_for(const std::vector<SourceInput>& inputs) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (plan_ == nullptr || !plan_->fits(inputs)) plan_ = std::make_shared<LayerPlan>(inputs);
  return plan_;
}

}  // namespace onnx2snn
