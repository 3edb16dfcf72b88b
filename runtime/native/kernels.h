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
constexpr std::uint8_t kLowBias = 128;  // of the weights of lanes 0 to 15, in rows of bytes
constexpr std::size_t kListSlack = 64;  // entries that listing may write past an end
constexpr std::size_t kSteps = 32;      // timesteps that a tile holds at once, each a bit of a mask
constexpr std::size_t kEntryStep = 16;  // from row to row: entries are ready-made offsets

// The emissions of one timestep of one sample.
struct Stream {
  const void* emissions;
  bool codes;  // one-byte codes, else floats
};

// Up to 64 emissions of a window that lie next to each other, and their rows in the table of a
// chunk.
struct Word {
  std::uint64_t used;  // bits that belong to it
  std::int32_t bits,
      emissions;       // bytes of the plane of bits and emissions, from the window's first
  std::uint16_t base;  // entry of the row of its first bit
};

// Words first .. last - 1 read the rows of one table; its last row is all zeros and fills up lists.
struct Chunk {
  std::size_t first, last;
  std::uint16_t fill;  // entry of the row of zeros
};

// What reaches one output pixel (or two that share their rows).
struct Window {
  const Word* words;
  const Chunk* chunks;
  std::size_t chunk_count;
};

// The emissions of a source and a sample, by timestep.
struct Planes {
  const std::uint8_t* bits[kSteps];
  const void* emissions[kSteps];
  bool codes, unit;
};

// Where the windows of some sites start, in the plane of bits and among the emissions.
struct Places {
  const std::ptrdiff_t* bits;
  const std::ptrdiff_t* emissions;
  std::size_t count;
};

// Lists of events, by chunk, site and timestep: `rounds` rounds of kRound entries from `starts` on.
// Bit t of `active` says whether the list of timestep t has any.
struct EventLists {
  std::uint16_t* place;
  float* value;           // of each entry; null if every value is 1
  std::uint32_t* starts;  // [chunk][site][kSteps]
  std::uint16_t* rounds;  // [chunk][site][kSteps]
  std::uint32_t* active;  // [chunk][site]
  std::size_t sites;
  // What is read next, to be fetched a few cache lines at each list; none: it is not worth it.
  const std::uint8_t* next = nullptr;
  std::size_t next_lines = 0, lines_a_list = 0;
};

// Sums of a tile: kRowLanes floats a timestep, `pitch` floats from site to site. Bit t of `driven`
// says that there is a sum at timestep t; elsewhere the memory is not in use.
struct Sums {
  float* data;
  std::uint32_t* driven;
  std::size_t pitch;
};

// The neurons of one weight row, as they stand between two runs of timesteps.
struct LaneState {
  alignas(64) float charge[kRowLanes] = {};
  alignas(64) float count[kRowLanes] = {};
  bool quiet = false;  // nothing was emitted at the timestep before
};

// Where emissions go: `stride` elements from timestep to timestep. One of codes, values and bits is
// given, or none: emissions are counted only. Bit i of a number of bits is lane i.
struct Emitted {
  std::int8_t* codes;
  float* values;
  std::uint32_t* bits;
  std::size_t stride;
};

// Some timesteps of the neurons of one weight row.
struct LaneRun {
  const float* drive;    // [timestep][lane], as `drive_lanes` gives it
  const float* inverse;  // of the quanta
  const float* slope;
  const float* sums;       // [timestep][lane]
  std::size_t sum_stride;  // floats from timestep to timestep
  std::uint32_t driven;    // bit t: there is a sum at timestep t
  std::uint32_t wake;      // bit t: the drive changes at timestep t
  std::size_t timesteps;
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

// Inputs of a product with weights of one byte: up to kSampleGroup samples as numbers of 16 bits,
// two neighbouring inputs a pair. Pairs that are zero in all samples may be left out.
struct InputPairs {
  const std::uint32_t* rows;   // of each pair: its weight row
  const std::int16_t* values;  // [pair][sample][2]
  const std::int32_t* sums;    // [kSafePairs pairs][sample]: of their inputs
  std::size_t count, samples;  // samples: a power of two
};

constexpr std::size_t kSampleGroup = 8;
constexpr std::size_t kSafePairs = 256;  // 32 bits hold their sum: 256 * 2 * 127 * 32767 < 2^31

constexpr std::size_t kTilesAtOnce = 8;   // tiles of a dense step are worked on in such groups
constexpr std::size_t kTilePad = 16;      // numbers between points, which else share cache lines
constexpr float kLargestWhole = 8191.0F;  // of a value in tiles: four of them fit in 16 bits

constexpr std::size_t padded_channels(std::size_t channels) { return (channels + 15) / 16 * 16; }

// A square of outputs of a 3 x 3 convolution: its inputs in a padded plane of floats or numbers of
// 16 bits, and its outputs, of which `rows` x `columns` are there.
struct PlaneTile {
  const void* from;
  float* to;
  std::uint8_t rows, columns;
};

// Some tiles of planes of one source. Distances are in elements; lanes: 16 or 32, those of a block.
struct TileWork {
  const PlaneTile* tiles;
  std::size_t count;
  std::size_t row, channels;
  const void* weights;  // transformed, [block][point][channel][lane], or channels in pairs
  std::size_t blocks, lanes;
  std::size_t to_row, to_pixel;
  void* memory;  // Winograd::memory() bytes
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

