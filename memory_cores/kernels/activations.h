// Functions of one number, by exponentials alone, which compilers know for vectors.

#pragma once

#include <cmath>

namespace activations {

template <typename T>
T sigmoid(T x) {
  return 1 / (1 + std::exp(-x));
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
