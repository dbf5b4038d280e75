// A step of an NTM, its write and its read, as one operator, with the linear maps that ask for
// them: what `NTM.write` and `NTM.read` do.
//
// Sizes, as in `memory_cores/ntm.py`: B sequences, N slots of W words, H write and R read heads.
// The name of a gradient begins with `to_` if it is computed here, with `by_` if it is given. How
// much of a slot was written has no gradient.

#include <ATen/ATen.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "linear.h"
#include "ntm_addressing.h"
#include "operator.h"
#include "sequences.h"

namespace {

using namespace ntm_addressing;
using at::Tensor;
using linear::to_weight;
using operators::Differentiable;
using operators::gradients_for;
using operators::List;
using operators::operator_of;
using operators::Saved;
using sequences::data;
using sequences::for_each_sequence;

struct Heads {
  Sizes write, read;  // of the same slots and words
};

// What write heads do to a sequence's memory. The vectors are [erase H W; add H W].
template <typename T>
struct Writing {
  Sizes s;
  Address<T> address;
  std::vector<T> inverses, focus, weights, erase;  // [N], [H, N], [H, N], [H, W]
  const T* vectors = nullptr;
  T present = 0;

  explicit Writing(Sizes s)
      : s(s),
        address(s),
        inverses(s.slots),
        focus(s.heads * s.slots),
        weights(s.heads * s.slots),
        erase(s.heads * s.words) {}

  void compute(const T* memory, const T* norms, const T* last, const T* interface,
               const T* new_vectors, T is_present) {
    present = is_present, vectors = new_vectors + s.heads * s.words;
    std::copy_n(norms, s.slots, inverses.begin());
    for (int64_t k = 0; k < s.heads * s.words; k++) erase[k] = sigmoid(new_vectors[k]);
    // A set without items leaves the heads where they are.
    std::copy_n(last, s.heads * s.slots, focus.begin());
    for (int64_t first = 0; present > 0 && first < s.heads; first += kLanes) {
      address.compute(memory, inverses, last, interface, first);
      head_by_head(address.weights, focus.data() + first * s.slots, address.heads);
    }
    for (size_t i = 0; i < focus.size(); i++) weights[i] = present * focus[i];
  }

  // The product over heads of what each leaves of a slot, but for one of them.
  void kept(int64_t slot, int64_t without, T* shares) const {
    std::fill_n(shares, s.words, 1);
    for (int64_t h = 0; h < s.heads; h++) {
      if (h == without) continue;
      const T weight = weights[h * s.slots + slot], *row = erase.data() + h * s.words;
      for (int64_t k = 0; k < s.words; k++) shares[k] *= 1 - weight * row[k];
    }
  }
};

template <typename T>
struct Forward {
  Writing<T> writing;
  Address<T> reading;
  std::vector<T> inverses, shares, factors;  // [N], [W], [H]
  Rows<T> words;

