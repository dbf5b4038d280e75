// A dynamic Kanerva machine's step with one word, and its completion of words, with gradients: what
// `DKM.follow` and `DKM.answer` do.
//
// A word is z = [gain * code; value]. Both regress words on rows, w = (R R^T + sigma^2 I)^-1 R z: a
// step on whole rows, a completion on their codes. The name of a gradient begins with `to_` if it
// is computed here, with `by_` if it is given.

#include <ATen/ATen.h>
#include <ATen/EmptyTensor.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "addressing.h"
#include "cholesky.h"
#include "operator.h"
#include "sequences.h"

namespace {

using addressing::add;
using addressing::dot;
using at::Tensor;
using cholesky::padded;
using operators::Differentiable;
using operators::gradients_for;
using operators::List;
using operators::operator_of;
using operators::Saved;
using sequences::data;
using sequences::require_shape;

using Three = std::tuple<Tensor, Tensor, Tensor>;
using Five = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor>;

struct Sizes {
  int64_t sequences, heads, rows, places, values;

  Sizes(const Tensor& mean, int64_t places)
      : sequences(mean.size(0)),
        heads(mean.size(1)),
        rows(mean.size(2)),
        places(places),
        values(mean.size(3) - places) {}

  int64_t word() const { return places + values; }
  int64_t factor() const { return (rows + 1) * padded(rows); }
};

Tensor factors_like(const Tensor& mean) {
  const int64_t rows = mean.size(2);
  return at::empty({mean.size(0), mean.size(1), rows + 1, padded(rows)}, mean.options());
}

// Regression of words on the rows of one memory, of which the first `width` numbers count.
template <typename T>
class Regression {
 public:
  Regression(const T* memory, T* factor, int64_t width, const Sizes& sizes)
      : memory_(memory),
        factor_(factor),
        width_(width),
        sizes_(sizes),
        solved_(padded(sizes.rows)),
        missed_(width),
        along_(width) {}

  void factorise(T noise) {
    const int64_t N = sizes_.rows;
    std::vector<T> gram(N * N);
    for (int64_t i = 0; i < N; i++)
      for (int64_t j = 0; j <= i; j++)
        gram[i * N + j] = gram[j * N + i] = dot(row(i), row(j), width_);
    cholesky::factorise_shifted(gram.data(), noise, factor_, N, padded(N));
  }

  void put_address(const T* word, T* address) {
    std::fill(solved_.begin(), solved_.end(), T(0));
    for (int64_t i = 0; i < sizes_.rows; i++) solved_[i] = dot(row(i), word, width_);
    cholesky::solve(factor_, solved_.data(), sizes_.rows, padded(sizes_.rows));
    std::copy_n(solved_.data(), sizes_.rows, address);
  }

  // Adds the gradients of rows and word, and returns that of the noise. With A = R R^T + sigma^2 I
  // and y = A^-1 by_w: to_R = y (z - R^T w)^T - w (R^T y)^T, to_z = R^T y, to_noise = -y^T w.
  T add_gradients(const T* word, const T* address, const T* by_address, T* to_memory, T* to_word) {
    std::fill(solved_.begin(), solved_.end(), T(0));
    std::copy_n(by_address, sizes_.rows, solved_.data());
    cholesky::solve(factor_, solved_.data(), sizes_.rows, padded(sizes_.rows));
    std::copy_n(word, width_, missed_.data());
    std::fill(along_.begin(), along_.end(), T(0));
    for (int64_t i = 0; i < sizes_.rows; i++) {
      add(missed_.data(), -address[i], row(i), width_);
      add(along_.data(), solved_[i], row(i), width_);
    }
    for (int64_t i = 0; i < sizes_.rows; i++) {
      add(to_memory + i * sizes_.word(), solved_[i], missed_.data(), width_);
      add(to_memory + i * sizes_.word(), -address[i], along_.data(), width_);
    }
    add(to_word, T(1), along_.data(), width_);
    return -dot(solved_.data(), address, sizes_.rows);
  }

 private:
  const T* row(int64_t i) const { return memory_ + i * sizes_.word(); }

  const T* memory_;
  T* factor_;
  int64_t width_;
  const Sizes& sizes_;
  std::vector<T> solved_, missed_, along_;  // [padded N], [width], [width]
};

// Conditioning of one memory on one word: of w and g = U w, h = g / (w^T g + sigma^2) and
// delta = z - R^T w, it adds h delta^T to R and -h g^T to U.
template <typename T>
class Conditioning {
 public:
  explicit Conditioning(const Sizes& sizes)
      : sizes_(sizes),
        word_(sizes.word()),
        missed_(sizes.word()),
        chosen_(sizes.rows),
        share_(sizes.rows) {}

