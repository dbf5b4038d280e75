// A step of an LRU core, its write and its read, as one operator, with the linear maps that ask for
// them: what `LRU.write` and `LRU.read` do.
//
// Sizes, as in `memory_cores/lru.py`: B sequences, N slots of W words, R heads. The name of a
// gradient begins with `to_` if it is computed here, with `by_` if it is given. Usage, and how much
// of a slot was written, have no gradient.

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>
#include <vector>

#include "addressing.h"
#include "linear.h"
#include "operator.h"
#include "sequences.h"

namespace {

using namespace addressing;
using at::Tensor;
using linear::to_weight;
using operators::Differentiable;
using operators::gradients_for;
using operators::List;
using operators::operator_of;
using operators::Saved;
using sequences::data;
using sequences::for_each_sequence;

constexpr double kTie = 1.0 / (1 << 20);  // addressing.TIE

// Where the heads write: the first half of `LRU.write`.
template <typename T>
struct Writing {
  Sizes s;
  std::vector<T> gates, usage, kept, weights;  // [R], [N], [N], [R, N]
  std::vector<int64_t> order;                  // [N], least used first

  explicit Writing(Sizes s)
      : s(s),
        gates(s.heads),
        usage(s.slots),
        kept(s.slots),
        weights(s.heads * s.slots),
        order(s.slots) {}

  // The slot that a head erases; with fewer slots than heads, they are taken again in turn.
  int64_t slot(int64_t head) const { return order[head % s.slots]; }

  void compute(const T* new_usage, const T* reads, const T* raw_gates, T present) {
    for (int64_t n = 0; n < s.slots; n++) usage[n] = std::nearbyint(new_usage[n] / T(kTie));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [this](int64_t a, int64_t b) { return usage[a] < usage[b]; });
    std::fill(kept.begin(), kept.end(), 1);
    for (int64_t r = 0; r < s.heads; r++) {
      gates[r] = sigmoid(raw_gates[r]);
      T* row = weights.data() + r * s.slots;
      for (int64_t n = 0; n < s.slots; n++) row[n] = gates[r] * present * reads[r * s.slots + n];
      row[slot(r)] += (1 - gates[r]) * present;
      kept[slot(r)] = 1 - present;
    }
  }
};

// What the heads read by content, up to kLanes of them at a time.
template <typename T>
struct Reading {
  Sizes s;
  std::vector<T> inverses;
  Content<T> content;
  Rows<T> words;

  explicit Reading(Sizes s) : s(s), inverses(s.slots), content(s), words(s.words) {}

  // The interface is [keys R W; strengths R].
  void compute(const T* memory, const T* interface, int64_t first) {
    if (first == 0) inverse_norms(memory, inverses, s);
    content.compute(memory, inverses, interface + first * s.words,
                    interface + s.heads * s.words + first, std::min(kLanes, s.heads - first));
  }
};

template <typename T>
struct Forward {
  Writing<T> writing;
  Reading<T> reading;

  explicit Forward(Sizes s) : writing(s), reading(s) {}
};

using Nine = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;

