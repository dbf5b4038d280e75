// Linear maps of a batch: by `narrow_products.h` if it is a small one, else by PyTorch's own
// library.

#pragma once

#include <ATen/ATen.h>
#include <ATen/EmptyTensor.h>
#include <ATen/record_function.h>

#include "narrow_products.h"
#include "sequences.h"

namespace linear {

using at::Tensor;
using sequences::require_shape;

constexpr int64_t kNarrow = 16;  // sequences, above which the library is as fast

// Lets products be of the type of their arguments.
struct WithoutAutocast {
  c10::impl::ExcludeDispatchKeyGuard guard{c10::DispatchKey::AutocastCPU};
};

// known + inputs weight^T, with inputs [B, I], weight [O, I], and known [B, O], or [O] for all.
inline Tensor forward(const Tensor& known, const Tensor& inputs, const Tensor& weight) {
  RECORD_FUNCTION("linear::forward", c10::ArrayRef<const c10::IValue>{});  // for profiles
  const int64_t rows = inputs.size(0), size = weight.size(0);
  require_shape(inputs, {rows, weight.size(1)}, "inputs of a linear map");
  if (known.dim() == 1)
    require_shape(known, {size}, "the bias of a linear map");
  else
    require_shape(known, {rows, size}, "what is known of a linear map");
  if (rows > kNarrow) {
    const WithoutAutocast as_it_is;
    return at::addmm(known, inputs, weight.t());
  }
  Tensor outputs = at::detail::empty_cpu({rows, size}, inputs.options());
  AT_DISPATCH_FLOATING_TYPES(inputs.scalar_type(), "linear", [&] {
    narrow_products::put_product_with_transposed(
        known.const_data_ptr<scalar_t>(), known.dim() == 1 ? 0 : size,
        inputs.const_data_ptr<scalar_t>(), weight.const_data_ptr<scalar_t>(),
        outputs.data_ptr<scalar_t>(), rows, inputs.size(1), size);
  });
  return outputs;
}

// Gradient of the inputs.
inline Tensor backward(const Tensor& by_outputs, const Tensor& weight) {
  RECORD_FUNCTION("linear::backward", c10::ArrayRef<const c10::IValue>{});
  const int64_t rows = by_outputs.size(0), size = weight.size(1);
  require_shape(by_outputs, {rows, weight.size(0)}, "gradients of a linear map");
  if (rows > kNarrow) {
    const WithoutAutocast as_it_is;
    return at::mm(by_outputs, weight);
  }
  Tensor to_inputs = at::detail::empty_cpu({rows, size}, by_outputs.options());
  AT_DISPATCH_FLOATING_TYPES(weight.scalar_type(), "linear_backward", [&] {
    narrow_products::put_product(by_outputs.const_data_ptr<scalar_t>(),
                                 weight.const_data_ptr<scalar_t>(), to_inputs.data_ptr<scalar_t>(),
                                 rows, by_outputs.size(1), size);
  });
  return to_inputs;
}

// Gradient of the weight.
inline Tensor to_weight(const Tensor& by_outputs, const Tensor& inputs) {
  const WithoutAutocast as_it_is;
  return at::mm(by_outputs.t(), inputs);
}

// Of the same shapes, without numbers.
inline Tensor forward_shape(const Tensor& inputs, const Tensor& weight) {
  return at::empty({inputs.size(0), weight.size(0)}, inputs.options());
}

inline Tensor backward_shape(const Tensor& by_outputs, const Tensor& weight) {
  return at::empty({by_outputs.size(0), weight.size(1)}, by_outputs.options());
}

}  // namespace linear