  void set_word(const T* code, const T* value, T code_gain) {
    for (int64_t j = 0; j < sizes_.places; j++) word_[j] = code_gain * code[j];
    std::copy_n(value, sizes_.values, word_.data() + sizes_.places);
  }

  // Turns copies of R and U to those after the step; `gain` is g.
  void forward(T* mean, T* covariance, T* factor, T* address, T* gain, T noise, T present) {
    const int64_t N = sizes_.rows, W = sizes_.word();
    Regression<T> regression(mean, factor, W, sizes_);
    regression.factorise(noise);
    regression.put_address(word_.data(), address);
    for (int64_t i = 0; i < N; i++) chosen_[i] = present * address[i];
    for (int64_t i = 0; i < N; i++) gain[i] = dot(covariance + i * N, chosen_.data(), N);
    set_rest(mean, gain, noise);
    for (int64_t i = 0; i < N; i++) {
      add(mean + i * W, share_[i], missed_.data(), W);
      add(covariance + i * N, -share_[i], gain, N);
    }
  }

  // Turns gradients of the new R and U to those of the old ones, and `to_word` to that of the word;
  // returns that of the noise.
  T backward(const T* mean, const T* covariance, T* factor, const T* address, const T* gain,
             T noise, T present, T* to_mean, T* to_covariance, T* to_word) {
    const int64_t N = sizes_.rows, W = sizes_.word();
    for (int64_t i = 0; i < N; i++) chosen_[i] = present * address[i];
    const T scale = set_rest(mean, gain, noise);
    std::vector<T> by_share(N), by_gain(N), by_chosen(N), by_missed(W);
    for (int64_t i = 0; i < N; i++) {
      by_share[i] = dot(to_mean + i * W, missed_.data(), W) - dot(to_covariance + i * N, gain, N);
      add(by_missed.data(), share_[i], to_mean + i * W, W);
      add(by_gain.data(), -share_[i], to_covariance + i * N, N);
    }
    const T by_scale = -dot(by_share.data(), share_.data(), N) / scale;
    add(by_gain.data(), 1 / scale, by_share.data(), N);
    add(by_gain.data(), by_scale, chosen_.data(), N);
    add(by_chosen.data(), by_scale, gain, N);
    for (int64_t i = 0; i < N; i++) {
      add(by_chosen.data(), by_gain[i], covariance + i * N, N);
      add(to_covariance + i * N, by_gain[i], chosen_.data(), N);
      by_chosen[i] -= dot(mean + i * W, by_missed.data(), W);
      add(to_mean + i * W, -chosen_[i], by_missed.data(), W);
    }
    for (T& each : by_chosen) each *= present;
    std::copy_n(by_missed.data(), W, to_word);
    Regression<T> regression(mean, factor, W, sizes_);
    return by_scale +
           regression.add_gradients(word_.data(), address, by_chosen.data(), to_mean, to_word);
  }

 private:
  // Sets delta and h, of w and g, and returns w^T g + sigma^2.
  T set_rest(const T* mean, const T* gain, T noise) {
    const int64_t N = sizes_.rows, W = sizes_.word();
    const T scale = dot(chosen_.data(), gain, N) + noise;
    missed_ = word_;
    for (int64_t i = 0; i < N; i++) {
      add(missed_.data(), -chosen_[i], mean + i * W, W);
      share_[i] = gain[i] / scale;
    }
    return scale;
  }

