// Soft codes of keys, with the linear map before them, and their gradients: what
// `soft_codes.soft_codes` does.
//
// Scores are [codes H D; gates G]. A code is c = exp((s - logsumexp s) / 2), so that its length
// is 1. The name of a gradient begins with `to_` if it is computed here, with `by_` if it is given.

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "linear.h"
#include "operator.h"
#include "sequences.h"

namespace {

using at::Tensor;
using linear::to_weight;
using operators::Differentiable;
using operators::gradients_for;
using operators::List;
using operators::operator_of;
using operators::Saved;
using sequences::data;
using sequences::for_each_row;

using Two = std::tuple<Tensor, Tensor>;

// The code of one head's scores.
template <typename T>
void put_code(const T* __restrict scores, T* __restrict code, int64_t places) {
  T most = scores[0], sum = 0;
  for (int64_t j = 1; j < places; j++) most = std::max(most, scores[j]);
  for (int64_t j = 0; j < places; j++) code[j] = std::exp((scores[j] - most) / 2);
  for (int64_t j = 0; j < places; j++) sum += code[j] * code[j];
  const T per_length = 1 / std::sqrt(sum);
  for (int64_t j = 0; j < places; j++) code[j] *= per_length;
}

// d c_i / d s_j = c_i (1[i = j] - c_j^2) / 2
template <typename T>
void put_gradient(const T* __restrict code, const T* __restrict by_code, T* __restrict to_scores,
                  int64_t places) {
  T sum = 0;
  for (int64_t j = 0; j < places; j++) sum += by_code[j] * code[j];
  for (int64_t j = 0; j < places; j++) to_scores[j] = code[j] * (by_code[j] - sum * code[j]) / 2;
}

// Codes [M, H, D] and gates [M, G] of keys [M, I], for a weight [H D + G, I].
Two forward(const Tensor& keys, const Tensor& weight, const Tensor& bias, int64_t heads,
            int64_t places) {
  const int64_t rows = keys.size(0), coded = heads * places, gated = weight.size(0) - coded;
  const Tensor scores = linear::forward(bias, keys, weight);
  Tensor codes = at::detail::empty_cpu({rows, heads, places}, keys.options()),
         gates = at::detail::empty_cpu({rows, gated}, keys.options());
  AT_DISPATCH_FLOATING_TYPES(keys.scalar_type(), "soft_codes", [&] {
    using T = scalar_t;
    for_each_row(scores, [&](int64_t m) {
      const T* row = data<T>(scores, m);
      for (int64_t h = 0; h < heads; h++)
        put_code(row + h * places, data<T>(codes, m) + h * places, places);
      std::copy_n(row + coded, gated, data<T>(gates, m));
    });
  });
  return {codes, gates};
}

// Gradients of the scores and of the keys.
Two backward(const Tensor& weight, const Tensor& codes, const Tensor& by_codes,
             const Tensor& by_gates) {
  const int64_t heads = codes.size(1), places = codes.size(2), gated = by_gates.size(1);
  sequences::require_shape(by_codes, codes.sizes(), "gradients of codes");
  sequences::require_shape(by_gates, {codes.size(0), weight.size(0) - heads * places},
                           "gradients of gates");
  Tensor to_scores = at::detail::empty_cpu({codes.size(0), weight.size(0)}, codes.options());
  AT_DISPATCH_FLOATING_TYPES(codes.scalar_type(), "soft_codes_backward", [&] {
    using T = scalar_t;
    for_each_row(to_scores, [&](int64_t m) {
      T* row = data<T>(to_scores, m);
      for (int64_t h = 0; h < heads; h++)
        put_gradient(data<T>(codes, m) + h * places, data<T>(by_codes, m) + h * places,
                     row + h * places, places);
      std::copy_n(data<T>(by_gates, m), gated, row + heads * places);
    });
  });
  return {to_scores, linear::backward(to_scores, weight)};
}

Two shapes(const Tensor& keys, const Tensor& weight, const Tensor&, int64_t heads, int64_t places) {
  const int64_t rows = keys.size(0);
  return {at::empty({rows, heads, places}, keys.options()),
          at::empty({rows, weight.size(0) - heads * places}, keys.options())};
}

Two backward_shapes(const Tensor& weight, const Tensor& codes, const Tensor&, const Tensor&) {
  return {at::empty({codes.size(0), weight.size(0)}, codes.options()),
          at::empty({codes.size(0), weight.size(1)}, codes.options())};
}

struct SoftCodes : torch::autograd::Function<SoftCodes> {
  static List forward(Saved* saved, const Tensor& keys, const Tensor& weight, const Tensor& bias,
                      int64_t heads, int64_t places) {
    static const auto soft_codes = operator_of("soft_codes_kernel::soft_codes", ::forward);
    at::AutoDispatchBelowADInplaceOrView below;
    const auto [codes, gates] = soft_codes.call(keys, weight, bias, heads, places);
    saved->save_for_backward({keys, weight, codes});
    return {codes, gates};
  }

  static List backward(Saved* saved, const List& gradients) {
    static const auto soft_codes = operator_of("soft_codes_kernel::backward", ::backward);
    const List by = gradients_for(gradients), kept = saved->get_saved_variables();
    const auto [to_scores, to_keys] = soft_codes.call(kept[1], kept[2], by[0], by[1]);
    const bool weighs = saved->needs_input_grad(1), shifts = saved->needs_input_grad(2);
    return {to_keys, weighs ? to_weight(to_scores, kept[0]) : Tensor(),
            shifts ? to_scores.sum(0) : Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

TORCH_LIBRARY(soft_codes_kernel, library) {
  library.def(
      "soft_codes(Tensor keys, Tensor weight, Tensor bias, int heads, int places) -> "
      "(Tensor, Tensor)");
  library.def(
      "backward(Tensor weight, Tensor codes, Tensor by_codes, Tensor by_gates) -> "
      "(Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(soft_codes_kernel, CPU, library) {
  library.impl("soft_codes", &forward);
  library.impl("backward", &backward);
}

TORCH_LIBRARY_IMPL(soft_codes_kernel, Meta, library) {
  library.impl("soft_codes", &shapes);
  library.impl("backward", &backward_shapes);
}

TORCH_LIBRARY_IMPL(soft_codes_kernel, Autograd, library) {
  library.impl("soft_codes", &Differentiable<SoftCodes, decltype(forward)>::call);
}
