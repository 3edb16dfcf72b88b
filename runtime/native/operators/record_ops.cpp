#include "operators/record_ops.h"

#include <algorithm>

#include "kernels/kernels.h"

namespace onnx2snn {

namespace {

constexpr std::size_t kTile = 512;  // units counted together: their sums stay in the L1 cache

// What is counted, and how.
struct Counting {
  int digits = 1;           // most events of one emission
  bool per_sample = false;  // keep the maps of the samples apart
  bool quanta = false;      // emissions come in quanta, channel-last, as codes or values
};

// The segment of each timestep, -1 where it is in none; told as a 0/1 matrix [K, T].
std::vector<std::ptrdiff_t> segments_of(const Tensor& told, std::size_t timesteps) {
  if (told.shape.size() != 2 || static_cast<std::size_t>(told.shape[1]) != timesteps) {
    throw std::invalid_argument("segments must be a matrix with one column for each timestep");
  }
  std::vector<std::ptrdiff_t> found(timesteps, -1);
  for (std::int64_t k = 0; k < told.shape[0]; ++k) {
    for (std::size_t t = 0; t < timesteps; ++t) {
      const float inside = told.as<float>()[static_cast<std::size_t>(k) * timesteps + t];
      if (inside == 0.0F) continue;
      if (inside != 1.0F || found[t] >= 0) {
        throw std::invalid_argument("a timestep lies in one segment at most");
      }
      found[t] = static_cast<std::ptrdiff_t>(k);
    }
  }
  return found;
}

// One call: the emissions [T*N, units] and where their sums go.
struct Call {
  Counting counting;
  Tensor emissions;
  std::vector<float> quantum;  // empty: emissions are counted as they are
  std::vector<std::ptrdiff_t> segments;
  std::size_t segment_count, timesteps, samples, units, tiles;
  float* maps;
  float* count;
  std::vector<Tally> tallies;  // [tile][timestep][sample]

  // Emissions of a timestep as floats; null if there are none.
  const float* read(std::size_t row, std::size_t first, std::size_t n, float* buffer) const {
    const auto at = row * units + first;
    if (emissions.type == ort::Type::int8) {
      const auto* codes = emissions.as<std::int8_t>() + at;
      if (kernels().count_codes(codes, n) == 0) return nullptr;
      kernels().decode(codes, buffer, n);
      return buffer;
    }
    const auto* values = emissions.as<float>() + at;
    if (kernels().count_values(values, n) == 0) return nullptr;
    if (quantum.empty()) return values;
    kernels().to_quanta(values, quantum.data() + first, buffer, n);
    return buffer;
  }

  // Counts some units of some samples over all timesteps.
  void run(std::size_t tile, std::size_t from, std::size_t to) {
    const auto first = tile * kTile;
    const auto n = std::min(kTile, units - first);
    alignas(64) float buffer[kTile], unwanted[kTile] = {};
    const auto rows = counting.per_sample ? samples : 1;
    for (std::size_t sample = from; sample < to; ++sample) {
      float* sums = count + sample * units + first;
      std::fill_n(sums, n, 0.0F);
      for (std::size_t t = 0; t < timesteps; ++t) {
        const float* emission = read(t * samples + sample, first, n, buffer);
        if (emission == nullptr) continue;
        float* map = unwanted;
        if (segments[t] >= 0) {
          const auto row =
              static_cast<std::size_t>(segments[t]) * rows + (counting.per_sample ? sample : 0);
          map = maps + row * units + first;
        }
        tallies[(tile * timesteps + t) * samples + sample] =
            kernels().tally(emission, counting.digits, n, map, sums);
      }
    }
  }
};

class CounterKernel : public Kernel {
 public:
  explicit CounterKernel(Counting counting) : counting_(counting) {}
  CounterKernel(const Info& info, Counting counting) : counting_(counting) {
    counting_.digits = static_cast<int>(info.integer("digits", 1));
    counting_.per_sample = info.integer("per_sample", 0) != 0;
  }

