// A DNC's read, and its gradients: what `DNC.read` does, sequence by sequence, with its read heads
// side by side in vectors. See `dnc_write.h` for sizes and names.

#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "addressing.h"
#include "sequences.h"

namespace dnc_read {

using at::Tensor;
using namespace addressing;
using sequences::data;
using sequences::for_each_sequence;
using Two = std::tuple<Tensor, Tensor>;
using Four = std::tuple<Tensor, Tensor, Tensor, Tensor>;

// Up to kLanes read heads, from the given first one on: `DNC.read`. The interface is
// [keys R W; strengths R; modes R x 3], with the modes in the order backward, forward, content.
template <typename T>
struct Reading {
  Sizes s;
  int64_t heads = 0;
  const T* last = nullptr;
  std::vector<T> inverses;
  Content<T> content;
  Rows<T> words, from, modes, forward, backward, weights;

  explicit Reading(Sizes s)
      : s(s),
        inverses(s.slots),
        content(s),
        words(s.words),
        from(s.slots),
        modes(3),
        forward(s.slots),
        backward(s.slots),
        weights(s.slots) {}

  void compute(const T* memory, const T* link, const T* last_reads, const T* interface,
               int64_t first) {
    heads = std::min(kLanes, s.heads - first);
    last = last_reads + first * s.slots;
    if (first == 0) inverse_norms(memory, inverses, s);
    content.compute(memory, inverses, interface + first * s.words,
                    interface + s.heads * s.words + first, heads);
    side_by_side(last, heads, from);
    const T* raw = interface + s.heads * (s.words + 1) + 3 * first;
    clear<T>(modes);
    for (int64_t r = 0; r < heads; r++)
      for (int64_t mode = 0; mode < 3; mode++) modes[mode][r] = raw[3 * r + mode];
    softmax<T>(modes.data(), 3);
    clear<T>(forward);
    clear<T>(backward);
    add_product(forward, link, s.slots, 1, from);
    add_product(backward, link, 1, s.slots, from);
    for (int64_t n = 0; n < s.slots; n++) {
      // Links fade by 1 - w[i] - w[j], which rounding can take below 0.
      const Lanes<T> steps = modes[0] * backward[n] + modes[1] * forward[n];
      weights[n] = (steps > 0 ? steps : Lanes<T>{}) + modes[2] * content.weights[n];
    }
  }
};

// What is read, and the read weights.
inline Two forward(const Tensor& memory, const Tensor& link, const Tensor& reads,
                   const Tensor& interface) {
  const Sizes s{memory.size(1), memory.size(2), reads.size(1)};
  sequences::require_shape(interface, {memory.size(0), s.heads * (s.words + 4)},
                           "the read interface");
  Tensor found = at::detail::empty_cpu({memory.size(0), s.heads * s.words}, memory.options()),
         weights = sequences::empty_like(reads);
  AT_DISPATCH_FLOATING_TYPES(memory.scalar_type(), "dnc_read", [&] {
    using T = scalar_t;
    for_each_sequence<Reading<T>>(memory, s, [&](Reading<T>& step, int64_t b) {
      const T *M = data<T>(memory, b), *L = data<T>(link, b), *last = data<T>(reads, b),
              *own = data<T>(interface, b);
      for (int64_t first = 0; first < s.heads; first += kLanes) {
        step.compute(M, L, last, own, first);
        clear<T>(step.words);
        add_product(step.words, M, 1, s.words, step.weights);
        head_by_head(step.words, data<T>(found, b) + first * s.words, step.heads);
        head_by_head(step.weights, data<T>(weights, b) + first * s.slots, step.heads);
      }
    });
  });
  return {found, weights};
}

// Where a gradient of a reading is computed. A head's row of `onto` is what it follows to a link.
template <typename T>
struct ReadGradients : Reading<T> {
  Rows<T> dw, by_backward, by_forward, by_content, to_last;
  std::vector<T> to_inverses, onto, factors;