  const Sizes& sizes_;
  std::vector<T> word_, missed_;   // z and delta, [W]
  std::vector<T> chosen_, share_;  // w and h, [N]
};

// Calls function(b, h) for each memory of each sequence.
template <typename Function>
void for_each_memory(const Sizes& sizes, const Function& function) {
  at::parallel_for(0, sizes.sequences, 4, [&](int64_t b, int64_t last) {
    for (; b < last; b++)
      for (int64_t h = 0; h < sizes.heads; h++) function(b, h);
  });
}

// R [B, H, N, W] and U [B, H, N, N] after a word each, of codes [B, H, D] and values [B, V] that
// are `present` [B], or 0; factors, addresses and gains for the gradients. `noise` [H] is sigma^2.
Five condition_forward(const Tensor& mean, const Tensor& covariance, const Tensor& codes,
                       const Tensor& values, const Tensor& present, const Tensor& noise,
                       double code_gain) {
  const Sizes sizes(mean, codes.size(2));
  const int64_t B = sizes.sequences, H = sizes.heads, N = sizes.rows;
  require_shape(mean, {B, H, N, sizes.word()}, "a mean");
  require_shape(covariance, {B, H, N, N}, "a covariance");
  require_shape(codes, {B, H, sizes.places}, "codes");
  require_shape(values, {B, sizes.values}, "values");
  require_shape(present, {B}, "what is present");
  require_shape(noise, {H}, "noise");
  Tensor new_mean = mean.clone(), new_covariance = covariance.clone(), factors = factors_like(mean),
         addresses = at::empty({B, H, N}, mean.options()), gains = sequences::empty_like(addresses);
  AT_DISPATCH_FLOATING_TYPES(mean.scalar_type(), "dkm_condition", [&] {
    using T = scalar_t;
    for_each_memory(sizes, [&](int64_t b, int64_t h) {
      const int64_t n = b * H + h;
      Conditioning<T> conditioning(sizes);
      conditioning.set_word(data<T>(codes, b) + h * sizes.places, data<T>(values, b), code_gain);
      conditioning.forward(
          new_mean.data_ptr<T>() + n * N * sizes.word(), new_covariance.data_ptr<T>() + n * N * N,
          factors.data_ptr<T>() + n * sizes.factor(), addresses.data_ptr<T>() + n * N,
          gains.data_ptr<T>() + n * N, *data<T>(noise, h), *data<T>(present, b));
    });
  });
  return {new_mean, new_covariance, factors, addresses, gains};
}

// Gradients of the old R and U, of codes, of values and of noise.
Five condition_backward(const Tensor& mean, const Tensor& covariance, const Tensor& codes,
                        const Tensor& values, const Tensor& present, const Tensor& noise,
                        const Tensor& factors, const Tensor& addresses, const Tensor& gains,
                        const Tensor& by_mean, const Tensor& by_covariance, double code_gain) {
  const Sizes sizes(mean, codes.size(2));
  const int64_t H = sizes.heads, N = sizes.rows, W = sizes.word();
  Tensor to_mean = by_mean.clone(), to_covariance = by_covariance.clone(),
         to_codes = sequences::empty_like(codes), to_values = at::zeros_like(values),
         to_noise = at::empty({sizes.sequences, H}, mean.options());
  AT_DISPATCH_FLOATING_TYPES(mean.scalar_type(), "dkm_condition_backward", [&] {
    using T = scalar_t;
    for_each_memory(sizes, [&](int64_t b, int64_t h) {
      const int64_t n = b * H + h;
      std::vector<T> to_word(W);
      Conditioning<T> conditioning(sizes);
      conditioning.set_word(data<T>(codes, b) + h * sizes.places, data<T>(values, b), code_gain);
      data<T>(to_noise, b)[h] = conditioning.backward(
          mean.data_ptr<T>() + n * N * W, covariance.data_ptr<T>() + n * N * N,
          factors.data_ptr<T>() + n * sizes.factor(), addresses.data_ptr<T>() + n * N,
          gains.data_ptr<T>() + n * N, *data<T>(noise, h), *data<T>(present, b),
          to_mean.data_ptr<T>() + n * N * W, to_covariance.data_ptr<T>() + n * N * N,
          to_word.data());
      T* to_code = data<T>(to_codes, b) + h * sizes.places;
      for (int64_t j = 0; j < sizes.places; j++) to_code[j] = T(code_gain) * to_word[j];
      add(data<T>(to_values, b), T(1), to_word.data() + sizes.places, sizes.values);
    });
  });
  return {to_mean, to_covariance, to_codes, to_values, to_noise.sum(0)};
}

// Values [B, H, M, V] of words of which the codes [B, H, M, D] are known; factors and addresses.
Three complete_forward(const Tensor& mean, const Tensor& queries, const Tensor& noise,
                       double code_gain) {
  const Sizes sizes(mean, queries.size(3));
  const int64_t B = sizes.sequences, H = sizes.heads, N = sizes.rows, M = queries.size(2);
  require_shape(mean, {B, H, N, sizes.word()}, "a mean");
  require_shape(queries, {B, H, M, sizes.places}, "queries");
  require_shape(noise, {H}, "noise");
  Tensor found = at::zeros({B, H, M, sizes.values}, mean.options()), factors = factors_like(mean),
         addresses = at::empty({B, H, M, N}, mean.options());
  AT_DISPATCH_FLOATING_TYPES(mean.scalar_type(), "dkm_complete", [&] {
    using T = scalar_t;
    for_each_memory(sizes, [&](int64_t b, int64_t h) {
      const int64_t n = b * H + h;
      const T* memory = mean.const_data_ptr<T>() + n * N * sizes.word();
      Regression<T> regression(memory, factors.data_ptr<T>() + n * sizes.factor(), sizes.places,
                               sizes);
      regression.factorise(*data<T>(noise, h));
      std::vector<T> code(sizes.places);
      for (int64_t m = n * M; m < (n + 1) * M; m++) {
        const T* query = queries.const_data_ptr<T>() + m * sizes.places;
        for (int64_t j = 0; j < sizes.places; j++) code[j] = T(code_gain) * query[j];
        T* address = addresses.data_ptr<T>() + m * N;
        regression.put_address(code.data(), address);
        for (int64_t i = 0; i < N; i++)
          add(found.data_ptr<T>() + m * sizes.values, address[i],
              memory + i * sizes.word() + sizes.places, sizes.values);
      }
    });
  });
  return {found, factors, addresses};
}

// Gradients of R, of queries and of noise.
Three complete_backward(const Tensor& mean, const Tensor& queries, const Tensor& noise,
                        const Tensor& factors, const Tensor& addresses, const Tensor& by_found,
                        double code_gain) {
  const Sizes sizes(mean, queries.size(3));
  const int64_t H = sizes.heads, N = sizes.rows, W = sizes.word(), M = queries.size(2);
  Tensor to_mean = at::zeros_like(mean), to_queries = at::zeros_like(queries),
         to_noise = at::zeros({sizes.sequences, H}, mean.options());
  AT_DISPATCH_FLOATING_TYPES(mean.scalar_type(), "dkm_complete_backward", [&] {
    using T = scalar_t;
    for_each_memory(sizes, [&](int64_t b, int64_t h) {
      const int64_t n = b * H + h;
      const T* memory = mean.const_data_ptr<T>() + n * N * W;
      T* to_memory = to_mean.data_ptr<T>() + n * N * W;
      Regression<T> regression(memory, factors.data_ptr<T>() + n * sizes.factor(), sizes.places,
                               sizes);
      std::vector<T> code(sizes.places), by_address(N);
      for (int64_t m = n * M; m < (n + 1) * M; m++) {
        const T *query = queries.const_data_ptr<T>() + m * sizes.places,
                *by = by_found.const_data_ptr<T>() + m * sizes.values,
                *address = addresses.const_data_ptr<T>() + m * N;
        T* to_query = to_queries.data_ptr<T>() + m * sizes.places;
        for (int64_t j = 0; j < sizes.places; j++) code[j] = T(code_gain) * query[j];
        for (int64_t i = 0; i < N; i++) {
          by_address[i] = dot(memory + i * W + sizes.places, by, sizes.values);
          add(to_memory + i * W + sizes.places, address[i], by, sizes.values);
        }
        data<T>(to_noise, b)[h] +=
            regression.add_gradients(code.data(), address, by_address.data(), to_memory, to_query);
        for (int64_t j = 0; j < sizes.places; j++) to_query[j] *= T(code_gain);
      }
    });
  });
  return {to_mean, to_queries, to_noise.sum(0)};
}

Five condition_shapes(const Tensor& mean, const Tensor& covariance, const Tensor&, const Tensor&,
                      const Tensor&, const Tensor&, double) {
  const Tensor addresses = at::empty({mean.size(0), mean.size(1), mean.size(2)}, mean.options());
  return {at::empty_like(mean), at::empty_like(covariance), factors_like(mean), addresses,
          at::empty_like(addresses)};
}

Five condition_backward_shapes(const Tensor& mean, const Tensor& covariance, const Tensor& codes,
                               const Tensor& values, const Tensor&, const Tensor& noise,
                               const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                               const Tensor&, double) {
  return {at::empty_like(mean), at::empty_like(covariance), at::empty_like(codes),
          at::empty_like(values), at::empty_like(noise)};
}

Three complete_shapes(const Tensor& mean, const Tensor& queries, const Tensor&, double) {
  const auto with = [&](int64_t size) {
    return at::empty({mean.size(0), mean.size(1), queries.size(2), size}, mean.options());
  };
  return {with(mean.size(3) - queries.size(3)), factors_like(mean), with(mean.size(2))};
}

Three complete_backward_shapes(const Tensor& mean, const Tensor& queries, const Tensor& noise,
                               const Tensor&, const Tensor&, const Tensor&, double) {
  return {at::empty_like(mean), at::empty_like(queries), at::empty_like(noise)};
}

struct Condition : torch::autograd::Function<Condition> {
  static List forward(Saved* saved, const Tensor& mean, const Tensor& covariance,
                      const Tensor& codes, const Tensor& values, const Tensor& present,
                      const Tensor& noise, double code_gain) {
    static const auto condition = operator_of("dkm_kernel::condition", condition_forward);
    at::AutoDispatchBelowADInplaceOrView below;
    const auto [new_mean, new_covariance, factors, addresses, gains] =
        condition.call(mean, covariance, codes, values, present, noise, code_gain);
    saved->save_for_backward(
        {mean, covariance, codes, values, present, noise, factors, addresses, gains});
    saved->saved_data["code_gain"] = code_gain;
    saved->mark_non_differentiable({factors, addresses, gains});
    return {new_mean, new_covariance, factors, addresses, gains};
  }

