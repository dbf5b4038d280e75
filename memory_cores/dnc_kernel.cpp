// One step of a DNC's memory with one write head, and its gradients: what `DNC.write` and `DNC.read`
// do, sequence by sequence. Gradients compute what they need of the step again instead of keeping it.
//
// Sizes, as in `dnc.py`: B sequences, N slots of W words, R read heads. Arrays are row by row, and the
// name of a gradient begins with `to_` if it is computed here, with `by_` if it is given.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <vector>

namespace {

using at::Tensor;

constexpr double kEpsilon = 1e-6;  // addressing.EPSILON

struct Sizes {
  int64_t slots, words, heads;
};

template <typename T>
T sigmoid(T x) {
  return 1 / (1 + std::exp(-x));
}

template <typename T>
T softplus(T x) {
  return x > 20 ? x : std::log1p(std::exp(x));
}

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

template <typename T>
void softmax(T* x, int64_t n) {
  const T largest = *std::max_element(x, x + n);
  T sum = 0;
  for (int64_t i = 0; i < n; i++) sum += x[i] = std::exp(x[i] - largest);
  for (int64_t i = 0; i < n; i++) x[i] /= sum;
}

// Gradient of the scores of a softmax, in place of that of its weights.
template <typename T>
void softmax_backward(T* gradient, const T* weights, int64_t n) {
  const T mean = dot(gradient, weights, n);
  for (int64_t i = 0; i < n; i++) gradient[i] = weights[i] * (gradient[i] - mean);
}

template <typename T>
T inverse_norm(const T* row, int64_t n) {
  return 1 / std::sqrt(dot(row, row, n) + T(kEpsilon));
}

template <typename T>
std::vector<T> inverse_norms(const T* memory, Sizes sizes) {
  std::vector<T> inverses(sizes.slots);
  for (int64_t n = 0; n < sizes.slots; n++)
    inverses[n] = inverse_norm(memory + n * sizes.words, sizes.words);
  return inverses;
}

template <typename T>
void inverse_norms_backward(const T* memory, const std::vector<T>& inverses,
                            const std::vector<T>& gradient, T* to_memory, Sizes sizes) {
  for (int64_t n = 0; n < sizes.slots; n++) {
    const T factor = -gradient[n] * inverses[n] * inverses[n] * inverses[n];
    add(to_memory + n * sizes.words, factor, memory + n * sizes.words, sizes.words);
  }
}

// Content-based addressing with one key: `addressing.content_weights`.
template <typename T>
struct Content {
  std::vector<T> scaled;   // [W], the key times strength over norm
  std::vector<T> weights;  // [N]
  T inverse, strength;

  Content(const T* memory, const std::vector<T>& inverses, const T* key, T raw_strength, Sizes s)
      : scaled(s.words), weights(s.slots) {
    inverse = inverse_norm(key, s.words);
    strength = softplus(raw_strength);
    for (int64_t k = 0; k < s.words; k++) scaled[k] = key[k] * strength * inverse;
    for (int64_t n = 0; n < s.slots; n++)
      weights[n] = dot(memory + n * s.words, scaled.data(), s.words) * inverses[n];
    softmax(weights.data(), s.slots);
  }

  // From the gradient of the weights, which is used up; adds to those of memory and inverses.
  void backward(const T* memory, const std::vector<T>& inverses, const T* key, T raw_strength,
                std::vector<T>& gradient, T* to_memory, std::vector<T>& to_inverses, T* to_key,
                T* to_strength, Sizes s) const {
    softmax_backward(gradient.data(), weights.data(), s.slots);
    std::vector<T> to_scaled(s.words, 0);
    for (int64_t n = 0; n < s.slots; n++) {
      const T* row = memory + n * s.words;
      to_inverses[n] += gradient[n] * dot(row, scaled.data(), s.words);
      const T score = gradient[n] * inverses[n];
      add(to_memory + n * s.words, score, scaled.data(), s.words);
      add(to_scaled.data(), score, row, s.words);
    }
    const T along = dot(to_scaled.data(), key, s.words);
    const T shrink = strength * inverse * inverse * inverse * along;
    for (int64_t k = 0; k < s.words; k++)
      to_key[k] = strength * inverse * to_scaled[k] - shrink * key[k];
    *to_strength = inverse * along * sigmoid(raw_strength);
  }
};

// Weighting that prefers the least used slots: `addressing.allocation_weights`.
template <typename T>
struct Allocation {
  std::vector<T> used;         // [N]
  std::vector<T> before;       // [N], product of the usage of all freer slots
  std::vector<T> weights;      // [N]
  std::vector<int64_t> order;  // [N], freest first

