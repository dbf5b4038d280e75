// Products of a few rows, a batch, with a matrix of weights, as a loop over time has them.
//
// A library that is made for large products arranges the weights anew in every call, a third of its
// time. Here they are read as they are, once for all rows.

#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

namespace narrow_products {

// As many sums are kept in registers as there are.
#ifdef __AVX512F__
constexpr int kBytes = 64, kSums = 24;
#else
constexpr int kBytes = 32, kSums = 12;
#endif
constexpr int kWeights = 4;          // rows of weights that are multiplied at a time
constexpr int kVectors = 2;          // or vectors of a row
constexpr int64_t kAhead = 8;        // rows of weights that are prefetched
constexpr int64_t kLeast = 1 << 19;  // multiplications that are worth a thread

template <typename T>
struct Lanes {
  typedef T type __attribute__((vector_size(kBytes), aligned(alignof(T)), may_alias));
};
template <typename T>
using Vector = typename Lanes<T>::type;
template <typename T>
constexpr int64_t kLanes = kBytes / sizeof(T);

template <typename T>
const Vector<T>& at(const T* array) {
  return *reinterpret_cast<const Vector<T>*>(array);
}

// Prefetches n numbers.
template <typename T>
void fetch(const T* array, int64_t n) {
  constexpr int64_t kLine = 64 / sizeof(T);
  for (int64_t i = 0; i < n; i += kLine) __builtin_prefetch(array + i);
  __builtin_prefetch(array + n - 1);
}

// The sum of so many bytes' lanes, of which halves are added.
template <typename T, int kSize>
T sum(const T* lanes) {
  typedef T Half __attribute__((vector_size(kSize / 2), aligned(alignof(T)), may_alias));
  const auto half = [&](int i) {
    return *reinterpret_cast<const Half*>(lanes + i * kSize / 2 / sizeof(T));
  };
  const Half both = half(0) + half(1);
  if constexpr (kSize / 2 == 2 * sizeof(T))
    return both[0] + both[1];
  else
    return sum<T, kSize / 2>(reinterpret_cast<const T*>(&both));
}

// Calls function(constant n) for n from 1 to kMost.
template <int kMost, typename Function>
void with_constant(int64_t n, const Function& function) {
  if (n == kMost)
    function(std::integral_constant<int, kMost>());
  else if constexpr (kMost > 1)
    with_constant<kMost - 1>(n, function);
}

// Divides rows into blocks of about the same height; calls function(constant height, first row).
template <int kMost, typename Function>
void for_each_block(int64_t rows, const Function& function) {
  const int64_t blocks = (rows + kMost - 1) / kMost;
  for (int64_t i = 0; i < blocks; i++) {
    const int64_t first = rows * i / blocks, height = rows * (i + 1) / blocks - first;
    with_constant<kMost>(height, [&](auto constant) { function(constant, first); });
  }
}

// Calls function(first, size) for pieces of n, in threads that have enough to do.
template <typename Function>
void for_each_piece(int64_t n, int64_t size, int64_t multiplications, const Function& function) {
  const int64_t each = std::max<int64_t>(1, size * multiplications);
  at::parallel_for(0, (n + size - 1) / size, std::max<int64_t>(1, kLeast / each),
                   [&](int64_t i, int64_t last) {
                     for (; i < last; i++) function(i * size, std::min(size, n - i * size));
                   });
}

// What whole vectors leave of rows [rows, width]: the last vector of each, which they may have
// begun, without what they have.
template <typename T>
std::vector<T> ends(const T* x, int64_t rows, int64_t width) {
  const int64_t left = width % kLanes<T>;
  std::vector<T> found(left ? rows * kLanes<T> : 0);
  for (int64_t m = 0; left && m < rows; m++)
    std::copy_n(x + (m + 1) * width - left, left, found.data() + (m + 1) * kLanes<T> - left);
  return found;
}

// y[m, n] = start[m, n] + x[m, :] . w[n, :], for kRows rows of x [., width] and kColumns of w
// [., width]; y is [., height], a row of start is `stride` after the last, and end has the ends of
// x.
template <int kRows, int kColumns, typename T>
void put_dots(const T* start, int64_t stride, const T* x, const T* end, const T* w, T* y,
              int64_t width, int64_t height) {
  Vector<T> sums[kRows][kColumns] = {};
  const auto add = [&](const T* rows, int64_t to_next, const T* weights) {
    Vector<T> column[kColumns];
    for (int n = 0; n < kColumns; n++) column[n] = at(weights + n * width);
    for (int m = 0; m < kRows; m++) {
      const Vector<T> row = at(rows + m * to_next);
      for (int n = 0; n < kColumns; n++) sums[m][n] += row * column[n];
    }
  };
  const int64_t whole = width - width % kLanes<T>;
  for (int64_t k = 0; k < whole; k += kLanes<T>) add(x + k, width, w + k);
  if (whole < width) add(end, kLanes<T>, w + width - kLanes<T>);
  for (int m = 0; m < kRows; m++)
    for (int n = 0; n < kColumns; n++)
      y[m * height + n] =
          start[m * stride + n] + sum<T, kBytes>(reinterpret_cast<const T*>(&sums[m][n]));
}

// y = start + x w^T, with x [rows, width], w [height, width], y [rows, height] and start like y, or
// of one row for all if its stride is 0.
template <typename T>
void put_product_with_transposed(const T* start, int64_t stride, const T* x, const T* w, T* y,
                                 int64_t rows, int64_t width, int64_t height) {
  if (width < kLanes<T>) {
    for (int64_t m = 0; m < rows; m++)
      for (int64_t n = 0; n < height; n++) {
        T sum = start[m * stride + n];
        for (int64_t k = 0; k < width; k++) sum += x[m * width + k] * w[n * width + k];
        y[m * height + n] = sum;
      }
    return;
  }
  const std::vector<T> end = ends(x, rows, width);
  for_each_piece(height, kWeights, rows * width, [&](int64_t n, int64_t size) {
    with_constant<kWeights>(size, [&](auto columns) {
      for_each_block<kSums / kWeights>(rows, [&](auto block, int64_t m) {
        put_dots<block.value, columns.value>(start + m * stride + n, stride, x + m * width,
                                             end.data() + m * kLanes<T>, w + n * width,
                                             y + m * height + n, width, height);
      });
    });
  });
}

// y[m, k] = sum over n of x[m, n] w[n, k], for kRows rows of x [., height] and kVectors vectors of
// w [height, width]; y is [., width], of which the first `skip` numbers stay as they are.
template <int kRows, typename T>
void put_sums(const T* x, const T* w, T* y, int64_t height, int64_t width, int64_t skip) {
  Vector<T> sums[kRows][kVectors] = {};
  for (int64_t n = 0; n < height; n++) {
    fetch<T>(w + std::min(n + kAhead, height - 1) * width, kVectors * kLanes<T>);
    for (int k = 0; k < kVectors; k++) {
      const Vector<T> weights = at(w + n * width + k * kLanes<T>);
      for (int m = 0; m < kRows; m++) sums[m][k] += x[m * height + n] * weights;
    }
  }
  for (int m = 0; m < kRows; m++) {
    T found[kVectors * kLanes<T>];
    std::memcpy(found, sums[m], sizeof(found));
    std::copy(found + skip, found + kVectors * kLanes<T>, y + m * width + skip);
  }
}

// y = x w, with x [rows, height], w [height, width], y [rows, width].
template <typename T>
void put_product(const T* x, const T* w, T* y, int64_t rows, int64_t height, int64_t width) {
  constexpr int64_t kStrip = kVectors * kLanes<T>;
  if (width < kStrip) {
    std::fill_n(y, rows * width, 0);
    for (int64_t m = 0; m < rows; m++)
      for (int64_t n = 0; n < height; n++)
        for (int64_t k = 0; k < width; k++)
          y[m * width + k] += x[m * height + n] * w[n * width + k];
    return;
  }
  for_each_piece(width, kStrip, rows * height, [&](int64_t first, int64_t size) {
    const int64_t k = std::min(first, width - kStrip);  // the last strip may have begun before
    for_each_block<kSums / kVectors>(rows, [&](auto block, int64_t m) {
      put_sums<block.value>(x + m * height, w + k, y + m * width + k, height, width, first - k);
    });
  });
}

}  // namespace narrow_products
