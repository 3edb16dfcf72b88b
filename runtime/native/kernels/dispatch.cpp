// Choosing the instruction set: the best this machine has, unless told otherwise.
#include <array>
#include <atomic>
#include <cstring>

#include "kernels/kernels.h"

namespace onnx2snn {

namespace portable {
extern const Kernels table;
}
#if defined(__x86_64__) && defined(__GNUC__)
namespace avx2 {
extern const Kernels table;
}
namespace avx512 {
extern const Kernels table;
}
#endif

namespace {

struct Candidate {
  const Kernels* table;
  bool supported;
};

// Best first; the last always runs.
#if defined(__x86_64__) && defined(__GNUC__)
std::array<Candidate, 3> candidates() {
  __builtin_cpu_init();
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                        __builtin_cpu_supports("bmi2");
  const bool has_avx512 =
      has_avx2 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vbmi2") &&
      __builtin_cpu_supports("avx512vnni");
  return {{{&avx512::table, has_avx512}, {&avx2::table, has_avx2}, {&portable::table, true}}};
}
#else
std::array<Candidate, 1> candidates() { return {{{&portable::table, true}}}; }
#endif

const Kernels* best(const char* name) {
  for (const auto& candidate : candidates()) {
    if (candidate.supported && (name == nullptr || std::strcmp(name, candidate.table->name) == 0)) {
      return candidate.table;
    }
  }
  return nullptr;
}

std::atomic<const Kernels*>& current() {
  static std::atomic<const Kernels*> chosen{best(nullptr)};
  return chosen;
}

}  // namespace

const Kernels& kernels() { return *current().load(std::memory_order_relaxed); }

bool use_kernels(const char* name) {
  const Kernels* wanted = best(name);
  if (wanted != nullptr) current() = wanted;
  return wanted != nullptr;
}

}  // namespace onnx2snn
