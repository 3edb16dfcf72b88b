// HeldProduct: a full layer of one-byte weights on a constant input, which runs once in a run.
//
// Each sample is rounded to whole numbers X = round(x / a) of 16 bits, a = max |x| / 32767; then
// y_o = (sum_i K_oi X_i) * (w_o * a), the sum a whole number and the rest in float32. A sample that
// is smaller than float32 can scale counts as zero. One that is not finite has no scale: all its
// outputs are NaN.
#include "operators/held_product_op.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/kernels.h"
#include "memory/shelf.h"

namespace onnx2snn {

namespace {

constexpr float kLargest = 32767.0F;
constexpr std::size_t kFewestProducts = 1U << 20U;  // multiplications that are worth a thread
constexpr std::size_t kGroupsAtOnce = 64;           // groups of samples that are held in memory

// Whole numbers of some samples, without the pairs of inputs that are zero in all of them.
struct Group {
  std::vector<std::uint32_t> rows;
  std::vector<std::int16_t> values, whole;
  std::vector<std::int32_t> sums;
  float steps[kSampleGroup];
  std::size_t count, samples, given;  // `given` samples, and zeros up to a power of two

  InputPairs pairs() const { return {rows.data(), values.data(), sums.data(), count, samples}; }
};

struct Sizes {
  std::size_t samples, inputs, outputs, pairs, blocks, groups;

  Sizes(const Tensor& x, const Tensor& weights, const Tensor& scale) {
    const auto size = [](const Tensor& of, std::size_t axis) {
      return static_cast<std::size_t>(of.shape[axis]);
    };
    if (x.shape.size() != 2) throw std::invalid_argument("a full layer reads [N, inputs]");
    samples = size(x, 0);
    inputs = size(x, 1);
    outputs = static_cast<std::size_t>(scale.size());
    pairs = (inputs + 1) / 2;
    blocks = (outputs + kRowLanes - 1) / kRowLanes;
    groups = (samples + kSampleGroup - 1) / kSampleGroup;
    const auto expected = static_cast<std::int64_t>(blocks * pairs * kRowLanes);
    if (weights.size() != expected) {
      throw std::invalid_argument("the weights of a full layer do not fit its input and scales");
    }
  }
};

// The bits of max |x|: they order as magnitudes do, and what is not finite lies above the rest.
std::int32_t largest_bits(const float* x, std::size_t n) {
  std::int32_t largest = 0;
  for (std::size_t i = 0; i < n; ++i) {
    std::int32_t bits;
    std::memcpy(&bits, x + i, sizeof bits);
    bits &= std::numeric_limits<std::int32_t>::max();
    largest = bits > largest ? bits : largest;
  }
  return largest;
}

// Rounds a sample; returns what a whole number is worth.
float to_whole(const float* x, std::size_t n, std::int16_t* whole) {
  const std::int32_t bits = largest_bits(x, n);
  float largest;
  std::memcpy(&largest, &bits, sizeof largest);
  const float step = largest / kLargest;
  const bool finite = largest <= std::numeric_limits<float>::max();
  if (!finite || step < std::numeric_limits<float>::min()) {
    std::fill_n(whole, n, std::int16_t{0});
    return finite ? 0.0F : std::numeric_limits<float>::quiet_NaN();
  }
  constexpr float to_even = 12582912.0F;  // 1.5 * 2^23: its last bit is worth 1
  for (std::size_t i = 0; i < n; ++i) {
    const float rounded = (x[i] / step + to_even) - to_even;
    whole[i] = static_cast<std::int16_t>(static_cast<std::int32_t>(rounded));
  }
  return step;
}

// Lists the pairs that are not zero in all samples of a group, and sums their inputs.
void list_pairs(std::size_t pairs, Group& group) {
  const auto samples = group.samples;
  group.rows.resize(pairs);
  group.values.resize(pairs * samples * 2);
  group.sums.assign((pairs + kSafePairs - 1) / kSafePairs * samples, 0);
  group.count = 0;
  for (std::size_t pair = 0; pair < pairs; ++pair) {
    std::int16_t* values = group.values.data() + group.count * samples * 2;
    std::int32_t* sums = group.sums.data() + group.count / kSafePairs * samples;
    std::int32_t any = 0;
    for (std::size_t s = 0; s < samples; ++s) {
      const std::int16_t* two = group.whole.data() + (s * pairs + pair) * 2;
      values[2 * s] = two[0];
      values[2 * s + 1] = two[1];
      sums[s] += two[0] + two[1];
      any |= two[0] | two[1];
    }
    group.rows[group.count] = static_cast<std::uint32_t>(pair);
    group.count += any != 0 ? 1 : 0;
  }
}

void read_group(const Sizes& sizes, const float* x, std::size_t first, Group& group) {
  group.given = std::min(sizes.samples - first, kSampleGroup);
  group.samples = 1;
  while (group.samples < group.given) group.samples *= 2;
  group.whole.assign(group.samples * sizes.pairs * 2, 0);
  std::fill_n(group.steps, kSampleGroup, 0.0F);
  for (std::size_t s = 0; s < group.given; ++s) {
    std::int16_t* whole = group.whole.data() + s * sizes.pairs * 2;
    group.steps[s] = to_whole(x + (first + s) * sizes.inputs, sizes.inputs, whole);
  }
  list_pairs(sizes.pairs, group);
}

class HeldProductKernel : public Kernel {
 public:
  void compute(const Context& context) override {
    const Tensor x = context.input(0), weights = context.input(1), scale = context.input(2);
    const Sizes sizes(x, weights, scale);
    auto* out = static_cast<float*>(
        context.output(0, {x.shape[0], static_cast<std::int64_t>(sizes.outputs)}));
    if (sizes.outputs == 0) return;
    auto memory = shelf_.borrow();
    for (std::size_t first = 0; first < sizes.groups; first += kGroupsAtOnce) {
      const auto count = std::min(sizes.groups - first, kGroupsAtOnce);
      if (memory->size() < count) memory->resize(count);
      const auto tasks = sizes.blocks * count;
      const auto products = std::min(sizes.samples, count * kSampleGroup) * sizes.inputs;
      const auto parts = std::min(products * sizes.outputs / kFewestProducts + 1, tasks);
      share(context, std::min(parts, count), count, [&](std::size_t i) {
        read_group(sizes, x.as<float>(), (first + i) * kSampleGroup, (*memory)[i]);
      });
      share(context, parts, tasks, [&](std::size_t task) {  // the samples of a block in turn
        const auto block = task / count, i = task % count;
        multiply(sizes, (*memory)[i], weights.as<std::int16_t>(), scale.as<float>(), block,
                 out + (first + i) * kSampleGroup * sizes.outputs + block * kRowLanes);
      });
    }
    shelf_.give_back(std::move(memory));
  }

