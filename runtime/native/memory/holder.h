// What calls that may run at the same time share.
#pragma once

#include <memory>
#include <mutex>

namespace onnx2snn {

// What is made once for the inputs at hand; concurrent calls share it.
template <typename T>
class Holder {
 public:
  // The one that is kept, if fits(kept), else made().
  template <typename Fits, typename Make>
  std::shared_ptr<const T> find(const Fits& fits, const Make& made) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (kept_ == nullptr || !fits(*kept_)) kept_ = made();
    return kept_;
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<const T> kept_;
};

}  // namespace onnx2snn