  explicit Forward(Heads heads)
      : writing(heads.write),
        reading(heads.read),
        inverses(heads.read.slots),
        shares(heads.read.words),
        factors(heads.write.heads),
        words(heads.read.words) {}
};

using Ten =
    std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;

// The new memory, norms, written, focus, write weights, what is read, the read weights; then the
// write heads' interface and vectors, and the read heads' interface.
Ten step_forward(const Tensor& memory, const Tensor& norms, const Tensor& written,
                 const Tensor& focus, const Tensor& reads, const Tensor& present,
                 const Tensor& item, const Tensor& vector_weight, const Tensor& vector_bias,
                 const Tensor& write_weight, const Tensor& write_bias, const Tensor& control,
                 const Tensor& read_weight, const Tensor& read_bias) {
  const int64_t B = memory.size(0), N = memory.size(1), W = memory.size(2), H = focus.size(1),
                R = reads.size(1);
  sequences::require_shape(memory, {B, N, W}, "memory");
  sequences::require_shape(norms, {B, N}, "norms");
  sequences::require_shape(written, {B, N}, "how much was written");
  sequences::require_shape(focus, {B, H, N}, "positions of write heads");
  sequences::require_shape(reads, {B, R, N}, "read weights");
  sequences::require_shape(present, {B, 1}, "whether there is an item");
  const Tensor vectors = linear::forward(vector_bias, item, vector_weight),
               write_interface = linear::forward(write_bias, item, write_weight),
               read_interface = linear::forward(read_bias, control, read_weight);
  sequences::require_shape(vectors, {B, 2 * H * W}, "vectors");
  sequences::require_shape(write_interface, {B, interface_size(H, W)}, "the write interface");
  sequences::require_shape(read_interface, {B, interface_size(R, W)}, "the read interface");
  Tensor new_memory = sequences::empty_like(memory), new_norms = sequences::empty_like(norms),
         new_written = sequences::empty_like(written), new_focus = sequences::empty_like(focus),
         new_writes = sequences::empty_like(focus), new_reads = sequences::empty_like(reads),
         found = at::detail::empty_cpu({B, R * W}, memory.options());
  const Heads heads{{N, W, H}, {N, W, R}};
  AT_DISPATCH_FLOATING_TYPES(memory.scalar_type(), "ntm_step", [&] {
    using T = scalar_t;
    for_each_sequence<Forward<T>>(memory, heads, [&](Forward<T>& step, int64_t b) {
      const T *M = data<T>(memory, b), *was = data<T>(written, b);
      T *to = data<T>(new_memory, b), *is = data<T>(new_written, b);
      Writing<T>& writing = step.writing;
      writing.compute(M, data<T>(norms, b), data<T>(focus, b), data<T>(write_interface, b),
                      data<T>(vectors, b), *data<T>(present, b));
      std::copy(writing.focus.begin(), writing.focus.end(), data<T>(new_focus, b));
      std::copy(writing.weights.begin(), writing.weights.end(), data<T>(new_writes, b));
      for (int64_t n = 0; n < N; n++) {
        writing.kept(n, -1, step.shares.data());
        T untouched = 1 - was[n];
        for (int64_t h = 0; h < H; h++) {
          step.factors[h] = writing.weights[h * N + n];
          untouched *= 1 - step.factors[h];
        }
        is[n] = 1 - untouched;
        for (int64_t k = 0; k < W; k++) to[n * W + k] = M[n * W + k] * step.shares[k];
        add_rows(to + n * W, step.factors.data(), writing.vectors, H, W);
      }
      inverse_norms(to, step.inverses, heads.read);
      std::copy(step.inverses.begin(), step.inverses.end(), data<T>(new_norms, b));
      for (int64_t first = 0; first < R; first += kLanes) {
        Address<T>& reading = step.reading;
        reading.compute(to, step.inverses, data<T>(reads, b), data<T>(read_interface, b), first);
        clear<T>(step.words);
        add_product(step.words, to, 1, W, reading.weights);
        head_by_head(step.words, data<T>(found, b) + first * W, reading.heads);
        head_by_head(reading.weights, data<T>(new_reads, b) + first * N, reading.heads);
      }
    });
  });
  return {new_memory, new_norms, new_written,     new_focus, new_writes,
          found,      new_reads, write_interface, vectors,   read_interface};
}

template <typename T>
struct Backward : Forward<T> {
  std::vector<T> to_memory, to_new_norms, to_norms, to_weights, to_erase;

