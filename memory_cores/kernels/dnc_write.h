// A DNC's write with one write head, and its gradients: what `DNC.write` does, sequence by
// sequence. Gradients compute what they need of the step again instead of keeping it.
//
// Sizes, as in `memory_cores/dnc.py`: B sequences, N slots of W words, R read heads. Arrays are row
// by row, and the name of a gradient begins with `to_` if it is computed here, with `by_` if it is
// given.

#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <tuple>
#include <vector>

#include "addressing.h"
#include "sequences.h"

namespace dnc_write {

using at::Tensor;
using namespace addressing;
using sequences::data;
using sequences::for_each_sequence;
using Five = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor>;
using Six = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;

// Where a write head writes, and what of the slots is in use: the first half of `DNC.write`.
// The interface is [key W; vector W; erase W; strength; allocation gate; write gate; free gates R].
template <typename T>
struct Writing {
  Sizes s;
  const T* vector = nullptr;
  std::vector<T> erase, free, kept, psi, usage, inverses, weights;
  T allocation_gate, write_gate, present;
  Content<T> content;
  Allocation<T> allocation;

  explicit Writing(Sizes s)
      : s(s),
        erase(s.words),
        free(s.heads),
        kept(s.slots),
        psi(s.slots),
        usage(s.slots),
        inverses(s.slots),
        weights(s.slots),
        content(s),
        allocation(s.slots) {}

  void compute(const T* memory, const T* last_usage, const T* last_writes, const T* last_reads,
               const T* interface, T is_present) {
    const T* gates = interface + 3 * s.words + 1;
    vector = interface + s.words;
    allocation_gate = sigmoid(gates[0]), write_gate = sigmoid(gates[1]), present = is_present;
    inverse_norms(memory, inverses, s);
    content.compute(memory, inverses, interface, gates - 1, 1);
    std::fill(psi.begin(), psi.end(), 1);
    for (int64_t k = 0; k < s.words; k++) erase[k] = sigmoid(interface[2 * s.words + k]);
    for (int64_t r = 0; r < s.heads; r++) free[r] = sigmoid(gates[2 + r]);
    for (int64_t r = 0; r < s.heads; r++)
      for (int64_t n = 0; n < s.slots; n++) psi[n] *= 1 - free[r] * last_reads[r * s.slots + n];
    for (int64_t n = 0; n < s.slots; n++) {
      kept[n] = 1 - (1 - last_usage[n]) * (1 - last_writes[n]);
      usage[n] = kept[n] * psi[n];
    }
    allocation.compute(usage);
    for (int64_t n = 0; n < s.slots; n++) weights[n] = write_gate * present * chosen(n);
  }

