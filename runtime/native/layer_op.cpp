#include "layer_op.h"

#include <algorithm>

#include "neuron_op.h"
#include "tile.h"

namespace onnx2snn {

namespace {

constexpr std::size_t kGroupEntries = 1U << 20U;  // emissions that are read before use
constexpr std::size_t kFewestParts = 8;           // work items of a call, for threads to share

// Counts the events of every timestep, and spreads out those that are dense.
void read_steps(const Context& context, const Call& call, std::size_t slots) {
  const auto sources = call.inputs.size();
  context.parallel(slots * call.timesteps * sources, [&](std::size_t item) {
    const auto source = item % sources;
    const auto t = item / sources % call.timesteps;
    const auto slot = item / sources / call.timesteps;
    const auto& input = call.inputs[source];
    const auto row = t * call.samples + call.first + slot;
    const void* before = t > 0 ? input.at(row - call.samples) : nullptr;
    call.plan.sources[source].read(input.at(row), before, call.dense_above,
                                   call.events(slot, t, source));
  });
  for (std::size_t slot = 0; slot < slots; ++slot) {
    for (std::size_t t = 0; t < call.timesteps; ++t) {
      for (std::size_t s = 0; s < sources; ++s) {
        StepEvents& events = call.events(slot, t, s);
        events.origin = events.repeats ? call.events(slot, t - 1, s).origin : t;
      }
    }
  }
}

void run_parts(const Context& context, const Call& call, std::size_t slots) {
  const auto sites = slots * call.plan.sites.count;
  const auto blocks = call.plan.sites.blocks;
  const auto most = std::min(sites, sites_of_part(call));
  const auto parts = (sites + most - 1) / most;
  const auto cuts = std::min(blocks, (kFewestParts + parts - 1) / parts);
  context.parallel(parts * cuts, [&](std::size_t item) {
    const auto part = item / cuts, cut = item % cuts;
    auto memory = call.plan.workspaces.borrow();
    run_part(call,
             {part * sites / parts, (part + 1) * sites / parts, cut * blocks / cuts,
              (cut + 1) * blocks / cuts},
             *memory);
    call.plan.workspaces.give_back(std::move(memory));
  });
}

void run_call(const Context& context, Call& call) {
  std::size_t entries = 1;
  for (const auto& extent : call.plan.extents) entries += extent.size() * call.timesteps;
  const auto group = std::clamp<std::size_t>(kGroupEntries / entries, 1, call.samples);
  auto scratch = call.plan.scratch.borrow();
  const auto steps = group * call.timesteps * call.inputs.size();
  if (scratch->size() < steps) scratch->resize(steps);
  call.scratch = scratch.get();
  for (call.first = 0; call.first < call.samples; call.first += group) {
    const auto slots = std::min(group, call.samples - call.first);
    read_steps(context, call, slots);
    run_parts(context, call, slots);
  }
  call.plan.scratch.give_back(std::move(scratch));
}

class LayerKernel : public Kernel {
 public:
  LayerKernel(const Info& info, Form form) : form_(form) {
    law_.kind = static_cast<Kind>(info.integer("kind", 0));
    law_.digits = static_cast<int>(info.integer("digits", 1));
    law_.leaky = info.integer("leaky", 0) != 0;
    law_.start = info.number("initial_potential", 0.5F);
    law_.below = info.number("negative_threshold", 0.0F);
    dense_above_ = info.number("dense_above", 0.5F);
    carried_ = info.integer("carried", 0) != 0;
  }

  void compute(const Context& context) override {
    const auto inputs = source_inputs(context);
    const auto plan = holder_.plan_for(inputs, context.input(kScale));
    const auto& shape = inputs.front().emissions.shape;
    const Clock clock(context.input(5), carried_);
    const auto timesteps = clock.steps;
    if (timesteps < 1 || shape[0] % timesteps != 0) {
      throw std::invalid_argument("the rows of a stream must be a multiple of its timesteps");
    }
    Law law = law_;
    law.n_min = context.number(3);
    law.n_max = context.number(4);
    const auto rank = rank_of(inputs);
    std::unique_ptr<LayerRows> rows;
    if (form_ != Form::currents) {
      const auto padded = plan->sites.channels * plan->sites.blocks;
      rows = std::make_unique<LayerRows>(law, context.input(0), context.input(1), context.input(2),
                                         plan->output, rank, padded);
    }
    const auto samples = shape[0] / timesteps;
    const CarriedState state(context, kFirstState, output_shape(*plan, samples, rank), carried_);
    Call call{*plan,
              inputs,
              law,
              rows.get(),
              form_,
              dense_above_,
              static_cast<std::size_t>(timesteps),
              static_cast<std::size_t>(samples),
              context.scalar(6),
              clock.before,
              state,
              context.output(0, output_shape(*plan, shape[0], rank)),
              nullptr,
              0};
    run_call(context, call);
  }

 private:
  static std::size_t rank_of(const std::vector<SourceInput>& inputs) {
    const Geometry geometry(inputs.front().geometry);
    return geometry.link == Link::full ? 2 : inputs.front().emissions.shape.size();
  }

  Shape output_shape(const LayerPlan& plan, std::int64_t rows, std::size_t rank) const {
    const auto height = static_cast<std::int64_t>(plan.output.height);
    const auto width = static_cast<std::int64_t>(plan.output.width);
    const auto channels = static_cast<std::int64_t>(plan.output.channels);
    Shape shape{rows};
    const bool last = form_ != Form::currents;
    if (!last) shape.push_back(channels);
    if (rank == 4) shape.push_back(height);
    if (rank >= 3) shape.push_back(width);
    if (last) shape.push_back(channels);
    return shape;
  }

  Law law_;
  Form form_;
  float dense_above_;
  bool carried_ = false;
  PlanHolder holder_;
};

struct LayerOperator : Operator {
  LayerOperator(const char* name, Form form_)
      : Operator(name, types(),
                 {form_ == Form::codes ? ort::Type::int8 : ort::Type::float32, ort::Type::float32,
                  ort::Type::float32}),
        form(form_) {
    required = kFirstSource + 3;
  }

  static std::vector<ort::Type> types() {
    std::vector<ort::Type> types(kFirstState - 2, ort::Type::float32);
    types.insert(types.end(), 2, ort::Type::int64);
    types.insert(types.end(), kFirstSource - kFirstState, ort::Type::float32);
    for (std::size_t i = 0; i < kMostSources; ++i) {
      types.insert(types.end(), {ort::Type::any, ort::Type::float32, ort::Type::int64});
    }
    return types;
  }

  std::unique_ptr<Kernel> make(const Info& info) const override {
    return std::make_unique<LayerKernel>(info, form);
  }

  Form form;
};

}  // namespace

std::vector<std::unique_ptr<Operator>> layer_operators() {
  std::vector<std::unique_ptr<Operator>> operators;
  operators.push_back(std::make_unique<LayerOperator>("Layer", Form::codes));
  operators.push_back(std::make_unique<LayerOperator>("LayerValues", Form::values));
  operators.push_back(std::make_unique<LayerOperator>("Currents", Form::currents));
  return operators;
}

}  // namespace onnx2snn
