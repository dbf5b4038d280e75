// What operators have in common that autograd knows and that are traced where a graph is compiled.

#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <iterator>

using Saved = torch::autograd::AutogradContext;
using List = torch::autograd::variable_list;

// An operator by its name, as PyTorch dispatches it.
template <typename Function>
c10::TypedOperatorHandle<Function> operator_of(const char* name, Function&) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Function>();
}

inline List contiguous(const List& tensors) {
  List found;
  std::transform(tensors.begin(), tensors.end(), std::back_inserter(found),
                 [](const at::Tensor& tensor) { return tensor.contiguous(); });
  return found;
}

// Gradient of a linear map's weight.
inline at::Tensor to_weight(const at::Tensor& by_outputs, const at::Tensor& inputs) {
  return at::mm(by_outputs.t(), inputs);
}
