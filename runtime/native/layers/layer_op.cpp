#include "layers/layer_op.h"

#include <algorithm>

#include "layers/tile.h"
#include "memory/holder.h"
#include "operators/neuron_op.h"

namespace onnx2snn {

namespace {

constexpr std::size_t kMarks = 3;  // the output that says which rows have an emission
// Emissions that are read before use: few enough to stay in a near cache, but threads need a share.
constexpr std::size_t kGroupAlone = 1U << 17U, kGroupShared = 1U << 19U;
constexpr std::size_t kMostKept = 16U << 20U;  // bytes of scratch memory, from call to call
constexpr std::size_t kFewestParts = 8;        // work items of a call, for threads to share

// Counts the events of every timestep, and spreads out those that are dense.
void read_steps(const Context& context, const Call& call) {
  const auto sources = call.inputs.size();
  context.parallel(call.slots * call.timesteps * sources, [&](std::size_t item) {
    const auto s = item % sources;
    const auto t = item / sources % call.timesteps;
    const auto slot = item / sources / call.timesteps;
    const auto& input = call.inputs[s];
    const auto& source = call.plan.sources[s];
    const auto row = t * call.samples + call.first + slot;
    StepEvents& events = call.events(slot, t, s);
    if (input.silent(row)) {
      events.count = 0;
      return;
    }
    const float bar = call.dense_above < 0.0F ? source.dense_above() : call.dense_above;
    source.read(input.at(row), bar, events);
  });
}

// The currents of dense steps that go by tiles, those of all timesteps together.
void convolve_steps(const Context& context, const Call& call) {
  for (std::size_t s = 0; s < call.inputs.size(); ++s) {
    std::vector<StepEvents*> planes;
    for (std::size_t i = 0; i < call.slots * call.timesteps; ++i) {
      StepEvents& events = call.events(i / call.timesteps, i % call.timesteps, s);
      if (events.count > 0 && events.tiled) planes.push_back(&events);
    }
    if (planes.empty()) continue;
    const Winograd& tiles = *call.plan.sources[s].tiles();
    const auto count = planes.size() * tiles.tiles(), together = tiles.tiles_at_once();
    context.parallel((count + together - 1) / together, [&](std::size_t item) {
      auto memory = call.plan.tile_memory.borrow();
      tiles.convolve(planes, item * together, std::min(count, (item + 1) * together), *memory);
      call.plan.tile_memory.give_back(std::move(memory));
    });
  }
}

// What is to be done at the timesteps of a stretch, for one source of one sample.
void plan_steps(const Call& call, std::size_t stretch, std::size_t slot, std::size_t s) {
  SourceSteps& to = call.steps(stretch, slot, s);
  const Source& source = call.plan.sources[s];
  to.planes.unit = source.reader().unit();
  to.planes.codes = source.reader().codes();
  to.listed = to.dense = to.current = 0;
  const auto first = stretch * kSteps;
  for (std::size_t t = 0; t < std::min(kSteps, call.timesteps - first); ++t) {
    const StepEvents& events = call.events(slot, first + t, s);
    to.events[t] = &events;
    to.planes.bits[t] = events.bits.data();
    to.planes.emissions[t] = events.emissions;
    if (events.count == 0 || source.held()) continue;
    auto& mask = source.current() ? to.current : events.dense ? to.dense : to.listed;
    mask |= 1U << t;
  }
}

void run_parts(const Context& context, const Call& call, std::size_t fewest) {
  const auto sites = call.slots * call.plan.sites.count;
  const auto together = call.plan.blocks_at_once();
  const auto blocks = (call.plan.sites.blocks + together - 1) / together;
  const auto most = std::min(sites, sites_of_part(call));
  const auto parts = (sites + most - 1) / most;
  const auto cuts = std::min(blocks, (fewest + parts - 1) / parts);
  context.parallel(parts * cuts, [&](std::size_t item) {
    const auto part = item / cuts, cut = item % cuts;
    auto memory = call.plan.workspaces.borrow();
    run_part(call,
             {part * sites / parts, (part + 1) * sites / parts, cut * blocks / cuts * together,
              std::min(call.plan.sites.blocks, (cut + 1) * blocks / cuts * together)},
             *memory);
    call.plan.workspaces.give_back(std::move(memory));
  });
}

void run_call(const Context& context, Call& call, bool alone) {
  std::size_t entries = 1;
  for (const auto& extent : call.plan.extents) entries += extent.size() * call.timesteps;
  const auto group =
      std::clamp<std::size_t>((alone ? kGroupAlone : kGroupShared) / entries, 1, call.samples);
  auto scratch = call.plan.scratch.borrow();
  const auto sources = call.inputs.size(), stretches = (call.timesteps + kSteps - 1) / kSteps;
  if (scratch->events.size() < group * call.timesteps * sources)
    scratch->events.resize(group * call.timesteps * sources);
  scratch->steps.resize(stretches * group * sources);
  call.scratch = scratch.get();
  for (call.first = 0; call.first < call.samples; call.first += group) {
    call.slots = std::min(group, call.samples - call.first);
    read_steps(context, call);
    convolve_steps(context, call);
    for (std::size_t i = 0; i < stretches * call.slots * sources; ++i)
      plan_steps(call, i / sources / call.slots, i / sources % call.slots, i % sources);
    run_parts(context, call, alone ? 1 : kFewestParts);
  }
  if (scratch->bytes() <= kMostKept) call.plan.scratch.give_back(std::move(scratch));
}

class LayerKernel : public Kernel {
 public:
  LayerKernel(const Info& info, Form form) : law_(law_told(info)), form_(form) {
    dense_above_ = info.number("dense_above", -1.0F);
    tiles_ = info.integer("tiles", 1) != 0;
    alone_ = info.integer("threads", 0) == 1;
    marks_ = info.integer("marks", 0) != 0;
    carried_ = info.integer("carried", 0) != 0;
    for (std::size_t i = 0; i < 3; ++i) constant_ &= info.constant(i).given();
  }

