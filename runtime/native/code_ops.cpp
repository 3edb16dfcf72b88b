#include "code_ops.h"

#include <algorithm>

#include "carried_state.h"
#include "kernels.h"
#include "neuron_op.h"

namespace onnx2snn {

namespace {

Shape channel_last(const Shape& shape) {
  Shape last(shape);
  std::rotate(last.begin() + 1, last.begin() + 2, last.end());
  return last;
}

Shape channel_first(const Shape& shape) {
  Shape first(shape);
  std::rotate(first.begin() + 1, first.end() - 1, first.end());
  return first;
}

// Emissions of one row as floats, decoded if they are codes.
const float* row_values(const Tensor& emissions, std::size_t row, std::size_t size,
                        std::vector<float>& buffer) {
  if (emissions.type == ort::Type::float32) return emissions.as<float>() + row * size;
  buffer.resize(size);
  kernels().decode(emissions.as<std::int8_t>() + row * size, buffer.data(), size);
  return buffer.data();
}

// Neurons on a dense stream [T*N, C, *S], or on a current [N, C, *S] that is held during the
// stimulus; emits codes or values, channel-last.
class EncodeKernel : public Kernel {
 public:
  EncodeKernel(const Info& info, bool codes) : codes_(codes), held_(info.integer("held", 0) != 0) {
    carried_ = info.integer("carried", 0) != 0;
    law_.kind = static_cast<Kind>(info.integer("kind", 0));
    law_.digits = static_cast<int>(info.integer("digits", 1));
    law_.leaky = info.integer("leaky", 0) != 0;
    law_.start = info.number("initial_potential", 0.5F);
    law_.below = info.number("negative_threshold", 0.0F);
  }

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
        kernels().advance(law, rows, gain(clock.before + t, stimulus), current, charge, count, emission, n);
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
  bool codes_, held_;
  bool carried_ = false;
};

// Emissions summed over time, times their quantum: [N, C, *S].
class TotalKernel : public Kernel {
 public:
  void compute(const Context& context) override {
    const Tensor emissions = context.input(0);
    const Tensor quantum = context.input(1);
    const auto timesteps = context.scalar(2);
    const auto channels = static_cast<std::size_t>(emissions.shape.back());
    if (timesteps < 1 || emissions.shape[0] % timesteps != 0 ||
        static_cast<std::size_t>(quantum.size()) != channels) {
      throw std::invalid_argument("rows, timesteps and quanta of a sum over time do not fit");
    }
    Shape shape = channel_first(emissions.shape);
    shape[0] /= timesteps;
    auto* out = static_cast<float*>(context.output(0, shape));
    const auto samples = static_cast<std::size_t>(shape[0]);
    const auto size = static_cast<std::size_t>(product(shape, 1));
    const auto pixels = channels == 0 ? 0 : size / channels;
    context.parallel(samples, [&](std::size_t sample) {
      std::vector<float> sums(size, 0.0F), buffer;
      for (std::size_t t = 0; t < static_cast<std::size_t>(timesteps); ++t) {
        const float* values = row_values(emissions, t * samples + sample, size, buffer);
        for (std::size_t i = 0; i < size; ++i) sums[i] += values[i];
      }
      float* to = out + sample * size;
      for (std::size_t c = 0; c < channels; ++c) {
        for (std::size_t p = 0; p < pixels; ++p) *to++ = sums[p * channels + c] * quantum.as<float>()[c];
      }
    });
  }
};

// Emissions times their quantum, per channel, as a dense stream [T*N, C, *S].
class DecodeKernel : public Kernel {
 public:
  void compute(const Context& context) override {
    const Tensor emissions = context.input(0);
    const Tensor quantum = context.input(1);
    const auto channels = static_cast<std::size_t>(emissions.shape.back());
    if (quantum.size() != 1 && static_cast<std::size_t>(quantum.size()) != channels) {
      throw std::invalid_argument("there must be one quantum for each channel");
    }
    auto* out = static_cast<float*>(context.output(0, channel_first(emissions.shape)));
    const auto size = static_cast<std::size_t>(product(emissions.shape, 1));
    const auto pixels = channels == 0 ? 0 : size / channels;
    const std::size_t step = quantum.size() == 1 ? 0 : 1;
    context.parallel(static_cast<std::size_t>(emissions.shape[0]), [&](std::size_t row) {
      std::vector<float> buffer;
      const float* values = row_values(emissions, row, size, buffer);
      float* to = out + row * size;
      for (std::size_t c = 0; c < channels; ++c) {
        const float scale = quantum.as<float>()[c * step];
        for (std::size_t p = 0; p < pixels; ++p) *to++ = values[p * channels + c] * scale;
      }
    });
  }
};

// Windows of a pool over two spatial axes, as the lowering writes them.
struct Windows {
  std::int64_t kernel[2], stride[2], dilation[2], before[2], outputs[2], size[2];

