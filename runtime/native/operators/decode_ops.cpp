#include <algorithm>

#include "kernels/kernels.h"
#include "operators/emission_ops.h"

namespace onnx2snn {

const float* row_values(const Tensor& emissions, std::size_t row, std::size_t size,
                        std::vector<float>& buffer) {
  if (emissions.type == ort::Type::float32) return emissions.as<float>() + row * size;
  buffer.resize(size);
  kernels().decode(emissions.as<std::int8_t>() + row * size, buffer.data(), size);
  return buffer.data();
}

namespace {

Shape channel_first(const Shape& shape) {
  Shape first(shape);
  std::rotate(first.begin() + 1, first.end() - 1, first.end());
  return first;
}

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
        for (std::size_t p = 0; p < pixels; ++p)
          *to++ = sums[p * channels + c] * quantum.as<float>()[c];
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

template <typename Made>
struct SimpleOperator : Operator {
  using Operator::Operator;
  std::unique_ptr<Kernel> make(const Info&) const override { return std::make_unique<Made>(); }
};

}  // namespace

std::vector<std::unique_ptr<Operator>> decode_operators() {
  using ort::Type;
  std::vector<std::unique_ptr<Operator>> operators;
  operators.push_back(std::make_unique<SimpleOperator<DecodeKernel>>(
      "Decode", std::vector<Type>{Type::any, Type::float32}, std::vector<Type>{Type::float32}));
  operators.push_back(std::make_unique<SimpleOperator<TotalKernel>>(
      "Total", std::vector<Type>{Type::any, Type::float32, Type::int64},
      std::vector<Type>{Type::float32}));
  return operators;
}

}  // namespace onnx2snn
