"""Probes of neural processes: the memory's contexts are changed, the latents' are not."""

from typing import Any

import pytest
import torch

from datamodules import FunctionSequences
from lightning_modules import ASNP
from lightning_modules.neural_processes import NeuralProcess
from lightning_modules.neural_processes.probes import FunctionProbes, other_contexts, recalling
from lightning_modules.probes import PROBED
from memory_cores import DNC, Items, NoMemory
from tests.lightning_modules.neural_processes.small_processes import MODELS, SIZES, draw

#: Two sequences; both lack a context at steps 2 and 4, the first one at step 1 too.
BATCH = draw([[3, 0, 2, 0], [0, 1, 4, 0]], [[4, 3, 3, 2], [2, 4, 5, 3]])
PRIORITIES = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]])


def model_of(name: str, **settings: Any) -> NeuralProcess:
    torch.manual_seed(0)
    build = MODELS.get(name, ASNP)
    return build(**SIZES, hidden_size=8, validation_samples=2, **settings).double().eval()


def nll(model: NeuralProcess, batch: FunctionSequences, change: Any) -> Any:
    with torch.no_grad():
        return FunctionProbes().measured(model, None, batch, change, {})[PROBED]


def items_of(batch: FunctionSequences) -> tuple[torch.Tensor, Items]:
    """The memory's inputs: the context sets, with their own means as controls."""
    real = batch.context_y.masked_fill(~batch.context_mask.unsqueeze(-1), 0)
    control = real.sum(2) / batch.context_mask.sum(2, keepdim=True).clamp(min=1)
    return control, Items(batch.context_x, batch.context_y, batch.context_mask)


def test_untouched_is_the_nll_of_predictions() -> None:
    model = model_of("ASNP-RMR")
    found = nll(model, BATCH, "untouched")
    assert found.where.tolist() == [[False, True, False, True], [True, False, False, True]]
    scores, _ = model.score(BATCH, 2)
    own = scores.nll.masked_fill(~BATCH.target_mask, 0).sum(2) / BATCH.target_mask.sum(2)
    torch.testing.assert_close(found.values, own, rtol=0, atol=0)


def test_zeroed_sets_are_empty() -> None:
    control, items = other_contexts("zeroed", PRIORITIES, *items_of(BATCH))
    assert not items.mask.any() and not control.any()


def test_donors_sets_appear_where_the_sequence_has_one() -> None:
    controls, items = items_of(BATCH)
    found, sets = other_contexts("transplanted", PRIORITIES, controls, items)
    assert sets.mask.sum(2).tolist() == [[0, 0, 4, 0], [0, 0, 2, 0]]
    torch.testing.assert_close(found[0, 2], controls[1, 2])
    torch.testing.assert_close(sets.values[1, 2], items.values[0, 2])
    assert not found[:, [0, 1, 3]].any()


def test_shuffled_sets_come_in_another_order_at_the_same_steps() -> None:
    controls, items = items_of(BATCH)
    found, sets = other_contexts("shuffled", PRIORITIES, controls, items)
    assert sets.mask.sum(2).tolist() == [[2, 0, 3, 0], [0, 4, 1, 0]]
    torch.testing.assert_close(found[0, [0, 2]], controls[0, [2, 0]])
    torch.testing.assert_close(sets.keys[1, [1, 2]], items.keys[1, [2, 1]])


@pytest.mark.parametrize("name", ["ASNP-RMR", "ASNP-W", "SNP", "ANP", "ASNP-RMR, stochastic"])
def test_a_donor_that_is_the_same_sequence_changes_nothing(name: str) -> None:
    model = model_of(name)
    same = FunctionSequences(*(part[:1].expand(2, *part.shape[1:]) for part in BATCH))
    one, other = (nll(model, same, change) for change in ("untouched", "transplanted"))
    # Equal rows of a product may be rounded differently.
    torch.testing.assert_close(one.values[one.where], other.values[one.where])


@pytest.mark.parametrize("change", ["zeroed", "shuffled", "transplanted"])
def test_nothing_is_lost_where_nothing_is_stored(change: str) -> None:
    model = model_of("without memory", memory=NoMemory)
    one, other = (nll(model, BATCH, each) for each in ("untouched", change))
    torch.testing.assert_close(one.values[one.where], other.values[one.where], rtol=0, atol=0)


@pytest.mark.parametrize("settings", [{"memory": DNC}, {"memory": DNC, "pool_memory": True}])
def test_a_zeroed_memory_recalls_what_one_without_contexts_does(settings: dict[str, Any]) -> None:
    model = model_of("any core", **settings)
    nothing = BATCH._replace(context_mask=torch.zeros_like(BATCH.context_mask))
    with torch.no_grad():
        with recalling(model, "zeroed", PRIORITIES):
            zeroed = model.recall(BATCH, with_targets=False)
        empty, own = (model.recall(each, with_targets=False) for each in (nothing, BATCH))
    lacking = ~BATCH.context_mask.any(2)
    torch.testing.assert_close(zeroed.points[lacking], empty.points[lacking])
    assert not torch.allclose(zeroed.points[lacking], own.points[lacking])
    torch.testing.assert_close(zeroed.evidence.context, own.evidence.context)
    for theirs, of_none, ours in zip(
        zeroed.evidence.memory, empty.evidence.memory, own.evidence.memory, strict=True
    ):
        torch.testing.assert_close(theirs[lacking], of_none[lacking])
        torch.testing.assert_close(theirs[~lacking], ours[~lacking])
    # Afterwards the model is unchanged.
    torch.testing.assert_close(model.recall(BATCH, with_targets=False).points, own.points)


def test_context_points_are_what_is_stored() -> None:
    assert FunctionProbes().stored(model_of("SNP"), BATCH) == 5
