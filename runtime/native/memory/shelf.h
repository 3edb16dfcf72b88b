// Scratch memory of calls that may run at the same time.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace onnx2snn {

// Memory that is used again: whoever needs some borrows it, so calls may run at the same time.
template <typename T>
class Shelf {
 public:
  std::unique_ptr<T> borrow() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (idle_.empty()) return std::make_unique<T>();
    auto borrowed = std::move(idle_.back());
    idle_.pop_back();
    return borrowed;
  }

  void give_back(std::unique_ptr<T> borrowed) {
    const std::lock_guard<std::mutex> lock(mutex_);
    idle_.push_back(std::move(borrowed));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<T>> idle_;
};

}  // namespace onnx2snn