  Windows(const Tensor& told, const Shape& shape) {
    if (told.size() != 10) throw std::invalid_argument("a pool needs 10 numbers of geometry");
    const auto* given = told.as<std::int64_t>();
    size[0] = shape.size() > 3 ? shape[1] : 1;
    size[1] = shape[shape.size() - 2];
    for (std::size_t axis = 0; axis < 2; ++axis) {
      kernel[axis] = given[axis] == 0 ? size[axis] : given[axis];  // 0: the whole axis
      stride[axis] = given[2 + axis];
      dilation[axis] = given[4 + axis];
      before[axis] = given[6 + axis];
      const auto reach = dilation[axis] * (kernel[axis] - 1) + 1;
      const auto room = size[axis] + before[axis] + given[8 + axis] - reach;
      if (room < 0) throw std::invalid_argument("a pool is larger than its input");
      outputs[axis] = room / stride[axis] + 1;
    }
  }

  Shape output(const Shape& shape) const {
    Shape to{shape[0]};
    if (shape.size() > 3) to.push_back(outputs[0]);
    to.push_back(outputs[1]);
    to.push_back(shape.back());
    return to;
  }

  // Calls visit(output pixel, input pixel) for every place of every window inside the input.
  template <typename Visit>
  void each(const Visit& visit) const {
    for (std::int64_t y = 0; y < outputs[0]; ++y) {
      for (std::int64_t x = 0; x < outputs[1]; ++x) {
        for (std::int64_t ky = 0; ky < kernel[0]; ++ky) {
          const auto row = y * stride[0] - before[0] + ky * dilation[0];
          if (row < 0 || row >= size[0]) continue;
          for (std::int64_t kx = 0; kx < kernel[1]; ++kx) {
            const auto column = x * stride[1] - before[1] + kx * dilation[1];
            if (column < 0 || column >= size[1]) continue;
            visit(static_cast<std::size_t>(y * outputs[1] + x),
                  static_cast<std::size_t>(row * size[1] + column));
          }
        }
      }
    }
  }
};

// Sums of the emissions of each window: an average pool whose divisor is left to the weights.
class SumPoolKernel : public Kernel {
 public:
  void compute(const Context& context) override {
    const Tensor emissions = context.input(0);
    const Windows windows(context.input(1), emissions.shape);
    const Shape shape = windows.output(emissions.shape);
    auto* out = static_cast<float*>(context.output(0, shape));
    const auto channels = static_cast<std::size_t>(emissions.shape.back());
    const auto size = static_cast<std::size_t>(product(emissions.shape, 1));
    const auto pooled = static_cast<std::size_t>(product(shape, 1));
    context.parallel(static_cast<std::size_t>(emissions.shape[0]), [&](std::size_t row) {
      std::vector<float> buffer;
      const float* values = row_values(emissions, row, size, buffer);
      float* sums = out + row * pooled;
      std::fill_n(sums, pooled, 0.0F);
      windows.each([&](std::size_t to, std::size_t from) {
        const float* __restrict source = values + from * channels;
        float* __restrict sum = sums + to * channels;
        for (std::size_t c = 0; c < channels; ++c) sum[c] += source[c];
      });
    });
  }
};

// IncrementMaxPool of binary or ternary emissions: how far each window's highest count rises.
// Carried from chunk to chunk: the counts and the highest of each window, channel-last.
class CountMaxPoolKernel : public Kernel {
 public:
  explicit CountMaxPoolKernel(const Info& info) : carried_(info.integer("carried", 0) != 0) {}