// The new memory, usage, written, write weights, what is read, the read weights; then
// words [B, R W], raw gates [B, R], the read heads' interface [B, R W + R].
Nine step_forward(const Tensor& memory, const Tensor& usage, const Tensor& written,
                  const Tensor& writes, const Tensor& reads, double decay, const Tensor& present,
                  const Tensor& item, const Tensor& word_weight, const Tensor& word_bias,
                  const Tensor& control, const Tensor& gate_weight, const Tensor& gate_bias,
                  const Tensor& read_weight, const Tensor& read_bias) {
  const Sizes s{memory.size(1), memory.size(2), reads.size(1)};
  const int64_t B = memory.size(0), N = s.slots, W = s.words, R = s.heads;
  sequences::require_shape(memory, {B, N, W}, "memory");
  sequences::require_shape(usage, {B, N}, "usage");
  sequences::require_shape(written, {B, N}, "how much was written");
  sequences::require_shape(writes, {B, R, N}, "write weights");
  sequences::require_shape(reads, {B, R, N}, "read weights");
  sequences::require_shape(present, {B, 1}, "whether there is an item");
  const Tensor words = linear::forward(word_bias, item, word_weight),
               gates = linear::forward(gate_bias, control, gate_weight),
               interface = linear::forward(read_bias, control, read_weight);
  sequences::require_shape(words, {B, R * W}, "words");
  sequences::require_shape(gates, {B, R}, "gates");
  sequences::require_shape(interface, {B, R * W + R}, "the read interface");
  Tensor new_memory = sequences::empty_like(memory), new_usage = sequences::empty_like(usage),
         new_written = sequences::empty_like(written), new_writes = sequences::empty_like(writes),
         new_reads = sequences::empty_like(reads), found = sequences::empty_like(words);
  AT_DISPATCH_FLOATING_TYPES(memory.scalar_type(), "lru_step", [&] {
    using T = scalar_t;
    for_each_sequence<Forward<T>>(memory, s, [&](Forward<T>& step, int64_t b) {
      const T *M = data<T>(memory, b), *q = data<T>(reads, b), *w = data<T>(writes, b),
              *rows = data<T>(words, b);
      T *u = data<T>(new_usage, b), *to = data<T>(new_memory, b), *said = data<T>(new_written, b);
      for (int64_t n = 0; n < N; n++) {
        u[n] = T(decay) * data<T>(usage, b)[n];
        for (int64_t r = 0; r < R; r++) u[n] += q[r * N + n] + w[r * N + n];
      }
      Writing<T>& writing = step.writing;
      writing.compute(u, q, data<T>(gates, b), *data<T>(present, b));
      std::copy(writing.weights.begin(), writing.weights.end(), data<T>(new_writes, b));
      std::vector<T> factors(R);
      for (int64_t n = 0; n < N; n++) {
        const T kept = writing.kept[n];
        T untouched = 1 - data<T>(written, b)[n] * kept;
        for (int64_t r = 0; r < R; r++) {
          factors[r] = writing.weights[r * N + n];
          untouched *= 1 - factors[r];
        }
        said[n] = 1 - untouched;
        for (int64_t k = 0; k < W; k++) to[n * W + k] = kept * M[n * W + k];
        add_rows(to + n * W, factors.data(), rows, R, W);
      }
      Reading<T>& reading = step.reading;
      for (int64_t first = 0; first < R; first += kLanes) {
        reading.compute(to, data<T>(interface, b), first);
        clear<T>(reading.words);
        add_product(reading.words, to, 1, W, reading.content.weights);
        head_by_head(reading.words, data<T>(found, b) + first * W, reading.content.heads);
        head_by_head(reading.content.weights, data<T>(new_reads, b) + first * N,
                     reading.content.heads);
      }
    });
  });
  return {new_memory, new_usage, new_written, new_writes, found,
          new_reads,  words,     gates,       interface};
}

template <typename T>
struct Backward : Forward<T> {
  Rows<T> to_weights, weights, words, to_words;
  std::vector<T> to_memory, to_inverses, to_writes;

  explicit Backward(Sizes s)
      : Forward<T>(s),
        to_weights(s.slots),
        weights(s.slots),
        words(s.words),
        to_words(s.words),
        to_memory(s.slots * s.words),
        to_inverses(s.slots),
        to_writes(s.heads * s.slots) {}
};

using Seven = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;

