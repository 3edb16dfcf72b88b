// The part of ONNX Runtime's C ABI a custom-op library needs, written from its documented layout.
//
// The ABI is append-only: positions in the function table and the members of the operator record
// never change, so one binary serves every onnxruntime since API version 17.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ort {

struct Status;
struct SessionOptions;
struct Domain;
struct Value;
struct KernelInfo;
struct KernelContext;
struct ShapeInfo;
struct Allocator;

constexpr std::uint32_t kApiVersion = 17;

enum ErrorCode : int { kFail = 1, kInvalidArgument = 2 };

enum class Type : int { any = 0, float32 = 1, uint8 = 2, int8 = 3, int16 = 5, int64 = 7 };

enum class Presence : int { required = 0, optional = 1 };

struct ApiBase {
  const void* const* (*get_api)(std::uint32_t version);
  const char* (*get_version)();
};

// Typed access to the function table.
class Api {
 public:
  void bind(const void* const* table) { table_ = table; }

  Status* create_status(ErrorCode code, const char* message) const {
    return call<Status*>(0, static_cast<int>(code), message);
  }
  Status* create_domain(const char* name, Domain** out) const {
    return call<Status*>(26, name, out);
  }
  Status* domain_add(Domain* domain, const void* op) const { return call<Status*>(27, domain, op); }
  Status* add_domain(SessionOptions* options, Domain* domain) const {
    return call<Status*>(28, options, domain);
  }
  Status* tensor_data(const Value* value, void** out) const {
    return call<Status*>(51, value, out);
  }
  Status* element_type(const ShapeInfo* info, int* out) const {
    return call<Status*>(60, info, out);
  }
  Status* dimensions_count(const ShapeInfo* info, std::size_t* out) const {
    return call<Status*>(61, info, out);
  }
  Status* dimensions(const ShapeInfo* info, std::int64_t* out, std::size_t count) const {
    return call<Status*>(62, info, out, count);
  }
  Status* type_and_shape(const Value* value, ShapeInfo** out) const {
    return call<Status*>(65, value, out);
  }
  Status* attribute(const KernelInfo* info, const char* name, float* out) const {
    return call<Status*>(85, info, name, out);
  }
  Status* attribute(const KernelInfo* info, const char* name, std::int64_t* out) const {
    return call<Status*>(86, info, name, out);
  }
  Status* input_count(const KernelContext* context, std::size_t* out) const {
    return call<Status*>(88, context, out);
  }
  Status* input(const KernelContext* context, std::size_t i, const Value** out) const {
    return call<Status*>(90, context, i, out);
  }
  Status* output(KernelContext* context, std::size_t i, const std::int64_t* dims, std::size_t rank,
                 Value** out) const {
    return call<Status*>(91, context, i, dims, rank, out);
  }
  void release_status(Status* status) const { call<void>(93, status); }
  void release_shape(ShapeInfo* info) const { call<void>(99, info); }
  Status* attributes(const KernelInfo* info, const char* name, std::int64_t* out,
                     std::size_t* count) const {
    return call<Status*>(163, info, name, out, count);
  }
  Status* constant_input(const KernelInfo* info, std::size_t i, int* constant,
                         const Value** out) const {
    return call<Status*>(249, info, i, constant, out);
  }
  Status* parallel_for(const KernelContext* context, void (*work)(void*, std::size_t),
                       std::size_t total, std::size_t batches, void* data) const {
    return call<Status*>(274, context, work, total, batches, data);
  }

 private:
  template <typename R, typename... Args>
  R call(std::size_t position, Args... args) const {
    using Function = R (*)(Args...);
    return reinterpret_cast<Function>(const_cast<void*>(table_[position]))(args...);
  }

  const void* const* table_ = nullptr;
};

// One operator as onnxruntime sees it. Null members are features this library does not use.
struct CustomOp {
  std::uint32_t version;
  void* (*create)(const CustomOp*, const void* const* api, const KernelInfo*);
  const char* (*name)(const CustomOp*);
  const char* (*provider)(const CustomOp*);
  Type (*input_type)(const CustomOp*, std::size_t);
  std::size_t (*input_count)(const CustomOp*);
  Type (*output_type)(const CustomOp*, std::size_t);
  std::size_t (*output_count)(const CustomOp*);
  void (*compute)(void*, KernelContext*);
  void (*destroy)(void*);
  Presence (*input_presence)(const CustomOp*, std::size_t);
  Presence (*output_presence)(const CustomOp*, std::size_t);
  int (*input_memory)(const CustomOp*, std::size_t);
  int (*variadic_input_min)(const CustomOp*);
  int (*variadic_input_homogeneous)(const CustomOp*);
  int (*variadic_output_min)(const CustomOp*);
  int (*variadic_output_homogeneous)(const CustomOp*);
  Status* (*create_checked)(const CustomOp*, const void* const* api, const KernelInfo*, void**);
  Status* (*compute_checked)(void*, KernelContext*);
  Status* (*infer_shape)(const CustomOp*, void*);
  int (*start_version)(const CustomOp*);
  int (*end_version)(const CustomOp*);
  std::size_t (*may_inplace)(int**, int**);
  void (*release_may_inplace)(int*, int*);
  std::size_t (*alias_map)(int**, int**);
  void (*release_alias_map)(int*, int*);
};

}  // namespace ort