  void compute(const Context& context) override {
    const Tensor x = context.input(0);
    const auto timesteps = context.scalar(1);
    if (x.shape.empty() || timesteps < 1 || x.shape[0] % timesteps != 0) {
      throw std::invalid_argument("the rows of a stream must be a multiple of its timesteps");
    }
    const Tensor segments = context.input(2);
    const bool ratio = !counting_.quanta && context.inputs() > 3;
    const auto steps = static_cast<std::size_t>(timesteps);
    const auto samples = static_cast<std::size_t>(x.shape[0]) / steps;
    const auto units = static_cast<std::size_t>(product(x.shape, 1));
    const auto tiles = (units + kTile - 1) / kTile;
    Shape map(x.shape), kept(x.shape);
    kept[0] = static_cast<std::int64_t>(samples);
    map[0] = counting_.per_sample ? kept[0] : 1;
    map.insert(map.begin(), segments.shape.empty() ? 0 : segments.shape[0]);
    const Shape by_step{timesteps, kept[0]};
    Call call{counting_,
              x,
              ratio ? broadcast(context.input(3), x.shape) : std::vector<float>{},
              segments_of(segments, steps),
              static_cast<std::size_t>(map[0]),
              steps,
              samples,
              units,
              tiles,
              static_cast<float*>(context.output(0, map)),
              static_cast<float*>(context.output(3, kept)),
              std::vector<Tally>(tiles * steps * samples)};
    std::fill_n(call.maps, product(map), 0.0F);
    // Samples that share a map are counted one after another.
    const auto parts = counting_.per_sample ? samples : 1;
    const auto each = counting_.per_sample ? 1 : samples;
    context.parallel(tiles * parts, [&](std::size_t item) {
      const auto from = item / tiles * each;
      call.run(item % tiles, from, from + each);
    });
    sum_tiles(call, static_cast<float*>(context.output(1, by_step)),
              static_cast<float*>(context.output(2, by_step)));
  }

 private:
  static void sum_tiles(const Call& call, float* events, float* negative) {
    const auto rows = call.timesteps * call.samples;
    for (std::size_t row = 0; row < rows; ++row) {
      std::uint64_t all = 0, below = 0;
      for (std::size_t tile = 0; tile < call.tiles; ++tile) {
        all += call.tallies[tile * rows + row].events;
        below += call.tallies[tile * rows + row].negative;
      }
      events[row] = static_cast<float>(all);
      negative[row] = static_cast<float>(below);
    }
  }

  Counting counting_;
};

std::vector<ort::Type> counter_inputs(bool quanta, bool unit) {
  std::vector<ort::Type> types{quanta ? ort::Type::any : ort::Type::float32, ort::Type::int64,
                               ort::Type::float32};
  if (unit) types.push_back(ort::Type::float32);
  return types;
}

struct CounterOperator : Operator {
  CounterOperator(const std::string& name, Counting counting_, bool unit)
      : Operator(name, counter_inputs(counting_.quanta, unit),
                 std::vector<ort::Type>(4, ort::Type::float32)),
        counting(counting_) {}
  std::unique_ptr<Kernel> make(const Info& info) const override {
    if (counting.quanta) return std::make_unique<CounterKernel>(info, counting);
    return std::make_unique<CounterKernel>(counting);
  }
  Counting counting;
};

}  // namespace

std::vector<std::unique_ptr<Operator>> stream_counters() {
  constexpr int kMostDigits = 8;
  std::vector<std::unique_ptr<Operator>> operators;
  for (int digits = 1; digits <= kMostDigits; ++digits) {
    for (const bool unit : {true, false}) {
      for (const bool per_sample : {false, true}) {
        const auto name = "Events_x" + std::to_string(digits) + (unit ? "" : "_Unitless") +
                          (per_sample ? "_PerSample" : "");
        operators.push_back(
            std::make_unique<CounterOperator>(name, Counting{digits, per_sample, false}, unit));
      }
    }
  }
  return operators;
}

std::vector<std::unique_ptr<Operator>> emission_counters() {
  std::vector<std::unique_ptr<Operator>> operators;
  operators.push_back(
      std::make_unique<CounterOperator>("CountEvents", Counting{1, false, true}, false));
  return operators;
}

}  // namespace onnx2snn
