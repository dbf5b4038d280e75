// Rows times the inverse of a symmetric positive definite matrix whose diagonal is shifted, and
// gradients: what `parts.solving.solved` does.
//
// A = M + shift I = U^T U is factored once for both passes. The name of a gradient begins with
// `to_` if it is computed here, with `by_` if it is given.

#include <ATen/ATen.h>

#include <tuple>
#include <vector>

#include "cholesky.h"
#include "operator.h"
#include "sequences.h"

namespace {

using at::Tensor;
using cholesky::copy_rows;
using cholesky::factorise_shifted;
using cholesky::padded;
using cholesky::solve;
using operators::Differentiable;
using operators::gradients_for;
using operators::List;
using operators::operator_of;
using operators::Saved;
using sequences::data;

// Calls function(n) for each of the matrices, in threads that have enough to do.
template <typename Function>
void for_each_matrix(const Tensor& matrices, const Function& function) {
  at::parallel_for(0, matrices.size(0), 8, [&](int64_t n, int64_t last) {
    for (; n < last; n++) function(n);
  });
}

using Two = std::tuple<Tensor, Tensor>;
using Three = std::tuple<Tensor, Tensor, Tensor>;

Tensor factors_like(const Tensor& matrices) {
  const int64_t size = matrices.size(2);
  return at::empty({matrices.size(0), size + 1, padded(size)}, matrices.options());
}

// The solutions of `rows` [N, M, D], and the factors of `matrices` [N, D, D], of which number n is
// shifted by number n modulo S of `shifts` [S].
Two solve_forward(const Tensor& matrices, const Tensor& rows, const Tensor& shifts) {
  const int64_t many = rows.size(1), size = rows.size(2), stride = padded(size);
  sequences::require_shape(matrices, {rows.size(0), size, size}, "matrices");
  sequences::require_shape(rows, {rows.size(0), many, size}, "rows");
  sequences::require_shape(shifts, {shifts.numel()}, "shifts");
  Tensor factors = factors_like(matrices), found = sequences::empty_like(rows);
  AT_DISPATCH_FLOATING_TYPES(rows.scalar_type(), "solve", [&] {
    using T = scalar_t;
    const T* shift = shifts.const_data_ptr<T>();
    for_each_matrix(matrices, [&](int64_t n) {
      std::vector<T> solution(many * stride);
      T* factor = data<T>(factors, n);
      copy_rows(data<T>(rows, n), size, solution.data(), stride, many);
      factorise_shifted(data<T>(matrices, n), shift[n % shifts.size(0)], factor, size, stride);
      for (int64_t m = 0; m < many; m++) solve(factor, &solution[m * stride], size, stride);
      copy_rows(solution.data(), stride, data<T>(found, n), size, many);
    });
  });
  return {found, factors};
}

// Gradients of the matrices, of the rows and of so many shifts.
Three solve_backward(const Tensor& factors, const Tensor& found, const Tensor& by_found,
                     int64_t shifts) {
  const int64_t many = found.size(1), size = found.size(2), stride = padded(size);
  Tensor to_matrices = at::zeros({found.size(0), size, size}, found.options()),
         to_rows = sequences::empty_like(found), to_shifts = at::zeros({shifts}, found.options());
  AT_DISPATCH_FLOATING_TYPES(found.scalar_type(), "solve_backward", [&] {
    using T = scalar_t;
    for_each_matrix(factors, [&](int64_t n) {
      std::vector<T> solution(many * stride);
      T* to_matrix = data<T>(to_matrices, n);
      copy_rows(data<T>(by_found, n), size, solution.data(), stride, many);
      for (int64_t m = 0; m < many; m++) {
        T* to_row = &solution[m * stride];
        solve(data<T>(factors, n), to_row, size, stride);
        const T* __restrict x = data<T>(found, n) + m * size;
        for (int64_t i = 0; i < size; i++)
          for (int64_t j = 0; j < size; j++) to_matrix[i * size + j] -= to_row[i] * x[j];
      }
      copy_rows(solution.data(), stride, data<T>(to_rows, n), size, many);
    });
    T* to_shift = to_shifts.data_ptr<T>();
    for (int64_t n = 0; n < found.size(0); n++)
      for (int64_t i = 0; i < size; i++)
        to_shift[n % shifts] += data<T>(to_matrices, n)[i * size + i];
  });
  return {to_matrices, to_rows, to_shifts};
}

Two solve_shapes(const Tensor& matrices, const Tensor& rows, const Tensor&) {
  return {at::empty_like(rows), factors_like(matrices)};
}

Three solve_backward_shapes(const Tensor&, const Tensor& found, const Tensor&, int64_t shifts) {
  return {at::empty({found.size(0), found.size(2), found.size(2)}, found.options()),
          at::empty_like(found), at::empty({shifts}, found.options())};
}

struct Solve : torch::autograd::Function<Solve> {
  static List forward(Saved* saved, const Tensor& matrices, const Tensor& rows,
                      const Tensor& shifts) {
    static const auto solve = operator_of("solve_kernel::solve", solve_forward);
    at::AutoDispatchBelowADInplaceOrView below;
    const auto [found, factors] = solve.call(matrices, rows, shifts);
    saved->save_for_backward({factors, found});
    saved->saved_data["shifts"] = shifts.size(0);
    saved->mark_non_differentiable({factors});
    return {found, factors};
  }

  static List backward(Saved* saved, const List& gradients) {
    static const auto solve = operator_of("solve_kernel::solve_backward", solve_backward);
    const List by = gradients_for(gradients), kept = saved->get_saved_variables();
    const auto [to_matrices, to_rows, to_shifts] =
        solve.call(kept[0], kept[1], by[0], saved->saved_data["shifts"].toInt());
    return {to_matrices, to_rows, to_shifts};
  }
};

}  // namespace

TORCH_LIBRARY(solve_kernel, library) {
  library.def("solve(Tensor matrices, Tensor rows, Tensor shifts) -> (Tensor, Tensor)");
  library.def(
      "solve_backward(Tensor factors, Tensor found, Tensor by_found, int shifts) -> "
      "(Tensor, Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(solve_kernel, CPU, library) {
  library.impl("solve", &solve_forward);
  library.impl("solve_backward", &solve_backward);
}

TORCH_LIBRARY_IMPL(solve_kernel, Meta, library) {
  library.impl("solve", &solve_shapes);
  library.impl("solve_backward", &solve_backward_shapes);
}

TORCH_LIBRARY_IMPL(solve_kernel, Autograd, library) {
  library.impl("solve", &Differentiable<Solve, decltype(solve_forward)>::call);
}