 private:
  // Calls work(0) ... work(total - 1) in `parts` runs.
  template <typename Work>
  static void share(const Context& context, std::size_t parts, std::size_t total,
                    const Work& work) {
    context.parallel(parts, [&](std::size_t part) {
      for (auto i = part * total / parts; i < (part + 1) * total / parts; ++i) work(i);
    });
  }

  static void multiply(const Sizes& sizes, const Group& group, const std::int16_t* weights,
                       const float* scale, std::size_t block, float* out) {
    const auto lanes = std::min(sizes.outputs - block * kRowLanes, kRowLanes);
    alignas(64) float scales[kRowLanes] = {}, sums[kSampleGroup * kRowLanes];
    std::copy_n(scale + block * kRowLanes, lanes, scales);
    kernels().held_product(group.pairs(), weights + block * sizes.pairs * kRowLanes, scales,
                           group.steps, sums);
    for (std::size_t s = 0; s < group.given; ++s) {
      std::copy_n(sums + s * kRowLanes, lanes, out + s * sizes.outputs);
    }
  }

  Shelf<std::vector<Group>> shelf_;
};

struct HeldProductOperator : Operator {
  HeldProductOperator()
      : Operator("HeldProduct", {ort::Type::float32, ort::Type::int16, ort::Type::float32},
                 {ort::Type::float32}) {}

  std::unique_ptr<Kernel> make(const Info&) const override {
    return std::make_unique<HeldProductKernel>();
  }
};

}  // namespace

std::vector<std::unique_ptr<Operator>> held_product_operators() {
  std::vector<std::unique_ptr<Operator>> operators;
  operators.push_back(std::make_unique<HeldProductOperator>());
  return operators;
}

}  // namespace onnx2snn