  void compute(const Context& context) override {
    const Tensor emissions = context.input(0);
    const auto timesteps = static_cast<std::size_t>(Clock(context.input(2), carried_).steps);
    const Windows windows(context.input(1), emissions.shape);
    const Shape shape = windows.output(emissions.shape);
    auto* out = static_cast<std::int8_t*>(context.output(0, shape));
    const auto channels = static_cast<std::size_t>(emissions.shape.back());
    const auto size = static_cast<std::size_t>(product(emissions.shape, 1));
    const auto pooled = static_cast<std::size_t>(product(shape, 1));
    const auto samples = static_cast<std::size_t>(shape[0]) / std::max<std::size_t>(1, timesteps);
    const CarriedPart counted(context, {3, 1}, counts_shape(emissions.shape, samples), carried_);
    const CarriedPart held(context, {4, 2}, counts_shape(shape, samples), carried_);
    context.parallel(samples, [&](std::size_t sample) {
      std::vector<float> buffer, counts(size, 0.0F), highest(pooled, 0.0F), risen(pooled);
      counted.load(sample * size, size, counts.data());
      held.load(sample * pooled, pooled, highest.data());
      for (std::size_t t = 0; t < timesteps; ++t) {
        const auto row = t * samples + sample;
        const float* values = row_values(emissions, row, size, buffer);
        bool any = false;
        for (std::size_t i = 0; i < size; ++i) {
          counts[i] += values[i];
          any |= values[i] != 0.0F;
        }
        std::int8_t* codes = out + row * pooled;
        if (!any) {
          std::fill_n(codes, pooled, std::int8_t{0});
          continue;
        }
        rise(windows, channels, counts, highest, risen);
        kernels().encode(risen.data(), codes, pooled);
      }
      counted.store(sample * size, size, counts.data());
      held.store(sample * pooled, pooled, highest.data());
    });
  }

 private:
  static Shape counts_shape(Shape shape, std::size_t samples) {
    shape[0] = static_cast<std::int64_t>(samples);
    return shape;
  }

  static void rise(const Windows& windows, std::size_t channels, const std::vector<float>& counts,
                   std::vector<float>& highest, std::vector<float>& risen) {
    constexpr float kLowest = -1e30F;
    std::fill(risen.begin(), risen.end(), kLowest);
    windows.each([&](std::size_t to, std::size_t from) {
      const float* __restrict count = counts.data() + from * channels;
      float* __restrict most = risen.data() + to * channels;
      for (std::size_t c = 0; c < channels; ++c) most[c] = most[c] < count[c] ? count[c] : most[c];
    });
    for (std::size_t i = 0; i < highest.size(); ++i) {
      const float now = risen[i];
      risen[i] = now - highest[i];
      highest[i] = now;
    }
  }

  bool carried_;
};

struct CountMaxPoolOperator : Operator {
  CountMaxPoolOperator()
      : Operator("CountMaxPool",
                 {ort::Type::any, ort::Type::int64, ort::Type::int64, ort::Type::float32,
                  ort::Type::float32},
                 {ort::Type::int8, ort::Type::float32, ort::Type::float32}) {
    required = 3;
  }
  std::unique_ptr<Kernel> make(const Info& info) const override {
    return std::make_unique<CountMaxPoolKernel>(info);
  }
};

template <typename Made>
struct SimpleOperator : Operator {
  using Operator::Operator;
  std::unique_ptr<Kernel> make(const Info&) const override { return std::make_unique<Made>(); }
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

std::vector<std::unique_ptr<Operator>> code_operators() {
  using ort::Type;
  std::vector<std::unique_ptr<Operator>> operators;
  operators.push_back(std::make_unique<EncodeOperator>("Encode", true));
  operators.push_back(std::make_unique<EncodeOperator>("EncodeValues", false));
  operators.push_back(std::make_unique<SimpleOperator<DecodeKernel>>(
      "Decode", std::vector<Type>{Type::any, Type::float32}, std::vector<Type>{Type::float32}));
  operators.push_back(std::make_unique<SimpleOperator<TotalKernel>>(
      "Total", std::vector<Type>{Type::any, Type::float32, Type::int64},
      std::vector<Type>{Type::float32}));
  operators.push_back(std::make_unique<SimpleOperator<SumPoolKernel>>(
      "SumPool", std::vector<Type>{Type::any, Type::int64}, std::vector<Type>{Type::float32}));
  operators.push_back(std::make_unique<CountMaxPoolOperator>());
  return operators;
}

}  // namespace onnx2snn
