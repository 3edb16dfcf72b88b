#include "layer_plan.h"

#include <algorithm>

namespace onnx2snn {

namespace {

// A full link sees its input as one pixel.
Extent seen(const SourceInput& input, const Geometry& geometry) {
  const Extent extent = input.extent();
  return geometry.link == Link::full ? Extent{1, 1, extent.size()} : extent;
}

// Weights of a full link come in the order [output][channel][y][x]; emissions are channel-last.
std::vector<float> channel_last(const SourceInput& input, const Geometry& geometry) {
  const auto* weights = input.weights.as<float>();
  const Extent extent = input.extent();
  std::vector<float> moved(geometry.outputs * extent.size());
  for (std::size_t o = 0; o < geometry.outputs; ++o) {
    for (std::size_t c = 0; c < extent.channels; ++c) {
      for (std::size_t p = 0; p < extent.pixels(); ++p) {
        moved[(o * extent.pixels() + p) * extent.channels + c] = *weights++;
      }
    }
  }
  return moved;
}

std::size_t outputs_along(const Geometry& geometry, std::size_t axis, std::size_t size) {
  const auto reach = geometry.dilation[axis] * (geometry.kernel[axis] - 1) + 1;
  const auto room = static_cast<std::int64_t>(size) + geometry.before[axis] + geometry.after[axis];
  if (room < reach) throw std::invalid_argument("a kernel is larger than its input");
  return static_cast<std::size_t>((room - reach) / geometry.stride[axis] + 1);
}

Extent output_of(const SourceInput& input) {
  const Geometry geometry(input.geometry);
  const Extent extent = seen(input, geometry);
  if (geometry.link == Link::identity) return extent;
  return {outputs_along(geometry, 0, extent.height), outputs_along(geometry, 1, extent.width),
          geometry.outputs};
}

bool same(const Extent& a, const Extent& b) {
  return a.height == b.height && a.width == b.width && a.channels == b.channels;
}

void check_weights(const SourceInput& input, const Geometry& geometry) {
  const auto channels = seen(input, geometry).channels;
  if (geometry.groups == 0 || channels % geometry.groups || geometry.outputs % geometry.groups) {
    throw std::invalid_argument("the groups of a source do not divide its channels");
  }
  const auto taps = static_cast<std::size_t>(geometry.kernel[0] * geometry.kernel[1]);
  const auto expected = geometry.link == Link::identity
                            ? channels
                            : geometry.outputs * (channels / geometry.groups) * taps;
  if (static_cast<std::size_t>(input.weights.size()) != expected) {
    throw std::invalid_argument("the weights of a source do not fit its input");
  }
}

// One number for each output channel, by lane.
Line<float> lanes_of(const Tensor& numbers, const Extent& output, const Sites& sites) {
  if (static_cast<std::size_t>(numbers.size()) != output.channels) {
    throw std::invalid_argument("a layer needs one scale for each output channel");
  }
  Line<float> lanes(sites.blocks * kRowLanes, 0.0F);
  for (std::size_t c = 0; c < output.channels; ++c) {
    for (std::size_t p = 0; p < sites.shared; ++p) {
      const auto lane = p * sites.channels + c % sites.channels;
      lanes[c / sites.channels * kRowLanes + lane] = numbers.as<float>()[c];
    }
  }
  return lanes;
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

LayerPlan::LayerPlan(const std::vector<SourceInput>& inputs, const Tensor& scales)
    : output(output_of(inputs.front())), sites(output) {
  const bool whole = scales.size() > 0;
  if (whole) scale = lanes_of(scales, output, sites);
  for (const auto& input : inputs) {
    if (!same(output_of(input), output)) {
      throw std::invalid_argument("the sources of a layer differ in shape");
    }
    const Geometry geometry(input.geometry);
    check_weights(input, geometry);
    std::vector<float> moved;
    if (geometry.link == Link::full) moved = channel_last(input, geometry);
    const float* weights = moved.empty() ? input.weights.as<float>() : moved.data();
    extents.push_back(input.extent());
    sources.emplace_back(geometry, weights, seen(input, geometry), output, sites, input.codes(),
                         whole);
  }
}

bool LayerPlan::fits(const std::vector<SourceInput>& inputs) const {
  if (inputs.size() != extents.size()) return false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!same(inputs[i].extent(), extents[i])) return false;
  }
  return true;
}

std::shared_ptr<const LayerPlan> PlanHolder::plan_for(const std::vector<SourceInput>& inputs,
                                                      const Tensor& scale) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (plan_ == nullptr || !plan_->fits(inputs)) plan_ = std::make_shared<LayerPlan>(inputs, scale);
  return plan_;
}

}  // namespace onnx2snn