  // The weight of a slot if the write gate is open.
  T chosen(int64_t n) const {
    const T c = content.weights[n][0];
    return c + allocation_gate * (allocation.weights[n] - c);
  }
};

// The new memory, usage, precedence, links and write weights. Only read heads follow links: without
// any, there is neither precedence [B, 0, N] nor link [B, 0, N, N].
inline Five forward(const Tensor& memory, const Tensor& usage, const Tensor& precedence,
                    const Tensor& link, const Tensor& writes, const Tensor& reads,
                    const Tensor& interface, const Tensor& present) {
  const Sizes s{memory.size(1), memory.size(2), reads.size(1)};
  const int64_t B = memory.size(0);
  sequences::require_shape(memory, {B, s.slots, s.words}, "memory");
  sequences::require_shape(usage, {B, s.slots}, "usage");
  const int64_t linking = s.heads > 0;
  sequences::require_shape(precedence, {B, linking, s.slots}, "precedence");
  sequences::require_shape(link, {B, linking, s.slots, s.slots}, "link");
  sequences::require_shape(writes, {B, 1, s.slots}, "write weights");
  sequences::require_shape(reads, {B, s.heads, s.slots}, "read weights");
  sequences::require_shape(interface, {B, 3 * s.words + 3 + s.heads}, "the write interface");
  sequences::require_shape(present, {B, 1}, "whether there is an item");
  Tensor new_memory = sequences::empty_like(memory), new_usage = sequences::empty_like(usage),
         new_precedence = sequences::empty_like(precedence), new_link = sequences::empty_like(link),
         new_writes = sequences::empty_like(writes);
  AT_DISPATCH_FLOATING_TYPES(memory.scalar_type(), "dnc_write", [&] {
    using T = scalar_t;
    for_each_sequence<Writing<T>>(memory, s, [&](Writing<T>& step, int64_t b) {
      const T *M = data<T>(memory, b), *p = data<T>(precedence, b), *L = data<T>(link, b);
      step.compute(M, data<T>(usage, b), data<T>(writes, b), data<T>(reads, b),
                   data<T>(interface, b), *data<T>(present, b));
      const std::vector<T>& w = step.weights;
      T *next_memory = data<T>(new_memory, b), *next_link = data<T>(new_link, b),
        *next_precedence = data<T>(new_precedence, b);
      std::copy(step.usage.begin(), step.usage.end(), data<T>(new_usage, b));
      std::copy(w.begin(), w.end(), data<T>(new_writes, b));
      const T total = std::accumulate(w.begin(), w.end(), T(0));
      for (int64_t n = 0; n < s.slots; n++) {
        const T* row = M + n * s.words;
        T* to = next_memory + n * s.words;
        for (int64_t k = 0; k < s.words; k++)
          to[k] = row[k] * (1 - w[n] * step.erase[k]) + w[n] * step.vector[k];
        if (!linking) continue;
        next_precedence[n] = (1 - total) * p[n] + w[n];
        const T* from = L + n * s.slots;
        T* links = next_link + n * s.slots;
        for (int64_t m = 0; m < s.slots; m++) links[m] = (1 - w[n] - w[m]) * from[m] + w[n] * p[m];
        links[n] = 0;
      }
    });
  });
  return {new_memory, new_usage, new_precedence, new_link, new_writes};
}

// Gradient of the weight with which a slot's row was written.
template <typename T>
T memory_row_backward(const T* __restrict gradient, const T* __restrict row, T weight,
                      const T* __restrict vector, const T* __restrict erase, T* __restrict to_row,
                      T* __restrict to_vector, T* __restrict to_erase, int64_t words) {
  T to_weight = 0;
  for (int64_t k = 0; k < words; k++) {
    const T g = gradient[k], m = row[k];
    to_row[k] = g * (1 - weight * erase[k]);
    to_weight += g * (vector[k] - m * erase[k]);
    to_vector[k] += g * weight;
    to_erase[k] -= g * weight * m;
  }
  return to_weight;
}

// The same for a slot's row of links, as if the diagonal were one of them.
template <typename T>
T link_row_backward(const T* __restrict gradient, const T* __restrict row, T weight,
                    const T* __restrict weights, const T* __restrict precedence,
                    T* __restrict to_row, T* __restrict to_weights, T* __restrict to_precedence,
                    int64_t slots) {
  T to_weight = 0;
  for (int64_t m = 0; m < slots; m++) {
    const T g = gradient[m], l = row[m];
    to_row[m] = g * (1 - weight - weights[m]);
    to_weight += g * (precedence[m] - l);
    to_weights[m] -= g * l;
    to_precedence[m] += g * weight;
  }
  return to_weight;
}

// Gradients of a sequence's precedence and links, and more of those of the weights.
template <typename T>
void links_backward(const T* by_precedence, const T* by_link, const T* precedence, const T* link,
                    const T* weights, T* to_precedence, T* to_link, T* to_weights, int64_t slots) {
  const T total = std::accumulate(weights, weights + slots, T(0)),
          to_total = -dot(by_precedence, precedence, slots);
  for (int64_t n = 0; n < slots; n++) {
    to_precedence[n] = (1 - total) * by_precedence[n];
    to_weights[n] += by_precedence[n] + to_total;
  }
  for (int64_t n = 0; n < slots; n++) {
    const int64_t row = n * slots;
    const T diagonal = by_link[row + n];
    const T diagonal_link = diagonal * (precedence[n] - 2 * link[row + n]);
    to_weights[n] += link_row_backward(by_link + row, link + row, weights[n], weights, precedence,
                                       to_link + row, to_weights, to_precedence, slots);
    // The diagonal is zero whatever the weights.
    to_link[row + n] = 0;
    to_precedence[n] -= diagonal * weights[n];
    to_weights[n] -= diagonal_link;
  }
}

// Where a gradient of a writing is computed.
template <typename T>
struct WriteGradients : Writing<T> {
  Rows<T> by_content;
  std::vector<T> dw, by_allocation, by_used, to_inverses;

