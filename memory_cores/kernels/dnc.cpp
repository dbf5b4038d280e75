// A DNC's write, or its write and read, as one operator each, with the linear maps that ask for
// them.
//
// The name of a gradient begins with `to_` if it is computed here, with `by_` if it is given.

#include <ATen/ATen.h>

#include <tuple>

#include "dnc_read.h"
#include "dnc_write.h"
#include "linear.h"
#include "operator.h"

namespace {

using at::Tensor;
using linear::to_weight;
using operators::Differentiable;
using operators::gradients_for;
using operators::List;
using operators::operator_of;
using operators::Saved;
using Six = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;
using Nine = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;

// The new memory, usage, precedence, links and write weights, and the write interface.
Six write_forward(const Tensor& memory, const Tensor& usage, const Tensor& precedence,
                  const Tensor& link, const Tensor& writes, const Tensor& reads,
                  const Tensor& present, const Tensor& item, const Tensor& weight,
                  const Tensor& bias) {
  Tensor interface = linear::forward(bias, item, weight);
  return std::tuple_cat(
      dnc_write::forward(memory, usage, precedence, link, writes, reads, interface, present),
      std::make_tuple(interface));
}

using Seven = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;

// Gradients of memory, usage, precedence, links, read weights, the interface, and the item.
Seven write_backward(const Tensor& memory, const Tensor& usage, const Tensor& precedence,
                     const Tensor& link, const Tensor& writes, const Tensor& reads,
                     const Tensor& present, const Tensor& interface, const Tensor& weight,
                     const Tensor& by_memory, const Tensor& by_usage, const Tensor& by_precedence,
                     const Tensor& by_link, const Tensor& by_writes) {
  auto found = dnc_write::backward(memory, usage, precedence, link, writes, reads, interface,
                                   present, by_memory, by_usage, by_precedence, by_link, by_writes,
                                   at::zeros_like(reads));
  return std::tuple_cat(found, std::make_tuple(linear::backward(std::get<5>(found), weight)));
}

// What a write leaves, then what is read and the read weights, then both interfaces.
Nine step_forward(const Tensor& memory, const Tensor& usage, const Tensor& precedence,
                  const Tensor& link, const Tensor& writes, const Tensor& reads,
                  const Tensor& present, const Tensor& item, const Tensor& write_weight,
                  const Tensor& write_bias, const Tensor& control, const Tensor& read_weight,
                  const Tensor& read_bias) {
  const auto [new_memory, new_usage, new_precedence, new_link, new_writes, write_interface] =
      write_forward(memory, usage, precedence, link, writes, reads, present, item, write_weight,
                    write_bias);
  const Tensor read_interface = linear::forward(read_bias, control, read_weight);
  const auto [found, new_reads] = dnc_read::forward(new_memory, new_link, reads, read_interface);
  return {new_memory, new_usage, new_precedence,  new_link,      new_writes,
          found,      new_reads, write_interface, read_interface};
}

// Gradients of memory, usage, precedence, links and read weights, of the interfaces, and
// of the item and the control behind them.
Nine step_backward(const Tensor& memory, const Tensor& usage, const Tensor& precedence,
                   const Tensor& link, const Tensor& writes, const Tensor& reads,
                   const Tensor& present, const Tensor& write_interface, const Tensor& write_weight,
                   const Tensor& read_interface, const Tensor& read_weight,
                   const Tensor& new_memory, const Tensor& new_link, const Tensor& by_memory,
                   const Tensor& by_usage, const Tensor& by_precedence, const Tensor& by_link,
                   const Tensor& by_writes, const Tensor& by_found, const Tensor& by_reads) {
  const auto [read_memory, read_link, read_reads, to_read_interface] = dnc_read::backward(
      new_memory, new_link, reads, read_interface, by_found, by_reads, by_memory, by_link);
  const auto [to_memory, to_usage, to_precedence, to_link, to_reads, to_write_interface] =
      dnc_write::backward(memory, usage, precedence, link, writes, reads, write_interface, present,
                          read_memory, by_usage, by_precedence, read_link, by_writes, read_reads);
  return {to_memory,
          to_usage,
          to_precedence,
          to_link,
          to_reads,
          to_write_interface,
          linear::backward(to_write_interface, write_weight),
          to_read_interface,
          linear::backward(to_read_interface, read_weight)};
}

Six write_shapes(const Tensor& memory, const Tensor& usage, const Tensor& precedence,
                 const Tensor& link, const Tensor& writes, const Tensor&, const Tensor&,
                 const Tensor& item, const Tensor& weight, const Tensor&) {
  return {at::empty_like(memory), at::empty_like(usage),  at::empty_like(precedence),
          at::empty_like(link),   at::empty_like(writes), linear::forward_shape(item, weight)};
}

Seven write_backward_shapes(const Tensor& memory, const Tensor& usage, const Tensor& precedence,
                            const Tensor& link, const Tensor&, const Tensor& reads, const Tensor&,
                            const Tensor& interface, const Tensor& weight, const Tensor&,
                            const Tensor&, const Tensor&, const Tensor&, const Tensor&) {
  return {at::empty_like(memory),
          at::empty_like(usage),
          at::empty_like(precedence),
          at::empty_like(link),
          at::empty_like(reads),
          at::empty_like(interface),
          linear::backward_shape(interface, weight)};
}

Nine step_shapes(const Tensor& memory, const Tensor& usage, const Tensor& precedence,
                 const Tensor& link, const Tensor& writes, const Tensor& reads, const Tensor&,
                 const Tensor& item, const Tensor& write_weight, const Tensor&,
                 const Tensor& control, const Tensor& read_weight, const Tensor&) {
  const Tensor found =
      at::empty({memory.size(0), reads.size(1) * memory.size(2)}, memory.options());
  return {at::empty_like(memory),
          at::empty_like(usage),
          at::empty_like(precedence),
          at::empty_like(link),
          at::empty_like(writes),
          found,
          at::empty_like(reads),
          linear::forward_shape(item, write_weight),
          linear::forward_shape(control, read_weight)};
}

Nine step_backward_shapes(const Tensor& memory, const Tensor& usage, const Tensor& precedence,
                          const Tensor& link, const Tensor&, const Tensor& reads, const Tensor&,
                          const Tensor& write_interface, const Tensor& write_weight,
                          const Tensor& read_interface, const Tensor& read_weight, const Tensor&,
                          const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                          const Tensor&, const Tensor&, const Tensor&) {
  return {at::empty_like(memory),
          at::empty_like(usage),
          at::empty_like(precedence),
          at::empty_like(link),
          at::empty_like(reads),
          at::empty_like(write_interface),
          linear::backward_shape(write_interface, write_weight),
          at::empty_like(read_interface),
          linear::backward_shape(read_interface, read_weight)};
}

struct Write : torch::autograd::Function<Write> {
  static List forward(Saved* saved, const Tensor& memory, const Tensor& usage,
                      const Tensor& precedence, const Tensor& link, const Tensor& writes,
                      const Tensor& reads, const Tensor& present, const Tensor& item,
                      const Tensor& weight, const Tensor& bias) {
    static const auto write = operator_of("dnc_kernel::write", write_forward);
    at::AutoDispatchBelowADInplaceOrView below;
    const auto [new_memory, new_usage, new_precedence, new_link, new_writes, interface] =
        write.call(memory, usage, precedence, link, writes, reads, present, item, weight, bias);
    saved->save_for_backward(
        {memory, usage, precedence, link, writes, reads, present, interface, weight, item});
    saved->mark_non_differentiable({interface});
    return {new_memory, new_usage, new_precedence, new_link, new_writes, interface};
  }

