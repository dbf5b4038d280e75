// One step of an LSTM whose known inputs are mapped before the loop over time, and its gradients:
// what `lstm.lstm_step` does.
//
// Gates are [input H; forget H; output H; candidate H]. The name of a gradient begins with `to_` if
// it is computed here, with `by_` if it is given.

#include <ATen/ATen.h>

#include <tuple>

#include "activations.h"
#include "linear.h"
#include "operator.h"
#include "sequences.h"

namespace {

using activations::sigmoid;
using activations::tanh;
using at::Tensor;
using linear::to_weight;
using operators::Differentiable;
using operators::gradients_for;
using operators::List;
using operators::operator_of;
using operators::Saved;
using sequences::data;
using sequences::for_each_row;

// The new cell and hidden state of one row, and in place of the gates' raw values what they are.
template <typename T>
void open_gates(T* __restrict write, T* __restrict keep, T* __restrict show,
                T* __restrict candidate, const T* __restrict cell, T* __restrict new_cell,
                T* __restrict hidden, int64_t units) {
  for (int64_t k = 0; k < units; k++) {
    write[k] = sigmoid(write[k]), keep[k] = sigmoid(keep[k]), show[k] = sigmoid(show[k]);
    candidate[k] = tanh(candidate[k]);
    new_cell[k] = keep[k] * cell[k] + write[k] * candidate[k];
    hidden[k] = show[k] * tanh(new_cell[k]);
  }
}

// Gradients of the raw values of a row's gates, and of the cell before.
template <typename T>
void open_gates_backward(const T* __restrict gates, const T* __restrict cell,
                         const T* __restrict new_cell, const T* __restrict by_hidden,
                         const T* __restrict by_cell, T* __restrict to_gates, T* __restrict to_cell,
                         int64_t units) {
  for (int64_t k = 0; k < units; k++) {
    const T write = gates[k], keep = gates[units + k], show = gates[2 * units + k],
            candidate = gates[3 * units + k], shown = tanh(new_cell[k]);
    const T by_new = by_cell[k] + by_hidden[k] * show * (1 - shown * shown);
    to_gates[k] = by_new * candidate * write * (1 - write);
    to_gates[units + k] = by_new * cell[k] * keep * (1 - keep);
    to_gates[2 * units + k] = by_hidden[k] * shown * show * (1 - show);
    to_gates[3 * units + k] = by_new * write * (1 - candidate * candidate);
    to_cell[k] = by_new * keep;
  }
}

using Three = std::tuple<Tensor, Tensor, Tensor>;

// The new hidden and cell state, and the gates.
Three step_forward(const Tensor& known, const Tensor& inputs, const Tensor& weight,
                   const Tensor& cell) {
  const int64_t units = cell.size(1);
  sequences::require_shape(cell, {inputs.size(0), weight.size(0) / 4}, "an LSTM's cell state");
  Tensor gates = linear::forward(known, inputs, weight), hidden = sequences::empty_like(cell),
         new_cell = sequences::empty_like(cell);
  AT_DISPATCH_FLOATING_TYPES(cell.scalar_type(), "lstm_step", [&] {
    using T = scalar_t;
    for_each_row(cell, [&](int64_t b) {
      T* write = data<T>(gates, b);
      open_gates(write, write + units, write + 2 * units, write + 3 * units, data<T>(cell, b),
                 data<T>(new_cell, b), data<T>(hidden, b), units);
    });
  });
  return {hidden, new_cell, gates};
}

// Gradients of what is known, of the inputs and of the cell before.
Three step_backward(const Tensor& weight, const Tensor& cell, const Tensor& new_cell,
                    const Tensor& gates, const Tensor& by_hidden, const Tensor& by_cell) {
  Tensor to_known = sequences::empty_like(gates), to_cell = sequences::empty_like(cell);
  AT_DISPATCH_FLOATING_TYPES(cell.scalar_type(), "lstm_step_backward", [&] {
    using T = scalar_t;
    for_each_row(cell, [&](int64_t b) {
      open_gates_backward(data<T>(gates, b), data<T>(cell, b), data<T>(new_cell, b),
                          data<T>(by_hidden, b), data<T>(by_cell, b), data<T>(to_known, b),
                          data<T>(to_cell, b), cell.size(1));
    });
  });
  return {to_known, linear::backward(to_known, weight), to_cell};
}

Three step_shapes(const Tensor& known, const Tensor&, const Tensor&, const Tensor& cell) {
  return {at::empty_like(cell), at::empty_like(cell), at::empty_like(known)};
}

Three step_backward_shapes(const Tensor& weight, const Tensor& cell, const Tensor&,
                           const Tensor& gates, const Tensor&, const Tensor&) {
  return {at::empty_like(gates), linear::backward_shape(gates, weight), at::empty_like(cell)};
}

struct Step : torch::autograd::Function<Step> {
  static List forward(Saved* saved, const Tensor& known, const Tensor& inputs, const Tensor& weight,
                      const Tensor& cell) {
    static const auto step = operator_of("lstm_kernel::step", step_forward);
    at::AutoDispatchBelowADInplaceOrView below;
    const auto [hidden, new_cell, gates] = step.call(known, inputs, weight, cell);
    saved->save_for_backward({weight, cell, new_cell, gates, inputs});
    saved->mark_non_differentiable({gates});
    return {hidden, new_cell, gates};
  }

  static List backward(Saved* saved, const List& gradients) {
    static const auto step = operator_of("lstm_kernel::step_backward", step_backward);
    const List by = gradients_for(gradients), kept = saved->get_saved_variables();
    const Tensor &weight = kept[0], &cell = kept[1], &new_cell = kept[2], &gates = kept[3],
                 &inputs = kept[4];
    const auto [to_known, to_inputs, to_cell] =
        step.call(weight, cell, new_cell, gates, by[0], by[1]);
    const bool wanted = saved->needs_input_grad(2);
    return {to_known, to_inputs, wanted ? to_weight(to_known, inputs) : Tensor(), to_cell};
  }
};

}  // namespace

TORCH_LIBRARY(lstm_kernel, library) {
  library.def(
      "step(Tensor known, Tensor inputs, Tensor weight, Tensor cell) -> (Tensor, Tensor, Tensor)");
  library.def(
      "step_backward(Tensor weight, Tensor cell, Tensor new_cell, Tensor gates, Tensor by_hidden, "
      "Tensor by_cell) -> (Tensor, Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(lstm_kernel, CPU, library) {
  library.impl("step", &step_forward);
  library.impl("step_backward", &step_backward);
}

TORCH_LIBRARY_IMPL(lstm_kernel, Meta, library) {
  library.impl("step", &step_shapes);
  library.impl("step_backward", &step_backward_shapes);
}

TORCH_LIBRARY_IMPL(lstm_kernel, Autograd, library) {
  library.impl("step", &Differentiable<Step, decltype(step_forward)>::call);
}
