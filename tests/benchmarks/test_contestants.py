"""Contestants: all of them perform the timed workload."""

from functools import partial

import pytest
import torch

import pypi_dnc
from compilation import compiled
from contestants import NAMES, PYPI_DNC, VARIANTS, Contestant, contestants, module_of
from memory_cores import CORES, ContextWindow
from recurrence import Recurrence
from set_unroll import SetSizes, SetUnroll
from sizes import Sizes

TINY = Sizes(steps=3, batch=2, controller=8, slots=4, word=4, read_heads=2)
TINY_SETS = SetSizes(steps=3, batch=2, width=8, context=4, targets=5, slots=4)
CPU = torch.device("cpu")
every_variant = pytest.mark.parametrize("name", VARIANTS)


def one(name: str, bf16: bool = False) -> Contestant:
    return dict(contestants((name,), TINY, CPU, bf16))[name]


def test_every_core_takes_part() -> None:
    plain = [variant.core for variant in VARIANTS.values() if not variant.settings]
    assert plain == list(CORES)


def test_rows_are_called_as_they_were_in_results_that_are_kept() -> None:
    """Later runs find their rows by name."""
    names = {"dnc", "ntm", "lru", "introspection", "context_window", "rmr", "no_memory"}
    assert VARIANTS.keys() >= names
    assert VARIANTS["context_window"].core is ContextWindow


@every_variant
def test_a_step_trains_all_that_its_outputs_depend_on(name: str) -> None:
    contestant = one(name)
    contestant.step()
    gradients = {n: p.grad for n, p in contestant.module.named_parameters()}
    assert [n for n, gradient in gradients.items() if gradient is None] == []
    assert all(gradient.isfinite().all() for gradient in gradients.values() if gradient is not None)


@every_variant
def test_outputs_depend_on_earlier_inputs_only(name: str) -> None:
    contestant = one(name)
    inputs = contestant.inputs.clone().requires_grad_()
    torch.manual_seed(0)
    contestant.module(inputs)[:, 1].sum().backward()
    assert inputs.grad is not None
    assert inputs.grad[:, 0].abs().sum() > 0 and inputs.grad[:, 2].abs().sum() == 0


@every_variant
def test_sizes_are_those_that_were_asked_for(name: str) -> None:
    module = module_of(name, TINY, CPU)
    assert isinstance(module, Recurrence)
    for setting in VARIANTS[name].accepted & {"slots", "read_heads"}:
        assert getattr(module.core, setting) == getattr(TINY, setting)


@every_variant
def test_it_runs_in_bfloat16(name: str) -> None:
    contestant = one(name, bf16=True)
    loss = contestant.loss()
    assert loss.dtype == torch.float32 and loss.isfinite()


@pytest.mark.parametrize("name", ["dnc", "rmr"])
def test_a_compiled_step_is_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    contestant = one(name)
    assert isinstance(contestant.module, Recurrence)
    twin = contestant._replace(module=compiled(contestant.module))
    losses = []
    for each in (contestant, twin):
        torch.manual_seed(0)
        losses.append(each.loss())
    torch.testing.assert_close(*losses)


def test_a_missing_package_is_left_out_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pypi_dnc, "is_installed", lambda: False)
    assert PYPI_DNC in NAMES
    assert list(contestants((PYPI_DNC,), TINY, CPU, False)) == []
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.skipif(not pypi_dnc.is_installed(), reason="needs the extra bench")
def test_the_public_dnc_trains() -> None:
    contestant = one(PYPI_DNC)
    contestant.step()
    assert contestant.module(contestant.inputs).shape == contestant.inputs.shape
    assert any(p.grad is not None for n, p in contestant.module.named_parameters() if "memory" in n)


@every_variant
def test_sets_are_written_and_looked_up(name: str) -> None:
    module = SetUnroll(VARIANTS[name].builder(TINY._replace(word=8)), TINY_SETS)
    contestant = Contestant(module, torch.randn(2, 3, 8))
    assert module(contestant.inputs).shape == (2, 3, 5, module.core.lookup_size)
    assert contestant.loss().isfinite()
    if list(module.parameters()):
        contestant.step()
