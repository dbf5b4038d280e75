"""Compiled chunks of the recurrence against the loop step by step, and what surrounds them."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_modules import GTMM
from lightning_modules.speed.compiled_steps import graph_size, require_compiler, span_sizes
from lightning_modules.temporal_vaes.backbone import Backbone, Trajectory
from memory_cores import CORES, DNC, SAM, MemoryCore, MemorySizes, NoMemory

pytestmark = pytest.mark.operators
B, E, F, Z, H = 2, 3, 4, 2, 8
#: Steps of the models' sequences, and of one graph.
CHUNK = 3
every_core = pytest.mark.parametrize("core", CORES, ids=lambda core: core.__name__)


def make_pair(
    core: Callable[[MemorySizes], MemoryCore], backend: str | None = None, steps: int = CHUNK
) -> tuple[Backbone, Backbone]:
    """The same backbone twice: step by step, and compiled."""
    torch.manual_seed(0)
    memory = core(MemorySizes(control=H, key=H, value=Z, steps=steps))
    backbone = Backbone(memory, E, F, Z, H, map_size=4, compile=True)
    eager = copy.deepcopy(backbone)
    eager.compiled_steps = None
    if backend is not None:
        backbone.compiled_steps.steps = torch.compile(
            Backbone.known_steps, fullgraph=True, dynamic=False, backend=backend
        )
    return eager, backbone


def inputs(steps: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(steps)
    return tuple(torch.randn(B, steps, size, generator=generator) for size in (E, F, Z))


def gradients(backbone: Backbone, trajectory: Trajectory) -> list[Tensor]:
    """Gradients of a loss that sees everything."""
    parts = (trajectory.latent, trajectory.psi, *trajectory.prior, *trajectory.posterior)
    loss = torch.stack([part.square().mean() for part in parts]).sum()
    return list(torch.autograd.grad(loss, list(backbone.parameters())))


def assert_same(eager: Backbone, compiled: Backbone, steps: int) -> None:
    (one, other), drawn = (eager, compiled), inputs(steps)
    found = [backbone.unroll(*drawn) for backbone in (one, other)]
    for result, expected in zip(found[1][:2], found[0][:2], strict=True):
        torch.testing.assert_close(result, expected, rtol=0, atol=1e-5)
    pairs = zip(gradients(other, found[1]), gradients(one, found[0]), strict=True)
    for result, expected in pairs:
        torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)


@every_core
def test_one_graph_serves_sequences_of_every_length(core: type[MemoryCore]) -> None:
    torch.compiler.reset()
    eager, compiled = make_pair(core, backend="aot_eager")
    assert_same(eager, compiled, CHUNK + 1)
    with torch._dynamo.config.patch(error_on_recompile=True):
        for steps in (1, CHUNK, 2 * CHUNK + 1, 3 * CHUNK - 1):
            assert_same(eager, compiled, steps)


@pytest.mark.compile
@every_core
def test_machine_code_gives_the_same_numbers(core: type[MemoryCore]) -> None:
    torch.compiler.reset()
    assert_same(*make_pair(core), 2 * CHUNK + 1)


def test_compiling_is_announced_once(capsys: pytest.CaptureFixture[str]) -> None:
    _, compiled = make_pair(NoMemory, backend="aot_eager")
    for _ in range(2):
        compiled.unroll(*inputs(CHUNK + 1))
    assert capsys.readouterr().out.count(f"Compiled {CHUNK} steps of the loop over time in") == 1


def test_a_memory_that_grows_is_not_compiled(capsys: pytest.CaptureFixture[str]) -> None:
    """A graph has one shape: ten steps of a growing journal would be ten graphs."""
    eager, compiled = make_pair(partial(SAM, slots=500))
    assert_same(eager, compiled, 3 * CHUNK)
    said = "The state of this SAM grows from step to step: nothing is compiled"
    assert capsys.readouterr().out.count(said) == 1
    assert make_pair(partial(SAM, slots=20))[0].memory.graph_steps == 5


def raises(*_: Any) -> None:
    raise AssertionError("compiled")


@pytest.mark.parametrize(
    "use",
    [
        lambda backbone, e, f, n: backbone.unroll(e, f, n, record=True),
        lambda backbone, e, f, n: backbone.unroll(e, f[:, :1], n),
        lambda backbone, e, f, n: torch.no_grad()(backbone.unroll)(e, f, n),
    ],
    ids=["recorded", "generated", "without gradients"],
)
def test_only_training_is_compiled(use: Callable[..., Trajectory]) -> None:
    _, compiled = make_pair(NoMemory)
    compiled.compiled_steps.steps = raises
    use(compiled, *inputs(2 * CHUNK + 1))
    with pytest.raises(AssertionError, match="compiled"):
        compiled.unroll(*inputs(2 * CHUNK + 1))


def test_a_compiled_model_saves_what_any_other_saves() -> None:
    eager, compiled = make_pair(CORES[0], backend="aot_eager")
    compiled.unroll(*inputs(CHUNK + 1))
    assert compiled.state_dict().keys() == eager.state_dict().keys()


def test_copies_compute_with_their_own_parameters() -> None:
    _, compiled = make_pair(NoMemory, backend="aot_eager")
    drawn = inputs(CHUNK + 1)
    before = compiled.unroll(*drawn).latent
    other = copy.deepcopy(compiled)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(2)
    assert not torch.allclose(other.unroll(*drawn).latent, before)
    assert torch.equal(compiled.unroll(*drawn).latent, before)


def test_mixed_precision_is_compiled_too() -> None:
    torch.compiler.reset()
    eager, compiled = make_pair(CORES[0], backend="aot_eager")
    with torch.autocast("cpu", torch.bfloat16):
        found = [backbone.unroll(*inputs(CHUNK + 1)).latent for backbone in (eager, compiled)]
    torch.testing.assert_close(found[1].float(), found[0].float(), rtol=0.02, atol=0.02)


@pytest.mark.parametrize(
    ("steps", "size", "sizes"),
    [
        (0, None, []),
        (0, 5, []),
        (3, None, [3]),
        (3, 5, [3]),
        (5, 5, [5]),
        (12, 5, [2, 5, 5]),
    ],
)
def test_graphs_end_with_the_last_step(steps: int, size: int | None, sizes: list[int]) -> None:
    assert span_sizes(steps, size) == sizes


@pytest.mark.parametrize(
    ("steps", "most", "size"),
    [
        (20, 25, 20),
        (26, 25, 13),
        (101, 25, 25),
        (25, 5, 5),
        (24, 5, 4),
        (11, 5, 5),
        (7, 5, 3),
        (3, 5, 3),
        (1, 5, 1),
    ],
)
def test_sequences_take_few_calls(steps: int, most: int, size: int) -> None:
    assert graph_size(steps, most) == size


@pytest.mark.parametrize(
    ("settings", "most"), [({}, 25), ({"write_heads": 2}, 5), ({"sparse_links": 2}, 5)]
)
def test_graphs_are_large_where_operators_leave_little_to_compile(
    settings: dict[str, int], most: int
) -> None:
    core = DNC(MemorySizes(control=H, key=H, value=Z, steps=30), slots=3, **settings)
    assert core.graph_steps == most


def test_a_graph_as_long_as_its_sequences_gives_the_same_numbers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    torch.compiler.reset()
    eager, compiled = make_pair(partial(DNC, slots=3), backend="aot_eager", steps=7)
    assert_same(eager, compiled, 8)
    assert "Compiled 7 steps" in capsys.readouterr().out


def test_a_missing_compiler_is_named_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch._inductor.config.cpp, "cxx", (None, "no-such-compiler"))
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    torch._inductor.cpp_builder.cpp_compiler_search.cache_clear()
    with pytest.raises(ValueError, match=r"compile must be false without .*, got True"):
        require_compiler()
    torch._inductor.cpp_builder.cpp_compiler_search.cache_clear()


def test_the_setting_reaches_the_backbone_and_the_checkpoint() -> None:
    data = {"sequence_length": 3, "prefix_length": 1, "action_size": 2, "frame_shape": (1, 28, 28)}
    model = GTMM(memory=NoMemory, controller_size=4, latent_size=2, compile=True, **data)
    assert model.backbone.compiled_steps is not None and model.hparams.compile
    assert GTMM(memory=NoMemory, controller_size=4, **data).backbone.compiled_steps is None
