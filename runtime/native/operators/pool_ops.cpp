#include <algorithm>

#include "kernels/kernels.h"
#include "operators/carried_state.h"
#include "operators/emission_ops.h"

namespace onnx2snn {

namespace {

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

struct SumPoolOperator : Operator {
  SumPoolOperator()
      : Operator("SumPool", {ort::Type::any, ort::Type::int64}, {ort::Type::float32}) {}
  std::unique_ptr<Kernel> make(const Info&) const override {
    return std::make_unique<SumPoolKernel>();
  }
};

}  // namespace

std::vector<std::unique_ptr<Operator>> pool_operators() {
  std::vector<std::unique_ptr<Operator>> operators;
  operators.push_back(std::make_unique<SumPoolOperator>());
  operators.push_back(std::make_unique<CountMaxPoolOperator>());
  return operators;
}

}  // namespace onnx2snn
