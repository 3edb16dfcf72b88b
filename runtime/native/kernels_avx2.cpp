// The kernels for avx2.
#include "kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <cstring>
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi,bmi2,popcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi,bmi2,popcnt")
#endif

namespace onnx2snn::avx2 {
namespace {

constexpr std::size_t kWidth = 8;
constexpr std::size_t kMostLanes = 32;

#include "neuron_law.inc"

}  // namespace

extern const Kernels table;
const Kernels table = {"avx2", kMostLanes, advance};

}  // namespace onnx2snn::avx2

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif
