// One step of a DNC's memory with one write head, and its gradients: what `DNC.write` and `DNC.read`
// do, sequence by sequence. Gradients compute what they need of the step again instead of keeping it.
//
// Sizes, as in `dnc.py`: B sequences, N slots of W words, R read heads. Arrays are row by row, and the
// name of a gradient begins with `to_` if it is computed here, with `by_` if it is given.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "dnc_addressing.h"

namespace {

using at::Tensor;
using namespace dnc_addressing;

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

// What a contiguous tensor [B, ...] holds of one sequence.
template <typename T>
T* data(const Tensor& tensor, int64_t sequence) {
  return tensor.data_ptr<T>() + sequence * (tensor.numel() / tensor.size(0));
}

// Calls function(step, b), where each thread has a step of its own for all of its sequences.
template <typename Step, typename Function>
void for_each_sequence(const Tensor& tensor, Sizes s, const Function& function) {
  at::parallel_for(0, tensor.size(0), 1, [&](int64_t first, int64_t last) {
    Step step(s);
    for (int64_t b = first; b < last; b++) function(step, b);
  });
}

using Five = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor>;
using Six = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;
using Four = std::tuple<Tensor, Tensor, Tensor, Tensor>;

Five write_forward(const Tensor& memory, const Tensor& usage, const Tensor& precedence, const Tensor& link,
           const Tensor& writes, const Tensor& reads, const Tensor& interface,
           const Tensor& present) {
  const Sizes s{memory.size(1), memory.size(2), reads.size(1)};
  Tensor new_memory = at::empty_like(memory), new_usage = at::empty_like(usage),
         new_precedence = at::empty_like(precedence), new_link = at::empty_like(link),
         new_writes = at::empty_like(writes);
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
        next_precedence[n] = (1 - total) * p[n] + w[n];
        const T *row = M + n * s.words, *from = L + n * s.slots;
        T *to = next_memory + n * s.words, *links = next_link + n * s.slots;
        for (int64_t k = 0; k < s.words; k++)
          to[k] = row[k] * (1 - w[n] * step.erase[k]) + w[n] * step.vector[k];
        for (int64_t m = 0; m < s.slots; m++)
          links[m] = (1 - w[n] - w[m]) * from[m] + w[n] * p[m];
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

// Gradients of memory, usage, precedence, link, read weights and interface; as in `dnc.py`, the
// usage passes none to the last write weights.
Six write_backward(const Tensor& memory, const Tensor& usage, const Tensor& precedence,
                   const Tensor& link, const Tensor& writes, const Tensor& reads,
                   const Tensor& interface, const Tensor& present, const Tensor& by_memory,
                   const Tensor& by_usage, const Tensor& by_precedence, const Tensor& by_link,
                   const Tensor& by_writes) {
  const Sizes s{memory.size(1), memory.size(2), reads.size(1)};
  Tensor to_memory = at::empty_like(memory), to_usage = at::empty_like(usage),
         to_precedence = at::empty_like(precedence), to_link = at::empty_like(link),
         to_reads = at::empty_like(reads), to_interface = at::zeros_like(interface);
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
              *gp = data<T>(by_precedence, b), *gu = data<T>(by_usage, b);
      std::vector<T>& dw = step.dw;
      std::copy_n(data<T>(by_writes, b), N, dw.begin());

      // Precedence, memory and links, each by the weights.
      const T total = std::accumulate(w.begin(), w.end(), T(0)), to_total = -dot(gp, p, N);
      T *to_vector = di + W, *to_erase = di + 2 * W;
      for (int64_t n = 0; n < N; n++) {
        dp[n] = (1 - total) * gp[n];
        dw[n] += gp[n] + to_total;
      }
      for (int64_t n = 0; n < N; n++) {
        const int64_t word = n * W, slot = n * N;
        const T diagonal_link = gL[slot + n] * (p[n] - 2 * L[slot + n]);
        const T diagonal_precedence = gL[slot + n] * w[n];
        const T to_weight = memory_row_backward(gM + word, M + word, w[n], step.vector,
                                                step.erase.data(), dM + word, to_vector, to_erase, W) +
                            link_row_backward(gL + slot, L + slot, w[n], w.data(), p, dL + slot,
                                              dw.data(), dp, N);
        // The diagonal is zero whatever the weights.
        dL[slot + n] = 0;
        dp[n] -= diagonal_precedence;
        dw[n] += to_weight - diagonal_link;
      }

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
      step.content.backward(M, step.inverses, step.by_content, dM, step.to_inverses, di, di + 3 * W);
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
          dq[r * N + n] = -others * step.free[r];
          to_gates[2 + r] -= others * q[r * N + n];
        }
        to_gates[2 + r] *= step.free[r] * (1 - step.free[r]);
      }
      for (int64_t k = 0; k < W; k++) to_erase[k] *= step.erase[k] * (1 - step.erase[k]);
    });
  });
  return {to_memory, to_usage, to_precedence, to_link, to_reads, to_interface};
}

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
    for (int64_t n = 0; n < s.slots; n++)
      weights[n] =
          modes[0] * backward[n] + modes[1] * forward[n] + modes[2] * content.weights[n];
  }
};

