// What the kernels that list events, and sum weight rows by these lists, read and write.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/sizes.h"

namespace onnx2snn {

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

}  // namespace onnx2snn
