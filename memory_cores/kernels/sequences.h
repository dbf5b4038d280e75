// Operators that take one sequence of a batch after the other.

#pragma once

#include <ATen/ATen.h>
#include <ATen/EmptyTensor.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>

namespace sequences {

// A tensor of the same shape and type, without the microseconds that a dispatched call takes.
inline at::Tensor empty_like(const at::Tensor& tensor) {
  return at::detail::empty_cpu(tensor.sizes(), tensor.options());
}

// Raises if a tensor is not of the shape and contiguous, since pointers know no sizes.
inline void require_shape(const at::Tensor& tensor, at::IntArrayRef shape, const char* what) {
  TORCH_CHECK(tensor.sizes() == shape && tensor.is_contiguous(), what, " must be ", shape,
              " and contiguous, got ", tensor.sizes());
}

// What a contiguous tensor [B, ...] holds of one sequence.
template <typename T>
T* data(const at::Tensor& tensor, int64_t sequence) {
  return tensor.data_ptr<T>() + sequence * (tensor.numel() / tensor.size(0));
}

// Calls function(step, b), where each thread has a step of its own for all of its sequences.
template <typename Step, typename Sizes, typename Function>
void for_each_sequence(const at::Tensor& tensor, Sizes sizes, const Function& function) {
  at::parallel_for(0, tensor.size(0), 1, [&](int64_t first, int64_t last) {
    Step step(sizes);
    for (int64_t b = first; b < last; b++) function(step, b);
  });
}

// Calls function(b) for the rows of a matrix, in threads that have enough to do.
template <typename Function>
void for_each_row(const at::Tensor& matrix, const Function& function) {
  constexpr int64_t kLeast = 8192;
  at::parallel_for(0, matrix.size(0), std::max<int64_t>(1, kLeast / matrix.size(1)),
                   [&](int64_t b, int64_t last) {
                     for (; b < last; b++) function(b);
                   });
}

}  // namespace sequences