std::tuple<Tensor, Tensor> read_forward(const Tensor& memory, const Tensor& link, const Tensor& reads,
                                const Tensor& interface) {
  const Sizes s{memory.size(1), memory.size(2), reads.size(1)};
  Tensor found = at::empty({memory.size(0), s.heads * s.words}, memory.options()),
         weights = at::empty_like(reads);
  AT_DISPATCH_FLOATING_TYPES(memory.scalar_type(), "dnc_read", [&] {
    using T = scalar_t;
    for_each_sequence<Reading<T>>(memory, s, [&](Reading<T>& step, int64_t b) {
      const T *M = data<T>(memory, b), *L = data<T>(link, b), *last = data<T>(reads, b),
              *asked = data<T>(interface, b);
      for (int64_t first = 0; first < s.heads; first += kLanes) {
        step.compute(M, L, last, asked, first);
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

// Gradients of memory, link, last read weights and interface.
Four read_backward(const Tensor& memory, const Tensor& link, const Tensor& reads,
                   const Tensor& interface, const Tensor& by_found, const Tensor& by_weights) {
  const Sizes s{memory.size(1), memory.size(2), reads.size(1)};
  Tensor to_memory = at::empty_like(memory), to_link = at::empty_like(link),
         to_reads = at::empty_like(reads), to_interface = at::empty_like(interface);
  AT_DISPATCH_FLOATING_TYPES(memory.scalar_type(), "dnc_read_backward", [&] {
    using T = scalar_t;
    for_each_sequence<ReadGradients<T>>(memory, s, [&](ReadGradients<T>& step, int64_t b) {
      Rows<T>&dw = step.dw, &by_backward = step.by_backward, &by_forward = step.by_forward,
      &by_content = step.by_content, &to_last = step.to_last;
      const int64_t N = s.slots, W = s.words;
      const T *M = data<T>(memory, b), *L = data<T>(link, b), *last = data<T>(reads, b),
              *asked = data<T>(interface, b);
      std::fill(step.to_inverses.begin(), step.to_inverses.end(), 0);
      T *dM = data<T>(to_memory, b), *dL = data<T>(to_link, b), *di = data<T>(to_interface, b);
      for (int64_t first = 0; first < s.heads; first += kLanes) {
        step.compute(M, L, last, asked, first);
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
            std::fill_n(dL + n * N, N, 0);
            std::fill_n(dM + n * W, W, 0);
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

// Both, in one call.
using Seven = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;

Seven step_forward(const Tensor& memory, const Tensor& usage, const Tensor& precedence,
                   const Tensor& link, const Tensor& writes, const Tensor& reads,
                   const Tensor& write_interface, const Tensor& present,
                   const Tensor& read_interface) {
  auto written =
      write_forward(memory, usage, precedence, link, writes, reads, write_interface, present);
  auto found = read_forward(std::get<0>(written), std::get<3>(written), reads, read_interface);
  return std::tuple_cat(std::move(written), std::move(found));
}

// Gradients of memory, usage, precedence, link, read weights and both interfaces, with the memory and
// the links that the write has left.
Seven step_backward(const Tensor& memory, const Tensor& usage, const Tensor& precedence,
                    const Tensor& link, const Tensor& writes, const Tensor& reads,
                    const Tensor& write_interface, const Tensor& present,
                    const Tensor& read_interface, const Tensor& new_memory, const Tensor& new_link,
                    const Tensor& by_memory, const Tensor& by_usage, const Tensor& by_precedence,
                    const Tensor& by_link, const Tensor& by_writes, const Tensor& by_found,
                    const Tensor& by_reads) {
  const auto [read_memory, read_link, read_reads, to_read_interface] =
      read_backward(new_memory, new_link, reads, read_interface, by_found, by_reads);
  const auto [to_memory, to_usage, to_precedence, to_link, to_reads, to_write_interface] =
      write_backward(memory, usage, precedence, link, writes, reads, write_interface, present,
                     read_memory.add_(by_memory), by_usage, by_precedence, read_link.add_(by_link),
                     by_writes);
  return {to_memory, to_usage, to_precedence, to_link, to_reads.add_(read_reads),
          to_write_interface, to_read_interface};
}

}  // namespace

TORCH_LIBRARY(dnc_kernel, library) {
  library.def(
      "write(Tensor memory, Tensor usage, Tensor precedence, Tensor link, Tensor writes, "
      "Tensor reads, Tensor interface, Tensor present) -> (Tensor, Tensor, Tensor, Tensor, Tensor)");
  library.def(
      "write_backward(Tensor memory, Tensor usage, Tensor precedence, Tensor link, Tensor writes, "
      "Tensor reads, Tensor interface, Tensor present, Tensor by_memory, Tensor by_usage, "
      "Tensor by_precedence, Tensor by_link, Tensor by_writes) "
      "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)");
  library.def("read(Tensor memory, Tensor link, Tensor reads, Tensor interface) -> (Tensor, Tensor)");
  library.def(
      "read_backward(Tensor memory, Tensor link, Tensor reads, Tensor interface, Tensor by_found, "
      "Tensor by_weights) -> (Tensor, Tensor, Tensor, Tensor)");
  library.def(
      "step(Tensor memory, Tensor usage, Tensor precedence, Tensor link, Tensor writes, "
      "Tensor reads, Tensor write_interface, Tensor present, Tensor read_interface) "
      "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)");
  library.def(
      "step_backward(Tensor memory, Tensor usage, Tensor precedence, Tensor link, Tensor writes, "
      "Tensor reads, Tensor write_interface, Tensor present, Tensor read_interface, "
      "Tensor new_memory, Tensor new_link, Tensor by_memory, Tensor by_usage, "
      "Tensor by_precedence, Tensor by_link, Tensor by_writes, Tensor by_found, Tensor by_reads) "
      "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(dnc_kernel, CPU, library) {
  library.impl("write", &write_forward);
  library.impl("write_backward", &write_backward);
  library.impl("read", &read_forward);
  library.impl("read_backward", &read_backward);
  library.impl("step", &step_forward);
  library.impl("step_backward", &step_backward);
}
