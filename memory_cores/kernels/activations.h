// Functions of one number, by exponentials alone, which compilers know for vectors.
//
// Exponents are never positive: with -ffast-math an overflow is not infinity but anything, and one
// over it is NaN. A gate of 44.4 was enough.

#pragma once

#include <cmath>

namespace activations {

template <typename T>
T sigmoid(T x) {
  const T small = std::exp(-std::abs(x)), large = 1 / (1 + small);
  return x < 0 ? small * large : large;
}

template <typename T>
T tanh(T x) {
  return 2 * sigmoid(2 * x) - 1;
}

template <typename T>
T softplus(T x) {
  return (x > 0 ? x : 0) + std::log1p(std::exp(-std::abs(x)));
}

}  // namespace activations
