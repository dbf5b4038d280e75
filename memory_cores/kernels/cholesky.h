// Cholesky factors of small matrices, and rows times the inverses of what was factored.
//
// A = U^T U; a factor has U's rows above the diagonal, and a last row of the diagonal's
// reciprocals.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>

namespace cholesky {

// Numbers that are computed together. Rows are padded to a multiple, so that loops have no rest.
constexpr int64_t kLanes = 8;

inline int64_t padded(int64_t size) { return (size + kLanes - 1) / kLanes * kLanes; }

// out -= share * in, from the lanes of a column to the end.
template <typename T>
void subtract(T* __restrict out, const T* __restrict in, T share, int64_t column, int64_t stride) {
  for (int64_t j = column / kLanes * kLanes; j < stride; j += kLanes)
    for (int64_t lane = 0; lane < kLanes; lane++) out[j + lane] -= share * in[j + lane];
}

template <typename T>
T product(const T* __restrict one, const T* __restrict other, int64_t column, int64_t stride) {
  T sums[kLanes] = {};
  for (int64_t j = column / kLanes * kLanes; j < stride; j += kLanes)
    for (int64_t lane = 0; lane < kLanes; lane++) sums[lane] += one[j + lane] * other[j + lane];
  return std::accumulate(sums, sums + kLanes, T(0));
}

// Turns a padded matrix to what is above the diagonal of its factor, zeros elsewhere, and a last
// row of the diagonal's reciprocals. Whether all pivots were at least so large; others are taken
// for it.
template <typename T>
bool factorise(T* __restrict matrix, int64_t size, int64_t stride, T least) {
  T* __restrict reciprocals = matrix + size * stride;
  bool definite = true;
  for (int64_t k = 0; k < size; k++) {
    T* __restrict row = matrix + k * stride;
    definite &= row[k] >= least;
    const T reciprocal = 1 / std::sqrt(std::max(row[k], least));
    reciprocals[k] = reciprocal;
    std::fill_n(row, k + 1, T(0));
    for (int64_t j = 0; j < stride; j++) row[j] *= reciprocal;
    for (int64_t i = k + 1; i < size; i++) subtract(matrix + i * stride, row, row[i], i, stride);
  }
  return definite;
}

// Turns a padded row b to the x of x A = b.
template <typename T>
void solve(const T* __restrict factor, T* __restrict row, int64_t size, int64_t stride) {
  const T* __restrict reciprocals = factor + size * stride;
  for (int64_t k = 0; k < size; k++) {
    row[k] *= reciprocals[k];
    subtract(row, factor + k * stride, row[k], k, stride);
  }
  for (int64_t k = size - 1; k >= 0; k--)
    row[k] = (row[k] - product(factor + k * stride, row, k, stride)) * reciprocals[k];
}

// Copies rows between arrays of other widths; what is added is 0.
template <typename T>
void copy_rows(const T* from, int64_t width, T* to, int64_t stride, int64_t rows) {
  for (int64_t i = 0; i < rows; i++, from += width, to += stride) {
    std::copy_n(from, std::min(width, stride), to);
    std::fill_n(to + std::min(width, stride), stride - std::min(width, stride), T(0));
  }
}

// Shifts that are tried: the last one is far above the diagonal, unless that is not finite.
constexpr int kRounds = 20;

// Factors a shifted matrix [size, size]. One that rounding made indefinite is shifted further, ten
// times as far each time: pivots that are merely raised would multiply errors.
template <typename T>
void factorise_shifted(const T* matrix, T shift, T* factor, int64_t size, int64_t stride) {
  T largest = 1;
  for (int64_t i = 0; i < size; i++)
    largest = std::max(largest, std::abs(matrix[i * size + i] + shift));
  const T least = std::numeric_limits<T>::epsilon() * largest;
  T more = 0;
  for (int round = 0; round < kRounds; round++) {
    copy_rows(matrix, size, factor, stride, size);
    for (int64_t i = 0; i < size; i++) factor[i * stride + i] += shift + more;
    if (factorise(factor, size, stride, least)) break;
    more = std::max(10 * more, size * least);
  }
}

}  // namespace cholesky
