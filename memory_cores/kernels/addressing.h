// How cores find slots: by content, and a DNC by what is free; one sequence at a time. What a class
// computes stays in it until it computes the next one, in memory that it asks for once.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <vector>

#include "activations.h"

namespace addressing {

using activations::sigmoid;
using activations::softplus;

constexpr double kEpsilon = 1e-6;  // addressing.EPSILON

struct Sizes {
  int64_t slots, words, heads;
};

template <typename T>
T dot(const T* a, const T* b, int64_t n) {
  T sum = 0;
  for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

// to += factor * from
template <typename T>
void add(T* to, T factor, const T* from, int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i] += factor * from[i];
}

// What up to kLanes heads have, side by side, so that one instruction serves them all. Lanes
// without a head hold zeros, or what zeros lead to; their gradients are zeros.
constexpr int64_t kLanes = 8;

template <typename T>
struct Vector {
  typedef T type __attribute__((vector_size(kLanes * sizeof(T))));
};
template <typename T>
using Lanes = typename Vector<T>::type;
template <typename T>
using Rows = std::vector<Lanes<T>>;

template <typename T>
Lanes<T> load(const T* from) {
  Lanes<T> lanes;
  std::memcpy(&lanes, from, sizeof(lanes));
  return lanes;
}

template <typename T>
void store(T* to, const Lanes<T>& lanes) {
  std::memcpy(to, &lanes, sizeof(lanes));
}

template <typename T>
void clear(Rows<T>& rows) {
  std::fill(rows.begin(), rows.end(), Lanes<T>{});
}

// [heads, length], head by head, to rows [length].
template <typename T>
void side_by_side(const T* from, int64_t heads, Rows<T>& rows) {
  const int64_t length = rows.size();
  clear<T>(rows);
  for (int64_t r = 0; r < heads; r++)
    for (int64_t i = 0; i < length; i++) rows[i][r] = from[r * length + i];
}

// The way back.
template <typename T>
void head_by_head(const Rows<T>& rows, T* to, int64_t heads) {
  const int64_t length = rows.size();
  for (int64_t r = 0; r < heads; r++)
    for (int64_t i = 0; i < length; i++) to[r * length + i] = rows[i][r];
}

// to[i] += sum over j of matrix[i * down + j * right] * rows[j], for so many i at a time that no
// sum has to wait for its last addition.
template <int64_t kTogether, typename T>
int64_t add_products(Rows<T>& to, const T* matrix, int64_t down, int64_t right, const Rows<T>& rows,
                     int64_t i) {
  const int64_t height = to.size(), width = rows.size();
  for (; i + kTogether <= height; i += kTogether) {
    Lanes<T> sums[kTogether];
    for (int64_t k = 0; k < kTogether; k++) sums[k] = to[i + k];
    for (int64_t j = 0; j < width; j++)
      for (int64_t k = 0; k < kTogether; k++)
        sums[k] += matrix[(i + k) * down + j * right] * rows[j];
    for (int64_t k = 0; k < kTogether; k++) to[i + k] = sums[k];
  }
  return i;
}

template <typename T>
void add_product(Rows<T>& to, const T* matrix, int64_t down, int64_t right, const Rows<T>& rows) {
  const int64_t done = add_products<8>(to, matrix, down, right, rows, 0);
  add_products<1>(to, matrix, down, right, rows, done);
}

// to[i] += sum over h of factors[h] * from[h, i], for i from the given one to length.
template <int64_t kTogether, typename T>
int64_t add_rows_of(T* to, const T* factors, const T* from, int64_t height, int64_t length,
                    int64_t i) {
  for (; i + kTogether * kLanes <= length; i += kTogether * kLanes) {
    Lanes<T> sums[kTogether];
    for (int64_t k = 0; k < kTogether; k++) sums[k] = load(to + i + k * kLanes);
    for (int64_t h = 0; h < height; h++)
      for (int64_t k = 0; k < kTogether; k++)
        sums[k] += factors[h] * load(from + h * length + i + k * kLanes);
    for (int64_t k = 0; k < kTogether; k++) store(to + i + k * kLanes, sums[k]);
  }
  return i;
}

template <typename T>
void add_rows(T* to, const T* factors, const T* from, int64_t height, int64_t length) {
  int64_t i = add_rows_of<4>(to, factors, from, height, length, 0);
  i = add_rows_of<3>(to, factors, from, height, length, i);
  i = add_rows_of<2>(to, factors, from, height, length, i);
  i = add_rows_of<1>(to, factors, from, height, length, i);
  for (; i < length; i++)
    for (int64_t h = 0; h < height; h++) to[i] += factors[h] * from[h * length + i];
}

template <typename T>
Lanes<T> dot(const Rows<T>& a, const Rows<T>& b) {
  Lanes<T> sum{};
  for (size_t i = 0; i < a.size(); i++) sum += a[i] * b[i];
  return sum;
}

template <typename T>
void softmax(Lanes<T>* x, int64_t n) {
  Lanes<T> largest = x[0], sum{};
  for (int64_t i = 1; i < n; i++) largest = x[i] > largest ? x[i] : largest;
  for (int64_t i = 0; i < n; i++) x[i] -= largest;
  T* each = reinterpret_cast<T*>(x);
  for (int64_t i = 0; i < n * kLanes; i++) each[i] = std::exp(each[i]);
  for (int64_t i = 0; i < n; i++) sum += x[i];
  for (int64_t i = 0; i < n; i++) x[i] /= sum;
}

// Gradient of the scores of a softmax, in place of that of its weights.
template <typename T>
void softmax_backward(Lanes<T>* gradient, const Lanes<T>* weights, int64_t n) {
  Lanes<T> mean{};
  for (int64_t i = 0; i < n; i++) mean += gradient[i] * weights[i];
  for (int64_t i = 0; i < n; i++) gradient[i] = weights[i] * (gradient[i] - mean);
}

template <typename T>
T inverse_norm(const T* row, int64_t n) {
  return 1 / std::sqrt(dot(row, row, n) + T(kEpsilon));
}

template <typename T>
void inverse_norms(const T* memory, std::vector<T>& inverses, Sizes sizes) {
  for (int64_t n = 0; n < sizes.slots; n++)
    inverses[n] = inverse_norm(memory + n * sizes.words, sizes.words);
}

template <typename T>
void inverse_norms_backward(const T* memory, const std::vector<T>& inverses,
                            const std::vector<T>& gradient, T* to_memory, Sizes sizes) {
  for (int64_t n = 0; n < sizes.slots; n++) {
    const T factor = -gradient[n] * inverses[n] * inverses[n] * inverses[n];
    add(to_memory + n * sizes.words, factor, memory + n * sizes.words, sizes.words);
  }
}

// Content-based addressing with up to kLanes keys: `addressing.content_weights`.
template <typename T>
struct Content {
  Sizes s;
  const T *keys = nullptr, *raw_strengths = nullptr;
  int64_t heads = 0;
  Rows<T> key, scaled, to_key;  // [W]
  Rows<T> alike, weights;       // [N]; a slot times the key, times its strength over its norm
  Lanes<T> inverse, strength;

