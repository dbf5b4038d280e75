// What operators have in common that autograd knows and that are traced where a graph is compiled.

#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

namespace operators {

using Saved = torch::autograd::AutogradContext;
using List = torch::autograd::variable_list;

// An operator by its name, as PyTorch dispatches it.
template <typename Function>
c10::TypedOperatorHandle<Function> operator_of(const char* name, Function&) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Function>();
}

// Contiguous gradients; backward operators have no second derivatives.
inline List gradients_for(const List& gradients) {
  TORCH_CHECK_NOT_IMPLEMENTED(!at::GradMode::is_enabled(),
                              "operators of memory cores have no second gradients");
  List found;
  std::transform(gradients.begin(), gradients.end(), std::back_inserter(found),
                 [](const at::Tensor& tensor) { return tensor.contiguous(); });
  return found;
}

// An autograd node as an operator: it takes what the forward operator takes, and returns the tuple
// that this one returns instead of the node's list.
template <typename Node, typename Forward>
struct Differentiable;

template <typename Node, typename... Outputs, typename... Inputs>
struct Differentiable<Node, std::tuple<Outputs...>(Inputs...)> {
  static std::tuple<Outputs...> call(Inputs... inputs) {
    return in_order(Node::apply(inputs...), std::index_sequence_for<Outputs...>());
  }

 private:
  template <size_t... Places>
  static std::tuple<Outputs...> in_order(const List& found, std::index_sequence<Places...>) {
    return {found[Places]...};
  }
};

}  // namespace operators
