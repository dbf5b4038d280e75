// How an NTM's heads find slots, by content and then by location, and its gradient: `ntm.address`.
// One sequence at a time, up to kLanes heads at a time.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "addressing.h"

namespace ntm_addressing {

using namespace addressing;

constexpr int64_t kShifts = 3;  // by one slot back, by none, by one on

// Length of the interface of K heads: [keys K W; strengths K; gates K; shifts K x 3; sharpness K].
inline int64_t interface_size(int64_t heads, int64_t words) {
  return heads * (words + 3 + kShifts);
}

template <typename T>
struct Address {
  Sizes s;
  int64_t heads = 0, first = 0;
  const T *memory = nullptr, *interface = nullptr;
  Content<T> content;
  Rows<T> before, gated, moved, weights, shifts;  // [N], and [3]
  Rows<T> gradient, by_moved;                     // [N]
  Lanes<T> gates, sharpness;

  explicit Address(Sizes s)
      : s(s),
        content(s),
        before(s.slots),
        gated(s.slots),
        moved(s.slots),
        weights(s.slots),
        shifts(kShifts),
        gradient(s.slots),
        by_moved(s.slots) {}

  // Where heads of the interface have their part of this kind, counted in numbers of a head.
  int64_t place(int64_t kind, int64_t width) const { return s.heads * kind + first * width; }
  const T* raw_gates() const { return interface + place(s.words + 1, 1); }
  const T* raw_shifts() const { return interface + place(s.words + 2, kShifts); }
  const T* raw_sharpness() const { return interface + place(s.words + 2 + kShifts, 1); }

  int64_t after(int64_t n) const { return n + 1 == s.slots ? 0 : n + 1; }
  int64_t ahead(int64_t n) const { return n == 0 ? s.slots - 1 : n - 1; }

  // Weights of heads from the given one on; `last` has those of the step before, [K, N].
  void compute(const T* new_memory, const std::vector<T>& inverses, const T* last,
               const T* new_interface, int64_t new_first) {
    memory = new_memory, interface = new_interface, first = new_first;
    heads = std::min(kLanes, s.heads - first);
    content.compute(memory, inverses, interface + first * s.words, interface + place(s.words, 1),
                    heads);
    side_by_side(last + first * s.slots, heads, before);
    clear<T>(shifts);
    gates = sharpness = Lanes<T>{};
    for (int64_t r = 0; r < heads; r++) {
      gates[r] = sigmoid(raw_gates()[r]);
      sharpness[r] = 1 + softplus(raw_sharpness()[r]);
      for (int64_t i = 0; i < kShifts; i++) shifts[i][r] = raw_shifts()[r * kShifts + i];
    }
    softmax<T>(shifts.data(), kShifts);
    for (int64_t n = 0; n < s.slots; n++)
      gated[n] = before[n] + gates * (content.weights[n] - before[n]);
    for (int64_t n = 0; n < s.slots; n++) {
      moved[n] = shifts[1] * gated[n] + shifts[0] * gated[after(n)] + shifts[2] * gated[ahead(n)];
      weights[n] = sharpness * logarithm(moved[n]);
    }
    softmax<T>(weights.data(), s.slots);
  }

  static Lanes<T> logarithm(const Lanes<T>& x) {
    Lanes<T> found;
    for (int64_t i = 0; i < kLanes; i++)
      found[i] = std::log(std::max(x[i], std::numeric_limits<T>::min()));
    return found;
  }

  // From the gradient of the weights, in `gradient`, which is used up; adds to those of memory and
  // inverses, and puts those of the weights before and of the interface.
  void backward(const std::vector<T>& inverses, T* to_memory, std::vector<T>& to_inverses,
                T* to_last, T* to_interface) {
    softmax_backward<T>(gradient.data(), weights.data(), s.slots);
    Lanes<T> to_sharpness{};
    for (int64_t n = 0; n < s.slots; n++) {
      to_sharpness += gradient[n] * logarithm(moved[n]);
      const Lanes<T> least = Lanes<T>{} + std::numeric_limits<T>::min();
      by_moved[n] = moved[n] >= least ? sharpness * gradient[n] / moved[n] : Lanes<T>{};
    }
    Lanes<T> to_shifts[kShifts] = {}, to_gates{};
    for (int64_t n = 0; n < s.slots; n++) {
      to_shifts[0] += by_moved[n] * gated[after(n)];
      to_shifts[1] += by_moved[n] * gated[n];
      to_shifts[2] += by_moved[n] * gated[ahead(n)];
      const Lanes<T> by_gated =
          shifts[1] * by_moved[n] + shifts[0] * by_moved[ahead(n)] + shifts[2] * by_moved[after(n)];
      to_gates += by_gated * (content.weights[n] - before[n]);
      gradient[n] = gates * by_gated;      // of the content's weights
      before[n] = by_gated - gradient[n];  // now their gradient
    }
    softmax_backward<T>(to_shifts, shifts.data(), kShifts);
    head_by_head(before, to_last + first * s.slots, heads);
    T *gate = to_interface + place(s.words + 1, 1),
      *shift = to_interface + place(s.words + 2, kShifts),
      *sharp = to_interface + place(s.words + 2 + kShifts, 1);
    for (int64_t r = 0; r < heads; r++) {
      gate[r] = to_gates[r] * gates[r] * (1 - gates[r]);
      sharp[r] = to_sharpness[r] * sigmoid(raw_sharpness()[r]);
      for (int64_t i = 0; i < kShifts; i++) shift[r * kShifts + i] = to_shifts[i][r];
    }
    content.backward(memory, inverses, gradient, to_memory, to_inverses,
                     to_interface + first * s.words, to_interface + place(s.words, 1));
  }
};

}  // namespace ntm_addressing