  Allocation(const T* usage, int64_t slots)
      : used(slots), before(slots), weights(slots), order(slots) {
    for (int64_t n = 0; n < slots; n++) used[n] = T(kEpsilon) + (1 - T(kEpsilon)) * usage[n];
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

// Where a write head writes, and what of the slots is in use: the first half of `DNC.write`.
// The interface is [key W; vector W; erase W; strength; allocation gate; write gate; free gates R].
template <typename T>
struct Writing {
  const T *key, *vector, *gates;
  std::vector<T> erase, free, kept, psi, usage, inverses, weights;
  T strength, allocation_gate, write_gate, present;
  Content<T> content;
  std::optional<Allocation<T>> allocation;

  Writing(const T* memory, const T* last_usage, const T* last_writes, const T* last_reads,
          const T* interface, T present, Sizes s)
      : key(interface),
        vector(interface + s.words),
        gates(interface + 3 * s.words + 1),
        erase(s.words),
        free(s.heads),
        kept(s.slots),
        psi(s.slots, 1),
        usage(s.slots),
        inverses(inverse_norms(memory, s)),
        weights(s.slots),
        strength(gates[-1]),
        allocation_gate(sigmoid(gates[0])),
        write_gate(sigmoid(gates[1])),
        present(present),
        content(memory, inverses, key, strength, s) {
    for (int64_t k = 0; k < s.words; k++) erase[k] = sigmoid(interface[2 * s.words + k]);
    for (int64_t r = 0; r < s.heads; r++) free[r] = sigmoid(gates[2 + r]);
    for (int64_t r = 0; r < s.heads; r++)
      for (int64_t n = 0; n < s.slots; n++) psi[n] *= 1 - free[r] * last_reads[r * s.slots + n];
    for (int64_t n = 0; n < s.slots; n++) {
      kept[n] = 1 - (1 - last_usage[n]) * (1 - last_writes[n]);
      usage[n] = kept[n] * psi[n];
    }
    allocation.emplace(usage.data(), s.slots);
    for (int64_t n = 0; n < s.slots; n++) weights[n] = write_gate * present * chosen(n);
  }

  // The weight of a slot if the write gate is open.
  T chosen(int64_t n) const {
    const T c = content.weights[n];
    return c + allocation_gate * (allocation->weights[n] - c);
  }
};

// What a contiguous tensor [B, ...] holds of one sequence.
template <typename T>
T* data(const Tensor& tensor, int64_t sequence) {
  return tensor.data_ptr<T>() + sequence * (tensor.numel() / tensor.size(0));
}

template <typename Function>
void for_each_sequence(const Tensor& tensor, const Function& function) {
  at::parallel_for(0, tensor.size(0), 1, [&](int64_t first, int64_t last) {
    for (int64_t b = first; b < last; b++) function(b);
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
    for_each_sequence(memory, [&](int64_t b) {
      const T *M = data<T>(memory, b), *p = data<T>(precedence, b), *L = data<T>(link, b);
      const Writing<T> step(M, data<T>(usage, b), data<T>(writes, b), data<T>(reads, b),
                            data<T>(interface, b), *data<T>(present, b), s);
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
    for_each_sequence(memory, [&](int64_t b) {
      const int64_t N = s.slots, W = s.words;
      const T *M = data<T>(memory, b), *p = data<T>(precedence, b), *L = data<T>(link, b),
              *u = data<T>(usage, b), *last = data<T>(writes, b), *q = data<T>(reads, b);
      const Writing<T> step(M, u, last, q, data<T>(interface, b), *data<T>(present, b), s);
      const std::vector<T>& w = step.weights;
      T *dM = data<T>(to_memory, b), *dL = data<T>(to_link, b), *dp = data<T>(to_precedence, b),
        *du = data<T>(to_usage, b), *dq = data<T>(to_reads, b), *di = data<T>(to_interface, b);
      const T *gM = data<T>(by_memory, b), *gL = data<T>(by_link, b),
              *gp = data<T>(by_precedence, b), *gu = data<T>(by_usage, b);
      std::vector<T> dw(data<T>(by_writes, b), data<T>(by_writes, b) + N);

      // Precedence, memory and links, each by the weights.
      const T total = std::accumulate(w.begin(), w.end(), T(0)), to_total = -dot(gp, p, N);
      T *to_vector = di + W, *to_erase = di + 2 * W;
      for (int64_t n = 0; n < N; n++) {
        dp[n] = (1 - total) * gp[n];
        dw[n] += gp[n] + to_total;
      }
      for (int64_t n = 0; n < N; n++) {
        T here = 0;
        for (int64_t k = 0; k < W; k++) {
          const T g = gM[n * W + k], m = M[n * W + k];
          dM[n * W + k] = g * (1 - w[n] * step.erase[k]);
          here += g * (step.vector[k] - m * step.erase[k]);
          to_vector[k] += g * w[n];
          to_erase[k] -= g * w[n] * m;
        }
        const T *g = gL + n * N, *l = L + n * N;
        const T diagonal_link = g[n] * (p[n] - 2 * l[n]), diagonal_precedence = g[n] * w[n];
        for (int64_t m = 0; m < N; m++) {
          dL[n * N + m] = g[m] * (1 - w[n] - w[m]);
          here += g[m] * (p[m] - l[m]);
          dw[m] -= g[m] * l[m];
          dp[m] += g[m] * w[n];
        }
        // The diagonal is zero whatever the weights.
        dL[n * N + n] = 0;
        dp[n] -= diagonal_precedence;
        dw[n] += here - diagonal_link;
      }

      // The weights, by content and by allocation.
      const T open = step.write_gate * step.present, ga = step.allocation_gate;
      std::vector<T> by_content(N), by_allocation(N), to_inverses(N, 0);
      T to_gate = 0, to_allocation_gate = 0;
      for (int64_t n = 0; n < N; n++) {
        to_gate += dw[n] * step.chosen(n) * step.present;
        to_allocation_gate +=
            dw[n] * open * (step.allocation->weights[n] - step.content.weights[n]);
        by_content[n] = dw[n] * open * (1 - ga);
        by_allocation[n] = dw[n] * open * ga;
      }
      step.content.backward(M, step.inverses, step.key, step.strength, by_content, dM,
                               to_inverses, di, di + 3 * W, s);
      inverse_norms_backward(M, step.inverses, to_inverses, dM, s);

      // Usage, by what was kept of it and by what was freed.
      std::vector<T> by_used(gu, gu + N);
      step.allocation->backward(by_allocation, by_used.data());
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

// One read head: `DNC.read`. The interface is [keys R W; strengths R; modes R x 3], with the modes
// in the order backward, forward, content.
template <typename T>
struct Reading {
  const T *key, *last;
  T strength;
  Content<T> content;
  std::vector<T> forward, backward, weights;
  T modes[3];

  Reading(const T* memory, const std::vector<T>& inverses, const T* link, const T* last_reads,
          const T* interface, int64_t head, Sizes s)
      : key(interface + head * s.words),
        last(last_reads + head * s.slots),
        strength(interface[s.heads * s.words + head]),
        content(memory, inverses, key, strength, s),
        forward(s.slots),
        backward(s.slots, 0),
        weights(s.slots) {
    const T* raw = interface + s.heads * (s.words + 1) + 3 * head;
    std::copy(raw, raw + 3, modes);
    softmax(modes, 3);
    for (int64_t n = 0; n < s.slots; n++) {
      forward[n] = dot(link + n * s.slots, last, s.slots);
      add(backward.data(), last[n], link + n * s.slots, s.slots);
    }
    for (int64_t n = 0; n < s.slots; n++)
      weights[n] =
          modes[0] * backward[n] + modes[1] * forward[n] + modes[2] * content.weights[n];
  }
};

std::tuple<Tensor, Tensor> read_forward(const Tensor& memory, const Tensor& link, const Tensor& reads,
                                const Tensor& interface) {
  const Sizes s{memory.size(1), memory.size(2), reads.size(1)};
  Tensor found = at::zeros({memory.size(0), s.heads * s.words}, memory.options()),
         weights = at::empty_like(reads);
  AT_DISPATCH_FLOATING_TYPES(memory.scalar_type(), "dnc_read", [&] {
    using T = scalar_t;
    for_each_sequence(memory, [&](int64_t b) {
      const T *M = data<T>(memory, b), *L = data<T>(link, b), *last = data<T>(reads, b),
              *asked = data<T>(interface, b);
      T *next = data<T>(weights, b), *row = data<T>(found, b);
      const std::vector<T> inverses = inverse_norms(M, s);
      for (int64_t r = 0; r < s.heads; r++, row += s.words) {
        const Reading<T> step(M, inverses, L, last, asked, r, s);
        std::copy(step.weights.begin(), step.weights.end(), next + r * s.slots);
        for (int64_t n = 0; n < s.slots; n++) add(row, step.weights[n], M + n * s.words, s.words);
      }
    });
  });
  return {found, weights};
}

// Gradients of memory, link, last read weights and interface.
Four read_backward(const Tensor& memory, const Tensor& link, const Tensor& reads,
                   const Tensor& interface, const Tensor& by_found, const Tensor& by_weights) {
  const Sizes s{memory.size(1), memory.size(2), reads.size(1)};
  Tensor to_memory = at::zeros_like(memory), to_link = at::zeros_like(link),
         to_reads = at::zeros_like(reads), to_interface = at::empty_like(interface);
  AT_DISPATCH_FLOATING_TYPES(memory.scalar_type(), "dnc_read_backward", [&] {
    using T = scalar_t;
    for_each_sequence(memory, [&](int64_t b) {
      const int64_t N = s.slots, W = s.words;
      const T *M = data<T>(memory, b), *L = data<T>(link, b), *last = data<T>(reads, b),
              *asked = data<T>(interface, b), *gw = data<T>(by_weights, b);
      const std::vector<T> inverses = inverse_norms(M, s);
      std::vector<T> to_inverses(N, 0), dw(N), by_content(N), by_forward(N), by_backward(N);
      T *dM = data<T>(to_memory, b), *dL = data<T>(to_link, b), *di = data<T>(to_interface, b);
      for (int64_t r = 0; r < s.heads; r++) {
        const Reading<T> step(M, inverses, L, last, asked, r, s);
        const T* g = data<T>(by_found, b) + r * W;
        T* dq = data<T>(to_reads, b) + r * N;
        for (int64_t n = 0; n < N; n++) {
          dw[n] = gw[r * N + n] + dot(g, M + n * W, W);
          add(dM + n * W, step.weights[n], g, W);
          by_backward[n] = step.modes[0] * dw[n];
          by_forward[n] = step.modes[1] * dw[n];
          by_content[n] = step.modes[2] * dw[n];
        }
        T* to_modes = di + s.heads * (W + 1) + 3 * r;
        to_modes[0] = dot(dw.data(), step.backward.data(), N);
        to_modes[1] = dot(dw.data(), step.forward.data(), N);
        to_modes[2] = dot(dw.data(), step.content.weights.data(), N);
        softmax_backward(to_modes, step.modes, 3);
        for (int64_t n = 0; n < N; n++) {
          add(dL + n * N, by_forward[n], step.last, N);
          add(dL + n * N, step.last[n], by_backward.data(), N);
          add(dq, by_forward[n], L + n * N, N);
          dq[n] += dot(L + n * N, by_backward.data(), N);
        }
        step.content.backward(M, inverses, step.key, step.strength, by_content, dM, to_inverses,
                              di + r * W, di + s.heads * W + r, s);
      }
      inverse_norms_backward(M, inverses, to_inverses, dM, s);
    });
  });
  return {to_memory, to_link, to_reads, to_interface};
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
}

TORCH_LIBRARY_IMPL(dnc_kernel, CPU, library) {
  library.impl("write", &write_forward);
  library.impl("write_backward", &write_backward);
  library.impl("read", &read_forward);
  library.impl("read_backward", &read_backward);
}
