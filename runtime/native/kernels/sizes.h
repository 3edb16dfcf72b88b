// The sizes that weight rows, lists of events and timesteps have wherever they are laid out.
#pragma once

#include <cstddef>
#include <cstdint>

namespace onnx2snn {

constexpr std::size_t kRowLanes = 32;   // sums of one weight row
constexpr std::size_t kRound = 4;       // lists are filled up to whole rounds of events
constexpr std::uint8_t kLowBias = 128;  // of the weights of lanes 0 to 15, in rows of bytes
constexpr std::size_t kListSlack = 64;  // entries that listing may write past an end
constexpr std::size_t kSteps = 32;      // timesteps that a tile holds at once, each a bit of a mask
constexpr std::size_t kEntryStep = 16;  // from row to row: entries are ready-made offsets

}  // namespace onnx2snn
