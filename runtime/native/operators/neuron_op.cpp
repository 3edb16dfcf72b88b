#include "operators/neuron_op.h"

#include <algorithm>

#include "operators/carried_state.h"
namespace onnx2snn {

Law law_told(const Info& info) {
  Law law;
  law.kind = static_cast<Kind>(info.integer("kind", 0));
  law.digits = static_cast<int>(info.integer("digits", 1));
  law.leaky = info.integer("leaky", 0) != 0;
  law.start = info.number("initial_potential", 0.5F);
  law.below = info.number("negative_threshold", 0.0F);
  return law;
}

float gain(std::int64_t t, std::int64_t stimulus) {
  return static_cast<float>(std::min(t, stimulus));
}

Expanded::Expanded(const Law& law, const Tensor& quantum_, const Tensor& current,
                   const Tensor& slope_, const Shape& stream)
    : quantum(broadcast(quantum_, stream)), inverse(quantum), drive(broadcast(current, stream)) {
  for (auto& value : inverse) value = 1.0F / value;
  if (law.leaky) {
    slope = broadcast(slope_, stream);
  } else {
    for (std::size_t i = 0; i < drive.size(); ++i) drive[i] *= inverse[i];
  }
}

namespace {

constexpr std::size_t kTile = 1024;  // neurons whose state stays in the first-level cache

class NeuronKernel : public Kernel {
 public:
  NeuronKernel(Law law, const Info& info, bool carried) : law_(law), carried_(carried) {
    law_.start = law.kind == Kind::graded ? 0.5F : info.number("initial_potential", 0.5F);
    law_.below = info.number("negative_threshold", 0.0F);
  }

  void compute(const Context& context) override {
    const std::size_t first_row = carried_ ? 3 : 1;
    std::size_t next = first_row + 2;
    const Tensor x = context.input(0);
    const Tensor slope = law_.leaky ? context.input(next++) : Tensor{};
    Law law = law_;
    law.n_min = context.number(next++);
    law.n_max = context.number(next++);
    const Clock clock(context.input(next++), carried_);
    const auto stimulus = context.scalar(next);
    const Shape stream = x.shape.empty() ? Shape{1} : x.shape;
    if (clock.steps < 1 || stream[0] % clock.steps != 0) {
      throw std::invalid_argument("the rows of a stream must be a multiple of its timesteps");
    }
    const Expanded rows(law, context.input(first_row), context.input(first_row + 1), slope, stream);
    auto* y = static_cast<float*>(context.output(0, x.shape));
    const auto features = static_cast<std::size_t>(product(stream, 1));
    const auto samples = static_cast<std::size_t>(stream[0] / clock.steps);
    Shape kept(x.shape);
    if (!kept.empty()) kept[0] = static_cast<std::int64_t>(samples);
    const CarriedState state(context, 1, kept, carried_);
    const auto tiles = (features + kTile - 1) / kTile;
    context.parallel(samples * tiles, [&](std::size_t item) {
      const auto first = item % tiles * kTile;
      const auto n = std::min(kTile, features - first);
      alignas(64) float charge[kTile] = {}, count[kTile] = {}, emission[kTile];
      const auto place = item / tiles * features + first;
      state.load(place, n, charge, count);
      for (std::int64_t k = 0; k < clock.steps; ++k) {
        const auto at = static_cast<std::size_t>(k) * samples * features + place;
        kernels().advance(law, rows.at(first), gain(clock.before + k + 1, stimulus),
                          x.as<float>() + at, charge, count, emission, n);
        for (std::size_t i = 0; i < n; ++i) y[at + i] = emission[i] * rows.quantum[first + i];
      }
      state.store(place, n, charge, count);
    });
  }

 private:
  Law law_;
  bool carried_;
};

struct NeuronOperator : Operator {
  NeuronOperator(const std::string& name, Law law_, bool carried_)
      : Operator(name, types(law_.leaky, carried_),
                 std::vector<ort::Type>(carried_ ? 3 : 1, ort::Type::float32)),
        law(law_),
        carried(carried_) {}

  static std::vector<ort::Type> types(bool leaky, bool carried) {
    std::vector<ort::Type> types((leaky ? 6U : 5U) + (carried ? 2U : 0U), ort::Type::float32);
    types.insert(types.end(), 2, ort::Type::int64);
    return types;
  }

  std::unique_ptr<Kernel> make(const Info& info) const override {
    return std::make_unique<NeuronKernel>(law, info, carried);
  }

  Law law;
  bool carried;
};

}  // namespace

std::vector<std::unique_ptr<Operator>> neuron_operators() {
  constexpr int kMostDigits = 8;
  std::vector<std::unique_ptr<Operator>> operators;
  for (const bool leaky : {false, true}) {
    const std::string soma = leaky ? "_PRelu" : "";
    const auto add = [&](const std::string& name, Kind kind, int digits) {
      Law law;
      law.kind = kind;
      law.digits = digits;
      law.leaky = leaky;
      operators.push_back(std::make_unique<NeuronOperator>(name, law, false));
      operators.push_back(std::make_unique<NeuronOperator>(name + "_Step", law, true));
      operators.push_back(std::make_unique<NeuronOperator>(name + "_Chunk", law, true));
    };
    add("IntegrateFire" + soma, Kind::binary, 1);
    add("SignedIntegrateFire" + soma, Kind::ternary, 1);
    for (int k = 1; k <= kMostDigits; ++k) {
      const std::string digits = k > 1 ? "_x" + std::to_string(k) : "";
      add("GradedIntegrateFire" + soma + digits, Kind::graded, k);
    }
  }
  return operators;
}

}  // namespace onnx2snn
