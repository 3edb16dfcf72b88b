// The inner loops, compiled once for each instruction set and chosen when the library is loaded.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/dense.h"
#include "kernels/events.h"
#include "kernels/held_product.h"
#include "kernels/neurons.h"
#include "kernels/sizes.h"

namespace onnx2snn {

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