  explicit Content(Sizes s)
      : s(s), key(s.words), scaled(s.words), to_key(s.words), alike(s.slots), weights(s.slots) {}

  void compute(const T* memory, const std::vector<T>& inverses, const T* new_keys,
               const T* new_strengths, int64_t new_heads) {
    keys = new_keys, raw_strengths = new_strengths, heads = new_heads;
    inverse = strength = Lanes<T>{};
    for (int64_t r = 0; r < heads; r++) {
      inverse[r] = inverse_norm(keys + r * s.words, s.words);
      strength[r] = softplus(raw_strengths[r]);
    }
    side_by_side(keys, heads, key);
    for (int64_t k = 0; k < s.words; k++) scaled[k] = strength * inverse * key[k];
    clear<T>(alike);
    add_product(alike, memory, s.words, 1, scaled);
    for (int64_t n = 0; n < s.slots; n++) weights[n] = alike[n] * inverses[n];
    softmax<T>(weights.data(), s.slots);
  }

  // From the gradient of the weights, which is used up; adds to those of memory and inverses.
  void backward(const T* memory, const std::vector<T>& inverses, Rows<T>& gradient, T* to_memory,
                std::vector<T>& to_inverses, T* to_keys, T* to_strengths) {
    softmax_backward<T>(gradient.data(), weights.data(), s.slots);
    for (int64_t n = 0; n < s.slots; n++) {
      for (int64_t r = 0; r < heads; r++) to_inverses[n] += gradient[n][r] * alike[n][r];
      gradient[n] *= inverses[n];
      const Lanes<T> factors = gradient[n] * strength * inverse;
      add_rows(to_memory + n * s.words, reinterpret_cast<const T*>(&factors), keys, heads, s.words);
    }
    clear<T>(to_key);
    add_product(to_key, memory, 1, s.words, gradient);
    const Lanes<T> along = dot<T>(to_key, key);
    const Lanes<T> shrink = strength * inverse * inverse * inverse * along;
    for (int64_t k = 0; k < s.words; k++)
      to_key[k] = strength * inverse * to_key[k] - shrink * key[k];
    head_by_head(to_key, to_keys, heads);
    for (int64_t r = 0; r < heads; r++)
      to_strengths[r] = inverse[r] * along[r] * sigmoid(raw_strengths[r]);
  }
};

// Weighting that prefers the least used slots: `addressing.allocation_weights`.
template <typename T>
struct Allocation {
  std::vector<T> used;         // [N]
  std::vector<T> before;       // [N], product of the usage of all freer slots
  std::vector<T> weights;      // [N]
  std::vector<int64_t> order;  // [N], freest first

  explicit Allocation(int64_t slots) : used(slots), before(slots), weights(slots), order(slots) {}

  void compute(const std::vector<T>& usage) {
    for (size_t n = 0; n < used.size(); n++) used[n] = T(kEpsilon) + (1 - T(kEpsilon)) * usage[n];
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [this](int64_t a, int64_t b) { return used[a] < used[b]; });
    T product = 1;
    for (int64_t n : order) {
      before[n] = product;
      weights[n] = (1 - used[n]) * product;
      product *= used[n];
    }
  }

  // Adds to the gradient of the usage.
  void backward(const std::vector<T>& gradient, T* to_usage) const {
    T later = 0;
    for (auto n = order.rbegin(); n != order.rend(); n++) {
      const T to_used = later / used[*n] - gradient[*n] * before[*n];
      to_usage[*n] += to_used * (1 - T(kEpsilon));
      later += gradient[*n] * weights[*n];
    }
  }
};

}  // namespace addressing