  // drive[timestep][lane] = gain * rows.drive, plus the initial potential if the soma is linear.
  void (*drive_lanes)(const Law&, const float* rows_drive, const float* gains,
                      std::size_t timesteps, float* drive);
  // All timesteps of the neurons of one weight row. Returns in bit t whether one emitted; the
  // emissions of all timesteps are written.
  std::uint32_t (*advance_through)(const Law&, const LaneRun& run, LaneState& state, Emitted to);

  // Sets bit i where emission first + i is an event, for n emissions, and writes whole bytes.
  // Returns the number of events.
  std::size_t (*pack_bits)(const Stream& from, std::size_t first, std::size_t n,
                           std::uint8_t* bits);
  // Copies whole bytes of bits; returns the number of events.
  std::size_t (*copy_bits)(const std::uint8_t* from, std::size_t bytes, std::uint8_t* to);
  // Lists the events of the windows of some sites at the timesteps of `steps`, the first of them
  // number `site` of the lists. The bits of window i start places.bits[i] bytes after those of the
  // plane, its emissions places.emissions[i] after the first; lists are filled up to whole rounds.
  // Returns the number of entries, `used` of them before.
  std::uint32_t (*list_windows)(const Planes& from, std::uint32_t steps, const Places& places,
                                const Window& window, const EventLists& to, std::size_t site,
                                std::uint32_t used);
  // sums[list][lane] += sum over the events of each list of value * table[place][lane]. With a
  // scale the sums are complete by then, and multiplied by it.
  void (*add_lists)(const EventLists& lists, std::size_t chunk, const float* table,
                    const float* scale, Sums sums);
  // The same for lists of unit events and rows of whole numbers from -127 to 127: those of lane i
  // and, behind it, of lane i + 16, for i from 0 to 15, the first with a bias of kLowBias. With a
  // scale the sums are complete by then, and multiplied by it.
  void (*add_int8_lists)(const EventLists& lists, std::size_t chunk, const std::uint8_t* table,
                         const float* scale, Sums sums);
  // The same for rows of two blocks of channels, whose sums and scale lie one behind the other.
  void (*add_int8_pairs)(const EventLists& lists, std::size_t chunk, const std::uint8_t* table,
                         const float* scale, Sums sums, Sums more);
  // sums[site][timestep][lane] *= scale[lane] where driven, at the timesteps of `steps`.
  void (*scale_sums)(const float* scale, std::size_t sites, std::uint32_t steps, Sums sums);
  // sums[site][lane] += emission * quantum[lane] at timestep t, of sites that lie next to each
  // other.
  void (*add_current)(const std::int8_t* codes, std::size_t sites, const float* quanta, Sums sums,
                      std::size_t t);
  // The same for bits, one number of a site, `pitch` bytes from site to site.
  void (*add_bits)(const std::uint8_t* bits, std::size_t pitch, std::size_t sites,
                   const float* quanta, Sums sums, std::size_t t);
  // emission[i] = bit i, for n bits.
  void (*spread_bits)(const std::uint8_t* bits, float* emission, std::size_t n);
  // sums[pixel][lane] += sum over taps and channels.
  void (*add_dense)(const DenseInput& input, const float* weights, std::size_t lanes,
                    std::size_t pixels, float* sums);  // lanes: 16 or 32
  // sums[pixel][lane] += sum over taps of input[tap][lane] * weights[tap][lane].
  void (*add_depthwise)(const DenseInput& input, const float* weights, std::size_t lanes,
                        std::size_t pixels, float* sums);

  // Dense steps of 3 x 3 convolutions, tile by tile: floats; whole numbers of 16 bits.
  void (*convolve_tiles)(const TileWork& work);
  void (*convolve_whole_tiles)(const TileWork& work);
  // Floats that are whole numbers as numbers of 16 bits; returns the largest magnitude, above
  // kLargestWhole without any conversion.
  float (*to_shorts)(const float* from, std::size_t n, std::int16_t* to);
  // sums[site][lane] += from[site][lane] at timestep t, of sites that lie next to each other.
  void (*add_plane)(const float* from, std::size_t pitch, std::size_t sites, Sums sums,
                    std::size_t t);

  // emission = x / quantum, to the whole number.
  void (*to_quanta)(const float* x, const float* quantum, float* emission, std::size_t n);
  // Counts the digits of emissions in quanta: map += digits, count += emission.
  Tally (*tally)(const float* emission, int digits, std::size_t n, float* map, float* count);

  // out[sample][lane] = (sum over pairs of input * weight, a whole number) * (scale[lane] *
  // steps[sample]), kRowLanes lanes. weights[row][i][2]: of lane i, with a bias of kLowBias, and,
  // 256 times, of lane i + 16, for i from 0 to 15; from -127 to 127.
  void (*held_product)(const InputPairs& inputs, const std::int16_t* weights, const float* scale,
                       const float* steps, float* out);
};

// The kernels of the best instruction set this machine has.
const Kernels& kernels();

// Makes sessions loaded from now on use another instruction set (portable, avx2, avx512; null: the
// best) and says whether this machine has it: for tests and for comparing.
bool use_kernels(const char* name);

}  // namespace onnx2snn
