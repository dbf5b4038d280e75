// Functions of one number, by exponentials alone, which compilers know for vectors.

#pragma once

#include <algorithm>
#include <cmath>

namespace activations {

// Below -80 it is 0 but for 2e-35; the reciprocal of an infinity would be none where compilers take
// one that is refined in steps.
template <typename T>
T sigmoid(T x) {
  return 1 / (1 + std::exp(std::min(-x, T(80))));
}

template <typename T>
T tanh(T x) {
  return 2 * sigmoid(2 * x) - 1;
}

template <typename T>
T softplus(T x) {
  return x > 20 ? x : std::log1p(std::exp(x));
}

}  // namespace activations