  static List backward(Saved* saved, const List& gradients) {
    static const auto write = operator_of("dnc_kernel::write_backward", write_backward);
    const List by = gradients_for(gradients), kept = saved->get_saved_variables();
    const Tensor &memory = kept[0], &usage = kept[1], &precedence = kept[2], &link = kept[3],
                 &writes = kept[4], &reads = kept[5], &present = kept[6], &interface = kept[7],
                 &weight = kept[8], &item = kept[9];
    const auto [to_memory, to_usage, to_precedence, to_link, to_reads, to_interface, to_item] =
        write.call(memory, usage, precedence, link, writes, reads, present, interface, weight,
                   by[0], by[1], by[2], by[3], by[4]);
    return {to_memory,
            to_usage,
            to_precedence,
            to_link,
            {},
            to_reads,
            {},
            to_item,
            to_weight(to_interface, item),
            to_interface.sum(0)};
  }
};

struct Step : torch::autograd::Function<Step> {
  static List forward(Saved* saved, const Tensor& memory, const Tensor& usage,
                      const Tensor& precedence, const Tensor& link, const Tensor& writes,
                      const Tensor& reads, const Tensor& present, const Tensor& item,
                      const Tensor& write_weight, const Tensor& write_bias, const Tensor& control,
                      const Tensor& read_weight, const Tensor& read_bias) {
    static const auto step = operator_of("dnc_kernel::step", step_forward);
    at::AutoDispatchBelowADInplaceOrView below;
    const auto [new_memory, new_usage, new_precedence, new_link, new_writes, found, new_reads,
                write_interface, read_interface] =
        step.call(memory, usage, precedence, link, writes, reads, present, item, write_weight,
                  write_bias, control, read_weight, read_bias);
    saved->save_for_backward({memory, usage, precedence, link, writes, reads, present,
                              write_interface, write_weight, read_interface, read_weight,
                              new_memory, new_link, item, control});
    saved->mark_non_differentiable({write_interface, read_interface});
    return {new_memory, new_usage, new_precedence,  new_link,      new_writes,
            found,      new_reads, write_interface, read_interface};
  }