  explicit Backward(Heads heads)
      : Forward<T>(heads),
        to_memory(heads.read.slots * heads.read.words),
        to_new_norms(heads.read.slots),
        to_norms(heads.read.slots),
        to_weights(heads.write.heads * heads.write.slots),
        to_erase(heads.write.heads * heads.write.words) {}
};

using Nine = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;

// Gradients of memory, norms, focus and read weights, of the interfaces (write heads' interface,
// vectors, read heads' interface), and of the item and the control.
Nine step_backward(const Tensor& memory, const Tensor& norms, const Tensor& focus,
                   const Tensor& reads, const Tensor& present, const Tensor& new_memory,
                   const Tensor& new_norms, const Tensor& write_interface, const Tensor& vectors,
                   const Tensor& read_interface, const Tensor& vector_weight,
                   const Tensor& write_weight, const Tensor& read_weight, const Tensor& by_memory,
                   const Tensor& by_norms, const Tensor& by_focus, const Tensor& by_writes,
                   const Tensor& by_found, const Tensor& by_reads) {
  const int64_t N = memory.size(1), W = memory.size(2), H = focus.size(1), R = reads.size(1);
  Tensor to_memory = sequences::empty_like(memory), to_norms = sequences::empty_like(norms),
         to_focus = sequences::empty_like(focus), to_reads = sequences::empty_like(reads),
         to_write_interface = at::zeros_like(write_interface),
         to_vectors = sequences::empty_like(vectors),
         to_read_interface = sequences::empty_like(read_interface);
  const Heads heads{{N, W, H}, {N, W, R}};
  AT_DISPATCH_FLOATING_TYPES(memory.scalar_type(), "ntm_step_backward", [&] {
    using T = scalar_t;
    for_each_sequence<Backward<T>>(memory, heads, [&](Backward<T>& step, int64_t b) {
      const T *M = data<T>(memory, b), *next = data<T>(new_memory, b);
      T *by = step.to_memory.data(), *dM = data<T>(to_memory, b);
      std::copy_n(data<T>(by_memory, b), N * W, by);
      std::copy_n(data<T>(by_norms, b), N, step.to_new_norms.begin());
      std::copy_n(data<T>(new_norms, b), N, step.inverses.begin());

      // The read.
      for (int64_t first = 0; first < R; first += kLanes) {
        Address<T>& reading = step.reading;
        reading.compute(next, step.inverses, data<T>(reads, b), data<T>(read_interface, b), first);
        const T* g = data<T>(by_found, b) + first * W;
        side_by_side(data<T>(by_reads, b) + first * N, reading.heads, reading.gradient);
        side_by_side(g, reading.heads, step.words);
        add_product(reading.gradient, next, W, 1, step.words);
        for (int64_t n = 0; n < N; n++)
          add_rows(by + n * W, reinterpret_cast<const T*>(&reading.weights[n]), g, reading.heads,
                   W);
        reading.backward(step.inverses, by, step.to_new_norms, data<T>(to_reads, b),
                         data<T>(to_read_interface, b));
      }
      inverse_norms_backward(next, step.inverses, step.to_new_norms, by, heads.read);

      // Erasing and adding.
      Writing<T>& writing = step.writing;
      writing.compute(M, data<T>(norms, b), data<T>(focus, b), data<T>(write_interface, b),
                      data<T>(vectors, b), *data<T>(present, b));
      T *to_erase = step.to_erase.data(), *to_vector = data<T>(to_vectors, b) + H * W;
      std::fill(step.to_erase.begin(), step.to_erase.end(), 0);
      std::fill_n(to_vector, H * W, 0);
      for (int64_t n = 0; n < N; n++) {
        const T *g = by + n * W, *row = M + n * W;
        writing.kept(n, -1, step.shares.data());
        for (int64_t k = 0; k < W; k++) dM[n * W + k] = g[k] * step.shares[k];
        for (int64_t h = 0; h < H; h++) {
          const T weight = writing.weights[h * N + n], *erase = writing.erase.data() + h * W,
                  *vector = writing.vectors + h * W;
          writing.kept(n, h, step.shares.data());
          T sum = 0;
          for (int64_t k = 0; k < W; k++) {
            const T lost = g[k] * row[k] * step.shares[k];
            sum += g[k] * vector[k] - lost * erase[k];
            to_erase[h * W + k] -= lost * weight;
            to_vector[h * W + k] += g[k] * weight;
          }
          step.to_weights[h * N + n] = sum;
        }
      }
      T* to_raw = data<T>(to_vectors, b);
      for (int64_t k = 0; k < H * W; k++)
        to_raw[k] = to_erase[k] * writing.erase[k] * (1 - writing.erase[k]);

      // The write heads' positions.
      std::fill(step.to_norms.begin(), step.to_norms.end(), 0);
      const T *known = data<T>(by_focus, b), *wrote = data<T>(by_writes, b);
      for (int64_t i = 0; i < H * N; i++)
        step.to_weights[i] = known[i] + writing.present * (step.to_weights[i] + wrote[i]);
      if (writing.present > 0) {
        for (int64_t first = 0; first < H; first += kLanes) {
          Address<T>& address = writing.address;
          address.compute(M, writing.inverses, data<T>(focus, b), data<T>(write_interface, b),
                          first);
          side_by_side(step.to_weights.data() + first * N, address.heads, address.gradient);
          address.backward(writing.inverses, dM, step.to_norms, data<T>(to_focus, b),
                           data<T>(to_write_interface, b));
        }
      } else {
        std::copy_n(step.to_weights.begin(), H * N, data<T>(to_focus, b));
      }
      std::copy(step.to_norms.begin(), step.to_norms.end(), data<T>(to_norms, b));
    });
  });
  const Tensor to_item = linear::backward(to_write_interface, write_weight)
                             .add_(linear::backward(to_vectors, vector_weight));
  return {to_memory,
          to_norms,
          to_focus,
          to_reads,
          to_write_interface,
          to_vectors,
          to_read_interface,
          to_item,
          linear::backward(to_read_interface, read_weight)};
}

Ten step_shapes(const Tensor& memory, const Tensor& norms, const Tensor& written,
                const Tensor& focus, const Tensor& reads, const Tensor&, const Tensor& item,
                const Tensor& vector_weight, const Tensor&, const Tensor& write_weight,
                const Tensor&, const Tensor& control, const Tensor& read_weight, const Tensor&) {
  const Tensor found =
      at::empty({memory.size(0), reads.size(1) * memory.size(2)}, memory.options());
  return {at::empty_like(memory),
          at::empty_like(norms),
          at::empty_like(written),
          at::empty_like(focus),
          at::empty_like(focus),
          found,
          at::empty_like(reads),
          linear::forward_shape(item, write_weight),
          linear::forward_shape(item, vector_weight),
          linear::forward_shape(control, read_weight)};
}

Nine step_backward_shapes(const Tensor& memory, const Tensor& norms, const Tensor& focus,
                          const Tensor& reads, const Tensor&, const Tensor&, const Tensor&,
                          const Tensor& write_interface, const Tensor& vectors,
                          const Tensor& read_interface, const Tensor&, const Tensor& write_weight,
                          const Tensor& read_weight, const Tensor&, const Tensor&, const Tensor&,
                          const Tensor&, const Tensor&, const Tensor&) {
  return {at::empty_like(memory),
          at::empty_like(norms),
          at::empty_like(focus),
          at::empty_like(reads),
          at::empty_like(write_interface),
          at::empty_like(vectors),
          at::empty_like(read_interface),
          linear::backward_shape(write_interface, write_weight),
          linear::backward_shape(read_interface, read_weight)};
}

struct Step : torch::autograd::Function<Step> {
  static List forward(Saved* saved, const Tensor& memory, const Tensor& norms,
                      const Tensor& written, const Tensor& focus, const Tensor& reads,
                      const Tensor& present, const Tensor& item, const Tensor& vector_weight,
                      const Tensor& vector_bias, const Tensor& write_weight,
                      const Tensor& write_bias, const Tensor& control, const Tensor& read_weight,
                      const Tensor& read_bias) {
    static const auto step = operator_of("ntm_kernel::step", step_forward);
    at::AutoDispatchBelowADInplaceOrView below;
    const auto [new_memory, new_norms, new_written, new_focus, new_writes, found, new_reads,
                write_interface, vectors, read_interface] =
        step.call(memory, norms, written, focus, reads, present, item, vector_weight, vector_bias,
                  write_weight, write_bias, control, read_weight, read_bias);
    saved->save_for_backward({memory, norms, focus, reads, present, new_memory, new_norms,
                              write_interface, vectors, read_interface, vector_weight, write_weight,
                              read_weight, item, control});
    saved->mark_non_differentiable({new_written, write_interface, vectors, read_interface});
    return {new_memory, new_norms, new_written,     new_focus, new_writes,
            found,      new_reads, write_interface, vectors,   read_interface};
  }

