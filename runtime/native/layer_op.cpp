#include "layer_op.h"

#include <algorithm>
#include <cstring>

#include "carried_state.h"
#include "layer_plan.h"
#include "layer_rows.h"
#include "neuron_op.h"

namespace onnx2snn {

namespace {

constexpr std::size_t kTileFloats = 512;         // state of one work item: stays in the L1 cache
constexpr std::size_t kSpare = 64;               // pixels of the last weight row past the tile
constexpr std::size_t kGroupEntries = 1U << 19U;  // emissions whose lists are made before use

enum class Form { codes, values, currents };

// One call of a layer.
struct Call {
  const LayerPlan& plan;
  const std::vector<SourceInput>& inputs;
  Law law;
  const LayerRows* rows;
  Form form;
  float dense_above;
  std::size_t timesteps, samples;
  std::int64_t stimulus;
  std::int64_t before;  // timesteps that went before this call
  const CarriedState& state;
  void* out;
  Scratch* scratch;

  StepEvents& events(std::size_t sample, std::size_t t, std::size_t source) const {
    return (*scratch)[(sample * timesteps + t) * inputs.size() + source];
  }
  std::size_t tile_pixels() const { return kTileFloats / plan.tiling.channels; }
  std::size_t tiles_across() const {
    return (plan.output.width + tile_pixels() - 1) / tile_pixels();
  }
};

// Some pixels of one row of outputs, one block of channels, all timesteps of one sample.
class Tile {
 public:
  Tile(const Call& call, std::size_t slot, std::size_t sample, std::size_t block,
       std::size_t place)
      : call_(call), slot_(slot), sample_(sample), block_(block) {
    y_ = place / call.tiles_across();
    x_ = place % call.tiles_across() * call.tile_pixels();
    pixels_ = std::min(call.tile_pixels(), call.plan.output.width - x_);
    channels_ = call.plan.tiling.channels;
    floats_ = pixels_ * channels_;
    const auto& output = call.plan.output;
    kept_ = std::min(channels_, output.channels - block * channels_);
    if (call.form == Form::currents) return;
    load_rows();
    for (std::size_t p = 0; p < pixels_; ++p) {
      call_.state.load(this->place(0, p), kept_, charge_ + p * channels_, count_ + p * channels_);
    }
  }

  void run() {
    bool quiet = false;
    float before = 0.0F;
    for (std::size_t t = 0; t < call_.timesteps; ++t) {
      const bool driven = integrate(t);
      if (call_.form == Form::currents) {
        put_currents(t, driven);
        continue;
      }
      // Without input, without emission before and under the same drive, nothing changes.
      const float g = gain(call_.before + static_cast<std::int64_t>(t) + 1, call_.stimulus);
      if (!driven && quiet && g == before) {
        put_silence(t);
        continue;
      }
      before = g;
      const Rows rows{inverse_, drive_, slope_};
      quiet = !kernels().advance(call_.law, rows, g, sums_, charge_, count_, emission_, floats_);
      quiet ? put_silence(t) : put_emission(t);
    }
    if (call_.form == Form::currents) return;
    for (std::size_t p = 0; p < pixels_; ++p) {
      call_.state.store(place(0, p), kept_, charge_ + p * channels_, count_ + p * channels_);
    }
  }

 private:
  void load_rows() {
    const auto& rows = *call_.rows;
    for (std::size_t p = 0; p < pixels_; ++p) {
      const auto pixel = y_ * call_.plan.output.width + x_ + p;
      const auto from = pixel * rows.pixel_stride + block_ * channels_;
      for (std::size_t c = 0; c < channels_; ++c) {
        inverse_[p * channels_ + c] = rows.inverse[from + c];
        drive_[p * channels_ + c] = rows.drive[from + c];
        slope_[p * channels_ + c] = rows.slope[from + c];
      }
    }
  }

  // Sums the currents of one timestep; says whether any source had events. Where all sources
  // repeat themselves the sums of the timestep before stand.
  bool integrate(std::size_t t) {
    const auto sources = call_.inputs.size();
    bool repeats = true;
    for (std::size_t s = 0; s < sources && t + 1 < call_.timesteps; ++s) {
      call_.plan.sources[s].prefetch(call_.events(slot_, t + 1, s), block_, y_, x_, pixels_);
    }
    for (std::size_t s = 0; s < sources; ++s) {
      repeats &= call_.events(slot_, t, s).repeats;
      if (!call_.events(slot_, t, s).repeats) origin_[s] = t;
    }
    if (repeats) return driven_;
    driven_ = false;
    std::fill_n(sums_, floats_ + kSpare, 0.0F);
    for (std::size_t s = 0; s < sources; ++s) {
      const StepEvents& events = call_.events(slot_, origin_[s], s);
      driven_ |= call_.plan.sources[s].add(events, block_, y_, x_, pixels_, sums_);
    }
    return driven_;
  }

