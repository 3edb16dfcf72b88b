// Memory on cache-line boundaries: weight rows that straddle lines cost a third of the speed.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace onnx2snn {

template <typename T>
struct Aligned {
  using value_type = T;
  static constexpr std::align_val_t kLine{64};

  Aligned() = default;
  template <typename U>
  Aligned(const Aligned<U>&) {}  // NOLINT: allocators convert

  T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), kLine)); }
  void deallocate(T* p, std::size_t) { ::operator delete(p, kLine); }
  friend bool operator==(const Aligned&, const Aligned&) { return true; }
  friend bool operator!=(const Aligned&, const Aligned&) { return false; }
};

template <typename T>
using Line = std::vector<T, Aligned<T>>;

}  // namespace onnx2snn
