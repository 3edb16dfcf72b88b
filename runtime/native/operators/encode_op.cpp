#include <algorithm>

#include "kernels/kernels.h"
#include "operators/carried_state.h"
#include "operators/emission_ops.h"
#include "operators/neuron_op.h"

namespace onnx2snn {

namespace {

Shape channel_last(const Shape& shape) {
  Shape last(shape);
  std::rotate(last.begin() + 1, last.begin() + 2, last.end());
  return last;
}

// Neurons on a dense stream [T*N, C, *S], or on a current [N, C, *S] that is held during the
// stimulus; emits codes or values, channel-last.
class EncodeKernel : public Kernel {
 public:
  EncodeKernel(const Info& info, bool codes)
      : law_(law_told(info)),
        codes_(codes),
        held_(info.integer("held", 0) != 0),
        carried_(info.integer("carried", 0) != 0) {}

  void compute(const Context& context) override {
    const Tensor x = context.input(0);
    Law law = law_;
    law.n_min = context.number(4);
    law.n_max = context.number(5);
    const Clock clock(context.input(6), carried_);
    const auto timesteps = clock.steps;
    const auto stimulus = context.scalar(7);
    if (x.shape.size() < 2 || timesteps < 1 || (!held_ && x.shape[0] % timesteps != 0)) {
      throw std::invalid_argument("the rows of a stream must be a multiple of its timesteps");
    }
    const Expanded given(law, context.input(1), context.input(2), context.input(3), x.shape);
    const auto channels = static_cast<std::size_t>(x.shape[1]);
    const auto features = static_cast<std::size_t>(product(x.shape, 1));
    const Layout layout{channels, channels == 0 ? 0 : features / channels};
    const auto inverse = layout.moved(given.inverse), drive = layout.moved(given.drive);
    const auto slope = layout.moved(given.slope);
    Shape shape = channel_last(x.shape);
    if (held_) shape[0] *= timesteps;
    void* out = context.output(0, shape);
    const auto samples = static_cast<std::size_t>(shape[0] / timesteps);
    const auto tiles = (features + kTile - 1) / kTile;
    Shape kept(x.shape);
    kept[0] = static_cast<std::int64_t>(samples);
    const CarriedState state(context, 8, kept, carried_);
    context.parallel(samples * tiles, [&](std::size_t item) {
      const auto first = item % tiles * kTile;
      const auto n = std::min(kTile, features - first);
      alignas(64) float charge[kTile] = {}, count[kTile] = {}, emission[kTile], current[kTile];
      state.load(item / tiles * features + first, n, charge, count);
      const Rows rows{&inverse[first], &drive[first], slope.empty() ? nullptr : &slope[first]};
      for (std::int64_t t = 1; t <= timesteps; ++t) {
        const auto row = static_cast<std::size_t>(t - 1) * samples + item / tiles;
        const auto from = held_ ? item / tiles : row;
        if (!held_ || t == 1) layout.move(x.as<float>() + from * features, first, n, current);
        if (held_ && clock.before + t == stimulus + 1) std::fill_n(current, n, 0.0F);
        kernels().advance(law, rows, gain(clock.before + t, stimulus), current, charge, count,
                          emission, n);
        if (codes_) {
          kernels().encode(emission, static_cast<std::int8_t*>(out) + row * features + first, n);
        } else {
          std::copy_n(emission, n, static_cast<float*>(out) + row * features + first);
        }
      }
      state.store(item / tiles * features + first, n, charge, count);
    });
  }

 private:
  static constexpr std::size_t kTile = 1024;

  // From channel-first to channel-last.
  struct Layout {
    std::size_t channels, pixels;

    // Elements first .. first + n of the channel-last order.
    void move(const float* from, std::size_t first, std::size_t n, float* to) const {
      auto pixel = first / channels, channel = first % channels;
      for (std::size_t i = 0; i < n; ++i) {
        to[i] = from[channel * pixels + pixel];
        if (++channel == channels) {
          channel = 0;
          ++pixel;
        }
      }
    }

    std::vector<float> moved(const std::vector<float>& from) const {
      std::vector<float> to(from.size());
      if (!from.empty()) move(from.data(), 0, from.size(), to.data());
      return to;
    }
  };

  Law law_;
  bool codes_, held_, carried_;
};

struct EncodeOperator : Operator {
  EncodeOperator(const char* name, bool codes_)
      : Operator(name,
                 {ort::Type::float32, ort::Type::float32, ort::Type::float32, ort::Type::float32,
                  ort::Type::float32, ort::Type::float32, ort::Type::int64, ort::Type::int64,
                  ort::Type::float32, ort::Type::float32},
                 {codes_ ? ort::Type::int8 : ort::Type::float32, ort::Type::float32,
                  ort::Type::float32}),
        codes(codes_) {
    required = 8;
  }
  std::unique_ptr<Kernel> make(const Info& info) const override {
    return std::make_unique<EncodeKernel>(info, codes);
  }
  bool codes;
};

}  // namespace

std::vector<std::unique_ptr<Operator>> encode_operators() {
  std::vector<std::unique_ptr<Operator>> operators;
  operators.push_back(std::make_unique<EncodeOperator>("Encode", true));
  operators.push_back(std::make_unique<EncodeOperator>("EncodeValues", false));
  return operators;
}

}  // namespace onnx2snn