  static List backward(Saved* saved, const List& gradients) {
    static const auto condition = operator_of("dkm_kernel::condition_backward", condition_backward);
    const List by = gradients_for(gradients), kept = saved->get_saved_variables();
    const auto [to_mean, to_covariance, to_codes, to_values, to_noise] =
        condition.call(kept[0], kept[1], kept[2], kept[3], kept[4], kept[5], kept[6], kept[7],
                       kept[8], by[0], by[1], saved->saved_data["code_gain"].toDouble());
    return {to_mean, to_covariance, to_codes, to_values, Tensor(), to_noise, Tensor()};
  }
};

struct Complete : torch::autograd::Function<Complete> {
  static List forward(Saved* saved, const Tensor& mean, const Tensor& queries, const Tensor& noise,
                      double code_gain) {
    static const auto complete = operator_of("dkm_kernel::complete", complete_forward);
    at::AutoDispatchBelowADInplaceOrView below;
    const auto [found, factors, addresses] = complete.call(mean, queries, noise, code_gain);
    saved->save_for_backward({mean, queries, noise, factors, addresses});
    saved->saved_data["code_gain"] = code_gain;
    saved->mark_non_differentiable({factors, addresses});
    return {found, factors, addresses};
  }

  static List backward(Saved* saved, const List& gradients) {
    static const auto complete = operator_of("dkm_kernel::complete_backward", complete_backward);
    const List by = gradients_for(gradients), kept = saved->get_saved_variables();
    const auto [to_mean, to_queries, to_noise] =
        complete.call(kept[0], kept[1], kept[2], kept[3], kept[4], by[0],
                      saved->saved_data["code_gain"].toDouble());
    return {to_mean, to_queries, to_noise, Tensor()};
  }
};

}  // namespace

