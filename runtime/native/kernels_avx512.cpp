// The kernels for avx512.
#include "kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <cstring>
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512cd,avx512vbmi2,avx2,fma,bmi,bmi2,popcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512cd,avx512vbmi2,avx2,fma,bmi,bmi2,popcnt")
#endif

namespace onnx2snn::avx512 {
namespace {

constexpr std::size_t kWidth = 16;
constexpr std::size_t kMostLanes = 64;

#include "neuron_law.inc"

}  // namespace

extern const Kernels table;
const Kernels table = {"avx512", kMostLanes, advance};

}  // namespace onnx2snn::avx512

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif
