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

constexpr std::size_t kRowLanes = 32;   // sums of one weight row
constexpr std::size_t kRound = 4;       // lists are filled up to whole rounds of events
constexpr std::uint16_t kNoFill = 0xffff;
constexpr std::size_t kListSlack = 64;  // entries that listing may write past an end

// The emissions of one timestep of one sample.
struct Stream {
  const void* emissions;
  bool codes;  // one-byte codes, else floats
  bool unit;   // every emission is 0 or 1
};

// Some emissions of a window that lie next to each other, and their rows in the table of a chunk.
struct Piece {
  std::ptrdiff_t bits, emissions;  // bytes of the plane of bits and emissions, from the window's first
  std::size_t size;
  std::uint16_t base;   // row of the first
  std::uint16_t fill;   // row of zeros that fills up the list, behind the last piece of a chunk
  std::uint32_t chunk;  // which of a list's ends it is followed by
};

// What reaches one output pixel (or two that share their rows), cut into pieces.
struct Window {
  const Piece* pieces;
  std::size_t count;
};

// Where the windows of some sites start.
struct Places {
  const std::ptrdiff_t* bits;
  const std::ptrdiff_t* emissions;
  std::size_t count;
};

// Lists of events, by site and timestep; those of a chunk are numbers ends[chunk] .. ends[chunk + 1]
// of each list's own `stride` ends. Sums lie kRowLanes floats apart, and `pitch` from site to site.
struct EventLists {
  const std::uint16_t* place;
  const float* value;
  const std::uint32_t* ends;
  std::size_t stride, sites, timesteps, pitch;
  bool unit;  // every value is 1, and none is written
};

// The neurons of one weight row, as they stand between two runs of timesteps.
struct LaneState {
  alignas(64) float charge[kRowLanes] = {};
  alignas(64) float count[kRowLanes] = {};
  float gain = 0.0F;   // of the timestep before
  bool quiet = false;  // nothing was emitted in it
};

// Where emissions go: `stride` elements from timestep to timestep; codes or floats.
struct Emitted {
  std::int8_t* codes;
  float* values;
  std::size_t stride;
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

struct Kernels {
  const char* name;
  // One timestep of n neurons: charge += x, count += emission. Returns whether one emitted.
  bool (*advance)(const Law&, const Rows&, float g, const float* x, float* charge, float* count,
                  float* emission, std::size_t n);

  // Between emissions (signed powers of two, or 0) and one-byte codes: +-(exponent + 1), or 0.
  void (*encode)(const float* emission, std::int8_t* code, std::size_t n);
  void (*decode)(const std::int8_t* code, float* emission, std::size_t n);

  // Number of events.
  std::size_t (*count_codes)(const std::int8_t* codes, std::size_t n);
  std::size_t (*count_values)(const float* values, std::size_t n);

  // sums[pixel][lane] += emission[pixel][lane] * quanta[lane], `stride` emissions and `lanes` sums
  // from pixel to pixel, `kept` of them in use. Says whether there was an event.
  bool (*add_codes)(const std::int8_t* codes, std::size_t pixels, std::size_t stride,
                    const float* quanta, std::size_t kept, std::size_t lanes, float* sums);
  bool (*add_values)(const float* values, std::size_t pixels, std::size_t stride,
                     const float* quanta, std::size_t kept, std::size_t lanes, float* sums);

  // All timesteps of the neurons of one weight row: sums and driven (was there input?) by timestep.
  void (*advance_through)(const Law&, const Rows&, const float* gains, std::size_t timesteps,
                          const float* sums, const char* driven, LaneState& state, Emitted to);

  // Sets bit i where emission first + i is an event, for n emissions, and writes whole bytes.
  // Returns the number of events.
  std::size_t (*pack_bits)(const Stream& from, std::size_t first, std::size_t n,
                           std::uint8_t* bits);
  // Lists the events of the windows of some sites at one timestep. The bits of window i start
  // places.bits[i] bytes after `bits`, its emissions places.emissions[i] after the first. ends[0]
  // becomes the start of its list, counted from `first`, and ends[chunk] of each piece the end of
  // the list so far, filled up to whole rounds; the next window has its ends `pitch` further on.
  // Returns the length of all lists.
  std::size_t (*list_windows)(const std::uint8_t* bits, const Stream& stream, const Places& places,
                              const Window& window, std::uint16_t* place, float* value,
                              std::uint32_t* ends, std::size_t pitch, std::uint32_t first);
  // sums[list][lane] += sum over the events of each list of value * table[place][lane]; the sums
  // start at zero where they are `fresh`.
  void (*add_lists)(const EventLists& lists, std::size_t chunk, const float* table, bool fresh,
                    float* sums);
  // The same for lists of unit events and rows of whole numbers from -127 to 127.
  void (*add_int8_lists)(const EventLists& lists, std::size_t chunk, const std::int8_t* table,
                         bool fresh, float* sums);
  // sums[site][timestep][lane] *= scale[lane] where driven, with a pitch from site to site.
  void (*scale_sums)(const float* scale, const char* driven, std::size_t sites,
                     std::size_t timesteps, std::size_t pitch, float* sums);
  // sums[site][lane] += emission * quantum[lane] of sites that lie next to each other; sets
  // driven[site] where there was an event. Sums and driven have a pitch from site to site.
  void (*add_current)(const std::int8_t* codes, std::size_t sites, const float* quanta,
                      float* sums, std::size_t pitch, char* driven, std::size_t driven_pitch);
  // sums[pixel][lane] += sum over taps and channels.
  void (*add_dense)(const DenseInput& input, const float* weights, std::size_t lanes,
                    std::size_t pixels, float* sums);  // lanes: 16 or 32
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