  explicit ReadGradients(Sizes s)
      : Reading<T>(s),
        dw(s.slots),
        by_backward(s.slots),
        by_forward(s.slots),
        by_content(s.slots),
        to_last(s.slots),
        to_inverses(s.slots),
        onto(2 * kLanes * s.slots),
        factors(2 * kLanes) {}
};

// Gradients of memory, link, last read weights and interface, with those of memory and link that
// are known added to them.
inline Four backward(const Tensor& memory, const Tensor& link, const Tensor& reads,
                     const Tensor& interface, const Tensor& by_found, const Tensor& by_weights,
                     const Tensor& by_memory, const Tensor& by_link) {
  const Sizes s{memory.size(1), memory.size(2), reads.size(1)};
  Tensor to_memory = sequences::empty_like(memory), to_link = sequences::empty_like(link),
         to_reads = sequences::empty_like(reads), to_interface = sequences::empty_like(interface);
  AT_DISPATCH_FLOATING_TYPES(memory.scalar_type(), "dnc_read_backward", [&] {
    using T = scalar_t;
    for_each_sequence<ReadGradients<T>>(memory, s, [&](ReadGradients<T>& step, int64_t b) {
      Rows<T>&dw = step.dw, &by_backward = step.by_backward, &by_forward = step.by_forward,
      &by_content = step.by_content, &to_last = step.to_last;
      const int64_t N = s.slots, W = s.words;
      const T *M = data<T>(memory, b), *L = data<T>(link, b), *last = data<T>(reads, b),
              *own = data<T>(interface, b);
      std::fill(step.to_inverses.begin(), step.to_inverses.end(), 0);
      T *dM = data<T>(to_memory, b), *dL = data<T>(to_link, b), *di = data<T>(to_interface, b);
      for (int64_t first = 0; first < s.heads; first += kLanes) {
        step.compute(M, L, last, own, first);
        const T* g = data<T>(by_found, b) + first * W;

        // The weights, and how each kind of them was wanted.
        side_by_side(data<T>(by_weights, b) + first * N, step.heads, dw);
        side_by_side(g, step.heads, step.words);
        add_product(dw, M, W, 1, step.words);
        Lanes<T> to_modes[] = {dot<T>(dw, step.backward), dot<T>(dw, step.forward),
                               dot<T>(dw, step.content.weights)};
        softmax_backward<T>(to_modes, step.modes.data(), 3);
        T* modes = di + s.heads * (W + 1) + 3 * first;
        for (int64_t r = 0; r < step.heads; r++)
          for (int64_t mode = 0; mode < 3; mode++) modes[3 * r + mode] = to_modes[mode][r];

        // The steps along the links, and back.
        for (int64_t n = 0; n < N; n++) {
          by_backward[n] = step.modes[0] * dw[n];
          by_forward[n] = step.modes[1] * dw[n];
          by_content[n] = step.modes[2] * dw[n];
        }
        clear<T>(to_last);
        add_product(to_last, L, 1, N, by_forward);
        add_product(to_last, L, N, 1, by_backward);
        head_by_head(to_last, data<T>(to_reads, b) + first * N, step.heads);
        std::copy(step.last, step.last + step.heads * N, step.onto.begin());
        head_by_head(by_backward, step.onto.data() + step.heads * N, step.heads);
        for (int64_t n = 0; n < N; n++) {
          for (int64_t r = 0; r < step.heads; r++) {
            step.factors[r] = by_forward[n][r];
            step.factors[step.heads + r] = step.from[n][r];
          }
          if (first == 0) {
            std::copy_n(data<T>(by_link, b) + n * N, N, dL + n * N);
            std::copy_n(data<T>(by_memory, b) + n * W, W, dM + n * W);
          }
          add_rows(dL + n * N, step.factors.data(), step.onto.data(), 2 * step.heads, N);
          add_rows(dM + n * W, reinterpret_cast<const T*>(&step.weights[n]), g, step.heads, W);
        }
        step.content.backward(M, step.inverses, by_content, dM, step.to_inverses, di + first * W,
                              di + s.heads * W + first);
      }
      inverse_norms_backward(M, step.inverses, step.to_inverses, dM, s);
    });
  });
  return {to_memory, to_link, to_reads, to_interface};
}

}  // namespace dnc_read
