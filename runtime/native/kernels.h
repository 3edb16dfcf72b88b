// The inner loops, compiled once for each instruction set and chosen when the library is loaded.
#pragma once

#include <cstddef>
#include <cstdint>

namespace onnx2snn {

enum class Kind : int { none = 0, binary = 1, ternary = 2, graded = 3 };

// What all neurons of a layer share; the numpy step of the same name defines the arithmetic.
struct Law {
  Kind kind = Kind::none;
  int digits = 1;
  bool leaky = false;
  float start = 0.5F;  // initial potential, in quanta
  float below = 0.0F;  // negative threshold, in quanta
  float n_min = 0.0F;
  float n_max = 0.0F;
};

// What each neuron has of its own; `drive` is current / quantum, or the current itself if leaky.
struct Rows {
  const float* inverse;
  const float* drive;
  const float* slope;
};

// Events that lie next to each other: rows base + index[0..count) of a weight table.
struct Segment {
  const std::uint32_t* index;
  const float* value;  // null: every event is 1
  std::size_t count;
  std::ptrdiff_t base;
};

// One position of a convolution's kernel: where it reads, and the weight rows it reads with.
struct Tap {
  std::ptrdiff_t input;
  std::size_t row;
};

// Input of a dense step: pixels of `channels` floats, `stride` floats between output pixels.
struct DenseInput {
  const float* data;
  std::size_t stride;
  std::size_t channels;
  const Tap* taps;
  std::size_t tap_count;
};

// How many events some emissions are, and how many of them are negative.
struct Tally {
  std::uint32_t events = 0, negative = 0;
};

constexpr std::size_t kSlack = 16;  // entries that listing may write, and summing read, past an end

struct Kernels {
  const char* name;
  std::size_t most_lanes;  // widest weight row; a power of two times 16

  // One timestep of n neurons: charge += x, count += emission. Returns whether one emitted.
  bool (*advance)(const Law&, const Rows&, float g, const float* x, float* charge, float* count,
                  float* emission, std::size_t n);

  // Between emissions (signed powers of two, or 0) and one-byte codes: +-(exponent + 1), or 0.
  void (*encode)(const float* emission, std::int8_t* code, std::size_t n);
  void (*decode)(const std::int8_t* code, float* emission, std::size_t n);

  // Number of events.
  std::size_t (*count_codes)(const std::int8_t* codes, std::size_t n);
  std::size_t (*count_values)(const float* values, std::size_t n);

  // Lists the events of a row of pixels: index = pixel * channels + channel; offset[p] = first
  // event of pixel p, counted from `first`. `value` may be null (codes only). Writes up to 16
  // entries past the end. Returns the number of events.
  std::size_t (*list_codes)(const std::int8_t* codes, std::size_t pixels, std::size_t channels,
                            std::uint32_t* index, float* value, std::uint32_t* offset,
                            std::uint32_t first);
  std::size_t (*list_values)(const float* values, std::size_t pixels, std::size_t channels,
                             std::uint32_t* index, float* value, std::uint32_t* offset,
                             std::uint32_t first);

  // sums[pixel][lane] += emission[pixel][lane] * quanta[lane], `stride` emissions and `lanes` sums
  // from pixel to pixel, `kept` of them in use. Says whether there was an event.
  bool (*add_codes)(const std::int8_t* codes, std::size_t pixels, std::size_t stride,
                    const float* quanta, std::size_t kept, std::size_t lanes, float* sums);
  bool (*add_values)(const float* values, std::size_t pixels, std::size_t stride,
                     const float* quanta, std::size_t kept, std::size_t lanes, float* sums);

  // sums[lane] += sum over the events of value * weights[row][lane]; row -1 must be all zeros.
  void (*add_rows)(const Segment* segments, std::size_t count, const float* weights,
                   std::size_t lanes, float* sums);
  // sums[pixel][lane] += sum over taps and channels.
  void (*add_dense)(const DenseInput& input, const float* weights, std::size_t lanes,
                    std::size_t pixels, float* sums);
  // sums[pixel][lane] += sum over taps of input[tap][lane] * weights[tap][lane].
  void (*add_depthwise)(const DenseInput& input, const float* weights, std::size_t lanes,
                        std::size_t pixels, float* sums);

  // emission = x / quantum, to the whole number.
  void (*to_quanta)(const float* x, const float* quantum, float* emission, std::size_t n);
  // Counts the digits of emissions in quanta: map += digits, count += emission.
  Tally (*tally)(const float* emission, int digits, std::size_t n, float* map, float* count);
};

// The kernels of the best instruction set this machine has.
const Kernels& kernels();

// Makes sessions loaded from now on use another instruction set (portable, avx2, avx512; null: the
// best) and says whether this machine has it: for tests and for comparing.
bool use_kernels(const char* name);

}  // namespace onnx2snn