TORCH_LIBRARY(dkm_kernel, library) {
  library.def(
      "condition(Tensor mean, Tensor covariance, Tensor codes, Tensor values, Tensor present, "
      "Tensor noise, float code_gain) -> (Tensor, Tensor, Tensor, Tensor, Tensor)");
  library.def(
      "condition_backward(Tensor mean, Tensor covariance, Tensor codes, Tensor values, "
      "Tensor present, Tensor noise, Tensor factors, Tensor addresses, Tensor gains, "
      "Tensor by_mean, Tensor by_covariance, float code_gain) -> "
      "(Tensor, Tensor, Tensor, Tensor, Tensor)");
  library.def(
      "complete(Tensor mean, Tensor queries, Tensor noise, float code_gain) -> "
      "(Tensor, Tensor, Tensor)");
  library.def(
      "complete_backward(Tensor mean, Tensor queries, Tensor noise, Tensor factors, "
      "Tensor addresses, Tensor by_found, float code_gain) -> (Tensor, Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(dkm_kernel, CPU, library) {
  library.impl("condition", &condition_forward);
  library.impl("condition_backward", &condition_backward);
  library.impl("complete", &complete_forward);
  library.impl("complete_backward", &complete_backward);
}

TORCH_LIBRARY_IMPL(dkm_kernel, Meta, library) {
  library.impl("condition", &condition_shapes);
  library.impl("condition_backward", &condition_backward_shapes);
  library.impl("complete", &complete_shapes);
  library.impl("complete_backward", &complete_backward_shapes);
}

TORCH_LIBRARY_IMPL(dkm_kernel, Autograd, library) {
  library.impl("condition", &Differentiable<Condition, decltype(condition_forward)>::call);
  library.impl("complete", &Differentiable<Complete, decltype(complete_forward)>::call);
}