// Gradients of memory and read weights, of words, gates and interface, and of the item and the
// control.
Seven step_backward(const Tensor& memory, const Tensor& reads, const Tensor& present,
                    const Tensor& new_usage, const Tensor& new_memory, const Tensor& words,
                    const Tensor& gates, const Tensor& interface, const Tensor& word_weight,
                    const Tensor& gate_weight, const Tensor& read_weight, const Tensor& by_memory,
                    const Tensor& by_writes, const Tensor& by_found, const Tensor& by_reads) {
  const Sizes s{memory.size(1), memory.size(2), reads.size(1)};
  const int64_t N = s.slots, W = s.words, R = s.heads;
  Tensor to_memory = sequences::empty_like(memory), to_reads = sequences::empty_like(reads),
         to_words = sequences::empty_like(words), to_gates = sequences::empty_like(gates),
         to_interface = sequences::empty_like(interface);
  AT_DISPATCH_FLOATING_TYPES(memory.scalar_type(), "lru_step_backward", [&] {
    using T = scalar_t;
    for_each_sequence<Backward<T>>(memory, s, [&](Backward<T>& step, int64_t b) {
      const T *M = data<T>(new_memory, b), *q = data<T>(reads, b), here = *data<T>(present, b);
      T *dM = step.to_memory.data(), *di = data<T>(to_interface, b);
      std::copy_n(data<T>(by_memory, b), N * W, dM);
      std::fill(step.to_inverses.begin(), step.to_inverses.end(), 0);

      // The read: what was found, and the weights.
      for (int64_t first = 0; first < R; first += kLanes) {
        step.reading.compute(M, data<T>(interface, b), first);
        Content<T>& content = step.reading.content;
        const T* g = data<T>(by_found, b) + first * W;
        side_by_side(data<T>(by_reads, b) + first * N, content.heads, step.to_weights);
        side_by_side(g, content.heads, step.words);
        add_product(step.to_weights, M, W, 1, step.words);
        for (int64_t n = 0; n < N; n++)
          add_rows(dM + n * W, reinterpret_cast<const T*>(&content.weights[n]), g, content.heads,
                   W);
        content.backward(M, step.reading.inverses, step.to_weights, dM, step.to_inverses,
                         di + first * W, di + R * W + first);
      }
      inverse_norms_backward(M, step.reading.inverses, step.to_inverses, dM, s);

      // The write: words and their weights.
      Writing<T>& writing = step.writing;
      writing.compute(data<T>(new_usage, b), q, data<T>(gates, b), here);
      for (int64_t first = 0; first < R; first += kLanes) {
        const int64_t heads = std::min(kLanes, R - first);
        side_by_side(data<T>(words, b) + first * W, heads, step.words);
        side_by_side(data<T>(by_writes, b) + first * N, heads, step.to_weights);
        side_by_side(writing.weights.data() + first * N, heads, step.weights);
        add_product(step.to_weights, dM, W, 1, step.words);
        clear<T>(step.to_words);
        add_product(step.to_words, dM, 1, W, step.weights);
        head_by_head(step.to_words, data<T>(to_words, b) + first * W, heads);
        head_by_head(step.to_weights, step.to_writes.data() + first * N, heads);
      }
      for (int64_t r = 0; r < R; r++) {
        const T gate = writing.gates[r], *dw = step.to_writes.data() + r * N;
        T *dq = data<T>(to_reads, b) + r * N, to_gate = -dw[writing.slot(r)];
        for (int64_t n = 0; n < N; n++) {
          to_gate += dw[n] * q[r * N + n];
          dq[n] = here * gate * dw[n];
        }
        data<T>(to_gates, b)[r] = here * to_gate * gate * (1 - gate);
      }
      T* old = data<T>(to_memory, b);
      for (int64_t n = 0; n < N; n++)
        for (int64_t k = 0; k < W; k++) old[n * W + k] = writing.kept[n] * dM[n * W + k];
    });
  });
  const Tensor to_control =
      linear::backward(to_gates, gate_weight).add_(linear::backward(to_interface, read_weight));
  return {to_memory, to_reads,     to_words,
          to_gates,  to_interface, linear::backward(to_words, word_weight),
          to_control};
}

Nine step_shapes(const Tensor& memory, const Tensor& usage, const Tensor& written,
                 const Tensor& writes, const Tensor& reads, double, const Tensor&,
                 const Tensor& item, const Tensor& word_weight, const Tensor&,
                 const Tensor& control, const Tensor& gate_weight, const Tensor&,
                 const Tensor& read_weight, const Tensor&) {
  const Tensor words = linear::forward_shape(item, word_weight);
  return {at::empty_like(memory),
          at::empty_like(usage),
          at::empty_like(written),
          at::empty_like(writes),
          at::empty_like(words),
          at::empty_like(reads),
          words,
          linear::forward_shape(control, gate_weight),
          linear::forward_shape(control, read_weight)};
}

