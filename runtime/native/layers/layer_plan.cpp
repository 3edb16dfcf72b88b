#include "layers/layer_plan.h"

#include <algorithm>

namespace onnx2snn {

namespace {

// A current that is held comes channel-first.
Extent held_extent(const Shape& shape) {
  if (shape.size() < 2 || shape.size() > 4)
    throw std::invalid_argument("currents have two to four axes");
  const auto size = [&](std::size_t axis) { return static_cast<std::size_t>(shape[axis]); };
  return {shape.size() > 3 ? size(2) : 1, shape.size() > 2 ? size(shape.size() - 1) : 1, size(1)};
}

// A full link sees its input as one pixel.
Extent seen(const SourceInput& input, const Geometry& geometry) {
  const Extent extent = input.extent();
  if (geometry.link == Link::held) return held_extent(input.emissions.shape);
  return geometry.link == Link::full ? Extent{1, 1, extent.size()} : extent;
}

Extent output_of(const SourceInput& input) {
  const Geometry geometry(input.geometry);
  return geometry.output(seen(input, geometry));
}

void check_weights(const SourceInput& input, const Geometry& geometry) {
  const auto channels = seen(input, geometry).channels;
  if (geometry.groups == 0 || channels % geometry.groups || geometry.outputs % geometry.groups) {
    throw std::invalid_argument("the groups of a source do not divide its channels");
  }
  if (geometry.link == Link::held) return;  // it has none
  const auto taps = static_cast<std::size_t>(geometry.kernel[0] * geometry.kernel[1]);
  const auto expected = geometry.link == Link::identity
                            ? channels
                            : geometry.outputs * (channels / geometry.groups) * taps;
  if (static_cast<std::size_t>(input.weights.size()) != expected) {
    throw std::invalid_argument("the weights of a source do not fit its input");
  }
}

// Whether the rows of a source, if there are any, can be those of two blocks: lists are the same
// for all blocks, and unit events have rows of bytes.
bool can_be_paired(const SourceInput& input) {
  const Geometry geometry(input.geometry);
  if (geometry.link == Link::identity) return true;
  const bool listed = geometry.link == Link::convolution || geometry.link == Link::full;
  const bool unit =
      input.coding() == Coding::bits || (geometry.unit && input.coding() == Coding::codes);
  return listed && unit && geometry.groups == 1;
}

// One number for each output channel, by lane.
Line<float> lanes_of(const Tensor& numbers, const Extent& output, const Sites& sites) {
  if (static_cast<std::size_t>(numbers.size()) != output.channels) {
    throw std::invalid_argument("a layer needs one scale for each output channel");
  }
  Line<float> lanes(rounded_up(sites.blocks, 2) * kRowLanes, 0.0F);
  for (std::size_t c = 0; c < output.channels; ++c) {
    for (std::size_t p = 0; p < sites.shared; ++p) {
      const auto lane = p * sites.channels + c % sites.channels;
      lanes[c / sites.channels * kRowLanes + lane] = numbers.as<float>()[c];
    }
  }
  return lanes;
}

}  // namespace

Coding SourceInput::coding() const {
  if (emissions.type == ort::Type::uint8) return Coding::bits;
  return emissions.type == ort::Type::int8 ? Coding::codes : Coding::values;
}

Extent SourceInput::extent() const {
  const auto& shape = emissions.shape;
  const auto size = [&](std::size_t axis) {
    const bool bits = axis + 1 == shape.size() && coding() == Coding::bits;
    return static_cast<std::size_t>(shape[axis]) * (bits ? 8 : 1);
  };
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
  if (coding() == Coding::bits) return emissions.as<std::uint8_t>() + place / 8;
  if (coding() == Coding::codes) return emissions.as<std::int8_t>() + place;
  return emissions.as<float>() + place;
}

std::vector<SourceInput> source_inputs(const Context& context) {
  std::vector<SourceInput> sources;
  for (std::size_t i = kFirstSource; i + 3 < context.inputs(); i += kSourceInputs) {
    SourceInput source{context.input(i), context.input(i + 1), context.input(i + 2),
                       context.input(i + 3)};
    if (!source.emissions.given()) break;
    if (source.active.size() > 0 && source.active.size() != source.emissions.shape[0]) {
      throw std::invalid_argument("a source needs to know of each row whether it is active");
    }
    sources.push_back(std::move(source));
  }
  if (sources.empty()) throw std::invalid_argument("a layer needs a source");
  return sources;
}

LayerPlan::LayerPlan(const std::vector<SourceInput>& inputs, const Tensor& scales, bool tiles)
    : output(output_of(inputs.front())), sites(output) {
  const bool whole = scales.size() > 0;
  if (whole) scale = lanes_of(scales, output, sites);
  paired = whole && sites.blocks > 1;
  for (const auto& input : inputs) paired &= can_be_paired(input);
  for (const auto& input : inputs) {
    if (!(output_of(input) == output)) {
      throw std::invalid_argument("the sources of a layer differ in shape");
    }
    const Geometry geometry(input.geometry);
    check_weights(input, geometry);
    extents.push_back(input.extent());
    const bool flat = geometry.link == Link::full;
    const Packing packing{tiles, whole, paired, flat ? input.extent().pixels() : 1};
    sources.emplace_back(geometry, input.weights.as<float>(), seen(input, geometry), output, sites,
                         input.coding(), packing);
  }
}

bool LayerPlan::fits(const std::vector<SourceInput>& inputs) const {
  if (inputs.size() != extents.size()) return false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!(inputs[i].extent() == extents[i])) return false;
  }
  return true;
}

bool LayerPlan::one_list() const {
  std::size_t lists = 0;
  for (const auto& source : sources) {
    if (source.listed()) lists += source.cut().chunks();
    if (source.depthwise()) lists += 2;
  }
  return lists == 1;
}

}  // namespace onnx2snn