  // Index of the first channel of pixel p in a channel-last output.
  std::size_t place(std::size_t t, std::size_t p) const {
    const auto& output = call_.plan.output;
    const auto row = t * call_.samples + sample_;
    const auto pixel = (row * output.height + y_) * output.width + x_ + p;
    return pixel * output.channels + block_ * channels_;
  }

  void put_silence(std::size_t t) {
    const auto width = call_.form == Form::codes ? sizeof(std::int8_t) : sizeof(float);
    for (std::size_t p = 0; p < pixels_; ++p) {
      std::memset(static_cast<char*>(call_.out) + place(t, p) * width, 0, kept_ * width);
    }
  }

  void put_emission(std::size_t t) {
    if (call_.form == Form::codes && channels_ == call_.plan.output.channels) {
      kernels().encode(emission_, static_cast<std::int8_t*>(call_.out) + place(t, 0), floats_);
      return;
    }
    for (std::size_t p = 0; p < pixels_; ++p) {
      const float* from = emission_ + p * channels_;
      if (call_.form == Form::codes) {
        kernels().encode(from, static_cast<std::int8_t*>(call_.out) + place(t, p), kept_);
      } else {
        std::copy_n(from, kept_, static_cast<float*>(call_.out) + place(t, p));
      }
    }
  }

  void put_currents(std::size_t t, bool driven) {
    const auto& output = call_.plan.output;
    const auto row = t * call_.samples + sample_;
    for (std::size_t c = 0; c < kept_; ++c) {
      const auto channel = row * output.channels + block_ * channels_ + c;
      float* to = static_cast<float*>(call_.out) + channel * output.pixels() + y_ * output.width + x_;
      for (std::size_t p = 0; p < pixels_; ++p) to[p] = driven ? sums_[p * channels_ + c] : 0.0F;
    }
  }

  const Call& call_;
  std::size_t slot_, sample_, block_, y_, x_, pixels_, channels_, floats_, kept_;
  alignas(64) float charge_[kTileFloats] = {}, count_[kTileFloats] = {}, emission_[kTileFloats];
  alignas(64) float inverse_[kTileFloats], drive_[kTileFloats], slope_[kTileFloats];
  alignas(64) float sums_[kTileFloats + kSpare];
  std::size_t origin_[kMostSources] = {};  // timestep whose events still stand, by source
  bool driven_ = false;
};

void run_call(const Context& context, Call& call) {
  std::size_t entries = 1;
  for (const auto& extent : call.plan.extents) entries += extent.size() * call.timesteps;
  const auto group = std::clamp<std::size_t>(kGroupEntries / entries, 1, call.samples);
  const auto sources = call.inputs.size();
  const auto places = call.plan.output.height * call.tiles_across();
  const auto blocks = call.plan.tiling.blocks;
  auto scratch = call.plan.borrow();
  if (scratch->size() < group * call.timesteps * sources) {
    scratch->resize(group * call.timesteps * sources);
  }
  call.scratch = scratch.get();
  for (std::size_t first = 0; first < call.samples; first += group) {
    const auto slots = std::min(group, call.samples - first);
    context.parallel(slots * call.timesteps * sources, [&](std::size_t item) {
      const auto source = item % sources;
      const auto t = item / sources % call.timesteps;
      const auto slot = item / sources / call.timesteps;
      const auto& input = call.inputs[source];
      const auto row = t * call.samples + first + slot;
      const void* before = t > 0 ? input.at(row - call.samples) : nullptr;
      call.plan.sources[source].read(input.at(row), before, call.dense_above,
                                     call.events(slot, t, source));
    });
    context.parallel(slots * places * blocks, [&](std::size_t item) {
      const auto block = item / (slots * places);
      const auto slot = item / places % slots;
      Tile(call, slot, first + slot, block, item % places).run();
    });
  }
  call.plan.give_back(std::move(scratch));
}

class LayerKernel : public Kernel {
 public:
  LayerKernel(const Info& info, Form form) : form_(form) {
    law_.kind = static_cast<Kind>(info.integer("kind", 0));
    law_.digits = static_cast<int>(info.integer("digits", 1));
    law_.leaky = info.integer("leaky", 0) != 0;
    law_.start = info.number("initial_potential", 0.5F);
    law_.below = info.number("negative_threshold", 0.0F);
    dense_above_ = info.number("dense_above", 0.35F);
    carried_ = info.integer("carried", 0) != 0;
  }

  void compute(const Context& context) override {
    const auto inputs = source_inputs(context);
    const auto plan = holder_.plan_for(inputs);
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
      const auto padded = plan->tiling.channels * plan->tiling.blocks;
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
              nullptr};
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