Seven step_backward_shapes(const Tensor& memory, const Tensor& reads, const Tensor&, const Tensor&,
                           const Tensor&, const Tensor& words, const Tensor& gates,
                           const Tensor& interface, const Tensor& word_weight,
                           const Tensor& gate_weight, const Tensor&, const Tensor&, const Tensor&,
                           const Tensor&, const Tensor&) {
  return {at::empty_like(memory),
          at::empty_like(reads),
          at::empty_like(words),
          at::empty_like(gates),
          at::empty_like(interface),
          linear::backward_shape(words, word_weight),
          linear::backward_shape(gates, gate_weight)};
}

struct Step : torch::autograd::Function<Step> {
  static List forward(Saved* saved, const Tensor& memory, const Tensor& usage,
                      const Tensor& written, const Tensor& writes, const Tensor& reads,
                      double decay, const Tensor& present, const Tensor& item,
                      const Tensor& word_weight, const Tensor& word_bias, const Tensor& control,
                      const Tensor& gate_weight, const Tensor& gate_bias, const Tensor& read_weight,
                      const Tensor& read_bias) {
    static const auto step = operator_of("lru_kernel::step", step_forward);
    at::AutoDispatchBelowADInplaceOrView below;
    const auto [new_memory, new_usage, new_written, new_writes, found, new_reads, words, gates,
                interface] =
        step.call(memory, usage, written, writes, reads, decay, present, item, word_weight,
                  word_bias, control, gate_weight, gate_bias, read_weight, read_bias);
    saved->save_for_backward({memory, reads, present, new_usage, new_memory, words, gates,
                              interface, word_weight, gate_weight, read_weight, item, control});
    saved->mark_non_differentiable({new_usage, new_written, words, gates, interface});
    return {new_memory, new_usage, new_written, new_writes, found,
            new_reads,  words,     gates,       interface};
  }

  static List backward(Saved* saved, const List& gradients) {
    static const auto step = operator_of("lru_kernel::step_backward", step_backward);
    const List by = gradients_for(gradients), kept = saved->get_saved_variables();
    const Tensor &item = kept[11], &control = kept[12];
    const auto [to_memory, to_reads, to_words, to_gates, to_interface, to_item, to_control] =
        step.call(kept[0], kept[1], kept[2], kept[3], kept[4], kept[5], kept[6], kept[7], kept[8],
                  kept[9], kept[10], by[0], by[3], by[4], by[5]);
    return {to_memory,
            {},
            {},
            {},
            to_reads,
            {},
            {},
            to_item,
            to_weight(to_words, item),
            to_words.sum(0),
            to_control,
            to_weight(to_gates, control),
            to_gates.sum(0),
            to_weight(to_interface, control),
            to_interface.sum(0)};
  }
};

}  // namespace

TORCH_LIBRARY(lru_kernel, library) {
  library.def(
      "step(Tensor memory, Tensor usage, Tensor written, Tensor writes, Tensor reads, float decay, "
      "Tensor present, Tensor item, Tensor word_weight, Tensor word_bias, Tensor control, "
      "Tensor gate_weight, Tensor gate_bias, Tensor read_weight, Tensor read_bias) "
      "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)");
  library.def(
      "step_backward(Tensor memory, Tensor reads, Tensor present, Tensor new_usage, "
      "Tensor new_memory, Tensor words, Tensor gates, Tensor interface, Tensor word_weight, "
      "Tensor gate_weight, Tensor read_weight, Tensor by_memory, Tensor by_writes, "
      "Tensor by_found, Tensor by_reads) "
      "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(lru_kernel, CPU, library) {
  library.impl("step", &step_forward);
  library.impl("step_backward", &step_backward);
}

TORCH_LIBRARY_IMPL(lru_kernel, Meta, library) {
  library.impl("step", &step_shapes);
  library.impl("step_backward", &step_backward_shapes);
}

TORCH_LIBRARY_IMPL(lru_kernel, Autograd, library) {
  library.impl("step", &Differentiable<Step, decltype(step_forward)>::call);
}