  void compute(const Context& context) override {
    const auto inputs = source_inputs(context);
    const auto plan = plans_.find(
        [&](const LayerPlan& kept) { return kept.fits(inputs); },
        [&] { return std::make_shared<LayerPlan>(inputs, context.input(kScale), tiles_); });
    const auto& shape = inputs.front().emissions.shape;
    const Clock clock(context.input(5), carried_);
    const auto timesteps = clock.steps;
    const bool held = plan->sources.front().held();
    if (held && inputs.size() > 1)
      throw std::invalid_argument("a current that is held stands alone");
    if (timesteps < 1 || (!held && shape[0] % timesteps != 0)) {
      throw std::invalid_argument("the rows of a stream must be a multiple of its timesteps");
    }
    Law law = law_;
    law.n_min = context.number(3);
    law.n_max = context.number(4);
    const auto rank = rank_of(inputs);
    if (form_ == Form::bits && plan->output.channels % 8 != 0) {
      throw std::invalid_argument("emissions fill whole bytes of bits");
    }
    std::shared_ptr<const LayerRows> rows;
    if (form_ != Form::currents) rows = rows_of(context, law, *plan, rank);
    const auto samples = held ? shape[0] : shape[0] / timesteps;
    const auto out_rows = form_ == Form::total ? samples : samples * timesteps;
    std::int8_t* active = nullptr;
    if (marks_) {
      active = static_cast<std::int8_t*>(context.output(kMarks, {out_rows}));
      std::fill_n(active, out_rows, 0);
    }
    const CarriedState state(context, kFirstState, channel_last(*plan, samples, rank), carried_);
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
              context.output(0, output_shape(*plan, out_rows, rank)),
              active,
              nullptr,
              0,
              0};
    run_call(context, call, alone_);
  }

 private:
  // Kept from call to call where all parameters are constants.
  std::shared_ptr<const LayerRows> rows_of(const Context& context, const Law& law,
                                           const LayerPlan& plan, std::size_t rank) {
    const auto padded = plan.sites.channels * plan.sites.blocks;
    const auto fits = [&](const LayerRows& kept) {
      return constant_ && kept.fits(plan.output, rank, padded);
    };
    return rows_.find(fits, [&] {
      return std::make_shared<LayerRows>(law, context.input(0), context.input(1), context.input(2),
                                         plan.output, rank, padded);
    });
  }

  static std::size_t rank_of(const std::vector<SourceInput>& inputs) {
    const Geometry geometry(inputs.front().geometry);
    return geometry.link == Link::full ? 2 : inputs.front().emissions.shape.size();
  }

  Shape output_shape(const LayerPlan& plan, std::int64_t rows, std::size_t rank) const {
    Shape shape = channel_last(plan, rows, rank);
    if (form_ == Form::bits) shape.back() /= 8;
    const bool first = form_ == Form::currents || form_ == Form::total;  // channels come first
    if (first) std::rotate(shape.begin() + 1, shape.end() - 1, shape.end());
    return shape;
  }

  static Shape channel_last(const LayerPlan& plan, std::int64_t rows, std::size_t rank) {
    Shape shape{rows};
    if (rank == 4) shape.push_back(static_cast<std::int64_t>(plan.output.height));
    if (rank >= 3) shape.push_back(static_cast<std::int64_t>(plan.output.width));
    shape.push_back(static_cast<std::int64_t>(plan.output.channels));
    return shape;
  }

  Law law_;
  Form form_;
  float dense_above_;
  bool tiles_ = true, carried_ = false, alone_ = false, marks_ = false;
  bool constant_ = true;  // the parameters of the neurons
  Holder<LayerPlan> plans_;
  Holder<LayerRows> rows_;
};

struct LayerOperator : Operator {
  LayerOperator(const char* name, Form form_)
      : Operator(name, types(),
                 {type_of(form_), ort::Type::float32, ort::Type::float32, ort::Type::int8}),
        form(form_) {
    required = kFirstSource + kSourceInputs;
  }

  static ort::Type type_of(Form form) {
    if (form == Form::bits) return ort::Type::uint8;
    return form == Form::codes ? ort::Type::int8 : ort::Type::float32;
  }

  static std::vector<ort::Type> types() {
    std::vector<ort::Type> types(kFirstState - 2, ort::Type::float32);
    types.insert(types.end(), 2, ort::Type::int64);
    types.insert(types.end(), kFirstSource - kFirstState, ort::Type::float32);
    for (std::size_t i = 0; i < kMostSources; ++i) {
      types.insert(types.end(),
                   {ort::Type::any, ort::Type::float32, ort::Type::int64, ort::Type::int8});
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
  operators.push_back(std::make_unique<LayerOperator>("LayerBits", Form::bits));
  operators.push_back(std::make_unique<LayerOperator>("LayerTotal", Form::total));
  operators.push_back(std::make_unique<LayerOperator>("Currents", Form::currents));
  return operators;
}

}  // namespace onnx2snn
