"""The backbone's order of events: what each part may depend on; and its C++ operators."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_modules.temporal_vaes.attribution import stored
from lightning_modules.temporal_vaes.backbone import Backbone, Trajectory
from memory_cores import CORES, DNC, NTM, RMR, Items, MemoryCore, MemorySizes, NoMemory
from memory_cores.kernels import building
from memory_cores.kernels import dnc as dnc_kernel
from memory_cores.kernels import lstm as lstm_kernel

B, T, E, F, Z, H = 3, 6, 5, 7, 4, 8
#: Cores whose steps are C++ operators, wholly or in part.
BY_OPERATORS = [NoMemory, NTM, partial(DNC, slots=4, word_size=3)]


def make_backbone(core: Callable[[MemorySizes], MemoryCore], map_size: int = 9) -> Backbone:
    torch.manual_seed(0)
    memory = core(MemorySizes(control=H, key=H, value=Z, steps=T))
    return Backbone(memory, E, F, Z, H, map_size).double()


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    shapes = ((B, T, E), (B, T, F), (B, T, Z))
    return tuple(torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes)


def depends(output: Tensor, on: Tensor) -> list[bool]:
    """Tell whether ``output`` depends on each step of an input [B, T, ...]."""
    (gradient,) = torch.autograd.grad(output.sum(), on, retain_graph=True, allow_unused=True)
    return [False] * T if gradient is None else gradient.abs().sum((0, 2)).gt(0).tolist()


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("t", [0, 3])
def test_prior_sees_moves_up_to_now_and_frames_up_to_the_step_before(core, t: int) -> None:
    evidence, features, noise = (x.requires_grad_() for x in inputs())
    trajectory = make_backbone(core).unroll(evidence, features, noise)
    prior, posterior = trajectory.prior.mean[:, t], trajectory.posterior.mean[:, t]
    up_to_now = [s <= t for s in range(T)]
    before_now = [s < t for s in range(T)]
    # Where psi is the reads alone, the first step's is zero whatever the move.
    nothing_read = t == 0 and not core.context_includes_control
    assert depends(prior, evidence) == ([False] * T if nothing_read else up_to_now)
    assert depends(prior, features) == before_now
    assert depends(prior, noise) == before_now
    assert depends(posterior, features) == up_to_now
    assert depends(trajectory.latent[:, t], noise) == up_to_now


@pytest.mark.parametrize("core", CORES)
def test_steps_without_a_frame_draw_from_the_prior(core) -> None:
    evidence, features, noise = inputs()
    trajectory = make_backbone(core).unroll(evidence, features[:, :2], noise)
    drawn = trajectory.prior.sample(noise)
    torch.testing.assert_close(trajectory.latent[:, 2:], drawn[:, 2:])
    assert not torch.allclose(trajectory.latent[:, :2], drawn[:, :2])
    torch.testing.assert_close(trajectory.posterior.mean[:, 2:], trajectory.prior.mean[:, 2:])


@pytest.mark.parametrize("core", CORES)
def test_a_prefix_gives_the_same_steps_as_the_whole_sequence(core) -> None:
    evidence, features, noise = inputs()
    backbone = make_backbone(core)
    whole = backbone.unroll(evidence, features, noise)
    prefix = backbone.unroll(evidence, features[:, :3], noise)
    torch.testing.assert_close(prefix.latent[:, :3], whole.latent[:, :3])
    torch.testing.assert_close(prefix.psi[:, :4], whole.psi[:, :4])
    assert not torch.allclose(prefix.psi[:, 4], whole.psi[:, 4])


def test_what_a_core_draws_is_in_the_bound_where_there_are_frames() -> None:
    evidence, features, _ = inputs()
    core_class = partial(RMR, stochastic_keys=True, slots=2, key_range=1.0)
    backbone = make_backbone(core_class)
    noise = torch.randn(B, T, backbone.noise_size, dtype=torch.float64)
    found = backbone.unroll(evidence, features[:, :4], noise, record=True)
    core, items = backbone.memory, stored(found.control, found.latent)
    observed = found.control + features @ backbone.memory_observe.weight.T
    state, kl = core.initial_state(B, noise), []
    for t in range(4):
        item = Items(*(part[:, t : t + 1] for part in items))
        drawn = observed[:, t], noise[:, t, Z:]
        reads, state, divergence = core.write_and_read(state, found.control[:, t], item, *drawn)
        torch.testing.assert_close(found.psi[:, t, : reads.shape[1]], reads)
        kl.append(divergence)
    torch.testing.assert_close(found.memory_kl[:, :4], torch.stack(kl, 1))
    assert (found.memory_kl[:, :4] > 0).all() and not found.memory_kl[:, 4:].any()


@pytest.mark.parametrize("core", [DNC, RMR])
def test_a_core_that_draws_nothing_adds_nothing_to_the_bound(core) -> None:
    backbone = make_backbone(core)
    assert backbone.memory_observe is None
    assert not backbone.unroll(*inputs()).memory_kl.any()


def test_generation_needs_no_frame_at_all() -> None:
    evidence, features, noise = inputs()
    trajectory = make_backbone(CORES[0]).unroll(evidence, features[:, :0], noise)
    torch.testing.assert_close(trajectory.latent, trajectory.prior.sample(noise))


def test_nothing_is_written_before_the_first_latent_is_drawn() -> None:
    evidence, features, noise = inputs()
    weightings = make_backbone(CORES[0]).unroll(evidence, features, noise, record=True).weightings
    assert weightings.write.shape[:2] == (B, T)
    assert weightings.write[:, 0].abs().sum() == 0
    assert (weightings.write[:, 1:].sum((2, 3)) > 0.1).all()


@pytest.mark.parametrize("core", CORES)
def test_reads_and_controller_meet_only_where_the_context_includes_both(core) -> None:
    evidence, features, noise = inputs()
    backbone = make_backbone(core)
    read = [x.requires_grad_() for x in backbone.initial_state(B, noise).reads.split(1, 1)]
    state = backbone.initial_state(B, noise)
    if read:
        state = state._replace(reads=torch.cat(read, 1))
    after, psi, _ = backbone.advance(state, backbone.controller.evidence_gates(evidence)[:, 0])
    hidden, reads = after.controller.hidden, after.reads
    expected = [reads, hidden] if core.context_includes_control else [reads]
    assert torch.equal(psi, torch.cat(expected, 1))
    assert psi.shape == (B, backbone.psi_size)
    found = torch.autograd.grad(hidden.sum(), read, allow_unused=True) if read else []
    for gradient in found:
        assert (gradient is not None) == core.context_includes_control


def test_imagined_evidence_replaces_unknown_evidence() -> None:
    evidence, features, noise = inputs()
    backbone = make_backbone(CORES[0])
    known = backbone.unroll(evidence, features[:, :2], noise)
    imagined_steps = []

    def imagine(t: int, step) -> Tensor:
        imagined_steps.append(t)
        torch.testing.assert_close(step.latent, known.latent[:, t - 1])
        return evidence[:, t]

    imagined = backbone.unroll(evidence[:, :3], features[:, :2], noise, imagine=imagine)
    assert imagined_steps == [3, 4, 5]
    torch.testing.assert_close(imagined.latent, known.latent)


def test_a_map_without_hidden_units_is_linear_in_the_frame() -> None:
    backbone = make_backbone(CORES[0], map_size=0)
    psi, zero = torch.zeros(1, backbone.psi_size).double(), torch.zeros(1, F).double()
    one = torch.randn(1, F).double()

    def parameters(frame: Tensor) -> Tensor:
        return backbone.posterior_map(psi, backbone.posterior_map.observe(frame))

    offset = parameters(zero)
    torch.testing.assert_close(parameters(3 * one) - offset, 3 * (parameters(one) - offset))


def recorded(trajectory: Trajectory) -> bool:
    return trajectory.weightings is not None


def test_weightings_are_kept_only_on_request() -> None:
    backbone = make_backbone(CORES[0])
    assert not recorded(backbone.unroll(*inputs()))
    assert recorded(backbone.unroll(*inputs(), record=True))


def outcome_and_gradients(backbone: Backbone) -> list[Tensor]:
    trajectory = backbone.unroll(*inputs())
    parts = [trajectory.latent, trajectory.psi, *trajectory.prior, *trajectory.posterior]
    loss = torch.stack([part.square().mean() for part in parts]).sum()
    return [*parts, *torch.autograd.grad(loss, list(backbone.parameters()))]


@pytest.mark.operators
@pytest.mark.parametrize("core", BY_OPERATORS, ids=["no memory", "ntm", "dnc"])
def test_operators_give_the_same_sequences_and_gradients(
    core: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = make_backbone(core, map_size=4)
    calls = [count_calls(kernel, monkeypatch) for kernel in (lstm_kernel, dnc_kernel)]
    by_operators = outcome_and_gradients(backbone)
    assert [len(each) for each in calls] == [T, T if isinstance(core, partial) else 0]
    with building.left_out():
        in_python = outcome_and_gradients(backbone)
    assert len(calls[0]) == T
    for one, other in zip(by_operators, in_python, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.operators
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_evaluation_by_operators_needs_no_gradients(mode: Any) -> None:
    backbone = make_backbone(BY_OPERATORS[-1], map_size=4)
    with mode():
        ours = backbone.unroll(*inputs()).psi
    torch.testing.assert_close(ours, backbone.unroll(*inputs()).psi.detach(), rtol=0, atol=0)


def count_calls(kernel: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []
    step = kernel.step

    def counted(*args: Any) -> Any:
        calls.append(args)
        return step(*args)

    monkeypatch.setattr(kernel, "step", counted)
    return calls