  static List backward(Saved* saved, const List& gradients) {
    static const auto step = operator_of("ntm_kernel::step_backward", step_backward);
    const List by = gradients_for(gradients), kept = saved->get_saved_variables();
    const Tensor &item = kept[13], &control = kept[14];
    const auto [to_memory, to_norms, to_focus, to_reads, to_write_interface, to_vectors,
                to_read_interface, to_item, to_control] =
        step.call(kept[0], kept[1], kept[2], kept[3], kept[4], kept[5], kept[6], kept[7], kept[8],
                  kept[9], kept[10], kept[11], kept[12], by[0], by[1], by[3], by[4], by[5], by[6]);
    return {to_memory,
            to_norms,
            {},
            to_focus,
            to_reads,
            {},
            to_item,
            to_weight(to_vectors, item),
            to_vectors.sum(0),
            to_weight(to_write_interface, item),
            to_write_interface.sum(0),
            to_control,
            to_weight(to_read_interface, control),
            to_read_interface.sum(0)};
  }
};

}  // namespace

TORCH_LIBRARY(ntm_kernel, library) {
  library.def(
      "step(Tensor memory, Tensor norms, Tensor written, Tensor focus, Tensor reads, "
      "Tensor present, Tensor item, Tensor vector_weight, Tensor vector_bias, "
      "Tensor write_weight, Tensor write_bias, Tensor control, Tensor read_weight, "
      "Tensor read_bias) "
      "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)");
  library.def(
      "step_backward(Tensor memory, Tensor norms, Tensor focus, Tensor reads, Tensor present, "
      "Tensor new_memory, Tensor new_norms, Tensor write_interface, Tensor vectors, Tensor "
      "read_interface, "
      "Tensor vector_weight, Tensor write_weight, Tensor read_weight, Tensor by_memory, "
      "Tensor by_norms, Tensor by_focus, Tensor by_writes, Tensor by_found, Tensor by_reads) "
      "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(ntm_kernel, CPU, library) {
  library.impl("step", &step_forward);
  library.impl("step_backward", &step_backward);
}

TORCH_LIBRARY_IMPL(ntm_kernel, Meta, library) {
  library.impl("step", &step_shapes);
  library.impl("step_backward", &step_backward_shapes);
}

TORCH_LIBRARY_IMPL(ntm_kernel, Autograd, library) {
  library.impl("step", &Differentiable<Step, decltype(step_forward)>::call);
}