  static List backward(Saved* saved, const List& gradients) {
    static const auto step = operator_of("dnc_kernel::step_backward", step_backward);
    const List by = gradients_for(gradients), kept = saved->get_saved_variables();
    const Tensor &memory = kept[0], &usage = kept[1], &precedence = kept[2], &link = kept[3],
                 &writes = kept[4], &reads = kept[5], &present = kept[6],
                 &write_interface = kept[7], &write_weight = kept[8], &read_interface = kept[9],
                 &read_weight = kept[10], &new_memory = kept[11], &new_link = kept[12],
                 &item = kept[13], &control = kept[14];
    const auto [to_memory, to_usage, to_precedence, to_link, to_reads, to_write_interface, to_item,
                to_read_interface, to_control] =
        step.call(memory, usage, precedence, link, writes, reads, present, write_interface,
                  write_weight, read_interface, read_weight, new_memory, new_link, by[0], by[1],
                  by[2], by[3], by[4], by[5], by[6]);
    return {to_memory,
            to_usage,
            to_precedence,
            to_link,
            {},
            to_reads,
            {},
            to_item,
            to_weight(to_write_interface, item),
            to_write_interface.sum(0),
            to_control,
            to_weight(to_read_interface, control),
            to_read_interface.sum(0)};
  }
};

}  // namespace

TORCH_LIBRARY(dnc_kernel, library) {
  library.def(
      "write(Tensor memory, Tensor usage, Tensor precedence, Tensor link, Tensor writes, "
      "Tensor reads, Tensor present, Tensor item, Tensor weight, Tensor bias) "
      "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)");
  library.def(
      "write_backward(Tensor memory, Tensor usage, Tensor precedence, Tensor link, Tensor writes, "
      "Tensor reads, Tensor present, Tensor interface, Tensor weight, Tensor by_memory, "
      "Tensor by_usage, Tensor by_precedence, Tensor by_link, Tensor by_writes) "
      "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)");
  library.def(
      "step(Tensor memory, Tensor usage, Tensor precedence, Tensor link, Tensor writes, "
      "Tensor reads, Tensor present, Tensor item, Tensor write_weight, Tensor write_bias, "
      "Tensor control, Tensor read_weight, Tensor read_bias) "
      "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)");
  library.def(
      "step_backward(Tensor memory, Tensor usage, Tensor precedence, Tensor link, Tensor writes, "
      "Tensor reads, Tensor present, Tensor write_interface, Tensor write_weight, "
      "Tensor read_interface, Tensor read_weight, Tensor new_memory, Tensor new_link, "
      "Tensor by_memory, Tensor by_usage, Tensor by_precedence, Tensor by_link, Tensor by_writes, "
      "Tensor by_found, Tensor by_reads) "
      "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(dnc_kernel, CPU, library) {
  library.impl("write", &write_forward);
  library.impl("write_backward", &write_backward);
  library.impl("step", &step_forward);
  library.impl("step_backward", &step_backward);
}

TORCH_LIBRARY_IMPL(dnc_kernel, Meta, library) {
  library.impl("write", &write_shapes);
  library.impl("write_backward", &write_backward_shapes);
  library.impl("step", &step_shapes);
  library.impl("step_backward", &step_backward_shapes);
}

TORCH_LIBRARY_IMPL(dnc_kernel, Autograd, library) {
  library.impl("write", &Differentiable<Write, decltype(write_forward)>::call);
  library.impl("step", &Differentiable<Step, decltype(step_forward)>::call);
}