  explicit WriteGradients(Sizes s)
      : Writing<T>(s),
        by_content(s.slots),
        dw(s.slots),
        by_allocation(s.slots),
        by_used(s.slots),
        to_inverses(s.slots) {}
};

// Gradients of memory, usage, precedence, link, read weights and interface; as in Python, the
// usage passes none to the last write weights. The read weights' gradients are added to those
// known.
inline Six backward(const Tensor& memory, const Tensor& usage, const Tensor& precedence,
                    const Tensor& link, const Tensor& writes, const Tensor& reads,
                    const Tensor& interface, const Tensor& present, const Tensor& by_memory,
                    const Tensor& by_usage, const Tensor& by_precedence, const Tensor& by_link,
                    const Tensor& by_writes, const Tensor& by_reads) {
  const Sizes s{memory.size(1), memory.size(2), reads.size(1)};
  Tensor to_memory = sequences::empty_like(memory), to_usage = sequences::empty_like(usage),
         to_precedence = sequences::empty_like(precedence), to_link = sequences::empty_like(link),
         to_reads = sequences::empty_like(reads), to_interface = sequences::empty_like(interface);
  AT_DISPATCH_FLOATING_TYPES(memory.scalar_type(), "dnc_write_backward", [&] {
    using T = scalar_t;
    for_each_sequence<WriteGradients<T>>(memory, s, [&](WriteGradients<T>& step, int64_t b) {
      const int64_t N = s.slots, W = s.words;
      const T *M = data<T>(memory, b), *p = data<T>(precedence, b), *L = data<T>(link, b),
              *u = data<T>(usage, b), *last = data<T>(writes, b), *q = data<T>(reads, b);
      step.compute(M, u, last, q, data<T>(interface, b), *data<T>(present, b));
      const std::vector<T>& w = step.weights;
      T *dM = data<T>(to_memory, b), *dL = data<T>(to_link, b), *dp = data<T>(to_precedence, b),
        *du = data<T>(to_usage, b), *dq = data<T>(to_reads, b), *di = data<T>(to_interface, b);
      const T *gM = data<T>(by_memory, b), *gL = data<T>(by_link, b),
              *gp = data<T>(by_precedence, b), *gu = data<T>(by_usage, b),
              *known = data<T>(by_reads, b);
      std::fill_n(di, interface.size(1), 0);
      std::vector<T>& dw = step.dw;
      std::copy_n(data<T>(by_writes, b), N, dw.begin());

      // Memory, precedence and links, each by the weights.
      T *to_vector = di + W, *to_erase = di + 2 * W;
      for (int64_t n = 0; n < N; n++)
        dw[n] += memory_row_backward(gM + n * W, M + n * W, w[n], step.vector, step.erase.data(),
                                     dM + n * W, to_vector, to_erase, W);
      if (s.heads) links_backward(gp, gL, p, L, w.data(), dp, dL, dw.data(), N);

      // The weights, by content and by allocation.
      const T open = step.write_gate * step.present, ga = step.allocation_gate;
      clear<T>(step.by_content);
      std::fill(step.to_inverses.begin(), step.to_inverses.end(), 0);
      T to_gate = 0, to_allocation_gate = 0;
      for (int64_t n = 0; n < N; n++) {
        to_gate += dw[n] * step.chosen(n) * step.present;
        to_allocation_gate +=
            dw[n] * open * (step.allocation.weights[n] - step.content.weights[n][0]);
        step.by_content[n][0] = dw[n] * open * (1 - ga);
        step.by_allocation[n] = dw[n] * open * ga;
      }
      step.content.backward(M, step.inverses, step.by_content, dM, step.to_inverses, di,
                            di + 3 * W);
      inverse_norms_backward(M, step.inverses, step.to_inverses, dM, s);

      // Usage, by what was kept of it and by what was freed.
      std::vector<T>& by_used = step.by_used;
      std::copy_n(gu, N, by_used.begin());
      step.allocation.backward(step.by_allocation, by_used.data());
      T* to_gates = di + 3 * W + 1;
      to_gates[0] = to_allocation_gate * ga * (1 - ga);
      to_gates[1] = to_gate * step.write_gate * (1 - step.write_gate);
      for (int64_t n = 0; n < N; n++) du[n] = by_used[n] * step.psi[n] * (1 - last[n]);
      for (int64_t r = 0; r < s.heads; r++) {
        for (int64_t n = 0; n < N; n++) {
          T others = by_used[n] * step.kept[n];
          for (int64_t o = 0; o < s.heads; o++)
            if (o != r) others *= 1 - step.free[o] * q[o * N + n];
          dq[r * N + n] = known[r * N + n] - others * step.free[r];
          to_gates[2 + r] -= others * q[r * N + n];
        }
        to_gates[2 + r] *= step.free[r] * (1 - step.free[r]);
      }
      for (int64_t k = 0; k < W; k++) to_erase[k] *= step.erase[k] * (1 - step.erase[k]);
    });
  });
  return {to_memory, to_usage, to_precedence, to_link, to_reads, to_interface};
}

}  // namespace dnc_write
