"""TGQN and ATGQN as neural processes: gradients, padding, empty contexts, settings."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from datamodules import FunctionSequences
from lightning_modules import ATGQN, TGQN
from lightning_modules.neural_processes.neural_process import NeuralProcess
from lightning_modules.neural_processes.pool import Pool
from memory_cores import DNC, RMR, ContextWindow, Items
from memory_cores.parts.real_points import RealPoints

B, T, N, M = 2, 4, 5, 8
DATA: dict[str, Any] = {
    "sequence_length": T,
    "test_length": T,
    "x_size": 2,
    "x_range": 1.0,
    "y_size": 192,
    "patch_shape": (3, 8, 8),
    "hidden_size": 8,
    "kernel_size": 3,
    "state_maps": 6,
    "renderer_maps": 4,
}
WINDOW = {"memory": partial(ContextWindow, slots=3), "step_in_x": True, "recurrent_path": True}
MODELS = {
    "tgqn": partial(TGQN, **DATA),
    "atgqn_w": partial(ATGQN, **DATA, **WINDOW),
    "atgqn_rmr": partial(ATGQN, **DATA, memory=partial(RMR, slots=4), pool_memory=True),
    "no interaction": partial(
        ATGQN, **DATA, memory=partial(RMR, slots=4, without_flow_interaction=True), pool_memory=True
    ),
    "no tracking": partial(
        ATGQN, **DATA, memory=partial(RMR, slots=4, without_flow_tracking=True), pool_memory=True
    ),
    "atgqn_dnc": partial(ATGQN, **DATA, memory=DNC, pool_memory=True),
}


def make(name: str, **settings: Any) -> NeuralProcess:
    torch.manual_seed(0)
    return MODELS[name](**settings)


@pytest.fixture
def batch() -> FunctionSequences:
    """The first step and the third have no context."""
    torch.manual_seed(1)
    x, y = torch.rand(B, T, M, 2) * 2 - 1, torch.rand(B, T, M, 192) - 0.5
    known = torch.ones(B, T, N, dtype=torch.bool)
    known[:, [0, 2]] = False
    real = torch.ones(B, T, M, dtype=torch.bool)
    real[0, 1, 6:] = False
    seen = torch.zeros_like(real)
    seen[:, :, :N] = known
    return FunctionSequences(
        x[:, :, :N], y[:, :, :N], known, x, y, real, seen, torch.zeros(B, T, 2), torch.arange(B)
    )


def noise_of(model: NeuralProcess) -> Tensor:
    torch.manual_seed(2)
    return torch.randn(B, T, model.noise_size)


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_gets_a_gradient(name: str, batch: FunctionSequences) -> None:
    model = make(name)
    bound = model.bound(batch, model(batch, noise_of(model)))
    (-bound.total.mean()).backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == [] and all(p.grad.isfinite().all() for p in model.parameters())
    assert (bound.kl > 0).all()


@pytest.mark.parametrize("name", MODELS)
def test_without_any_context_patches_are_predicted(name: str, batch: FunctionSequences) -> None:
    model = make(name)
    nothing = torch.zeros_like(batch.context_mask), torch.zeros_like(batch.target_seen)
    batch = batch._replace(context_mask=nothing[0], target_seen=nothing[1])
    bound = model.bound(batch, model(batch, noise_of(model)))
    (-bound.total.mean()).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    predicted = model.predict(batch, 2).mean
    assert predicted.shape == (2, *batch.target_y.shape) and predicted.isfinite().all()


@pytest.mark.parametrize("name", MODELS)
def test_padding_and_other_sequences_make_no_difference(
    name: str, batch: FunctionSequences
) -> None:
    model = make(name).double()
    doubled = {n: v.double() for n, v in batch._asdict().items() if v.is_floating_point()}
    batch = batch._replace(**doubled)
    noise = noise_of(model).double()
    expected = model(batch, noise).targets.mean
    spoiled = batch._replace(
        context_y=batch.context_y.masked_fill(~batch.context_mask.unsqueeze(-1), torch.nan),
        target_y=batch.target_y.masked_fill(~batch.target_mask.unsqueeze(-1), torch.nan),
    )
    real = batch.target_mask
    torch.testing.assert_close(model(spoiled, noise).targets.mean[real], expected[real])
    alone = FunctionSequences(*(field[1:] for field in batch))
    torch.testing.assert_close(model(alone, noise[1:]).targets.mean[0], expected[1])


@pytest.mark.parametrize("name", MODELS)
def test_predictions_do_not_see_the_targets_and_steps_not_what_comes_later(
    name: str, batch: FunctionSequences
) -> None:
    model = make(name)
    noise = noise_of(model).unsqueeze(0)
    expected = model.predict(batch, 1, noise).mean[0]
    other = batch._replace(target_y=torch.rand_like(batch.target_y))
    assert torch.equal(model.predict(other, 1, noise).mean[0], expected)
    context_y = batch.context_y.clone()
    context_y[:, 3] *= -20
    found = model.predict(batch._replace(context_y=context_y), 1, noise).mean[0]
    torch.testing.assert_close(found[:, :3], expected[:, :3])
    assert (found[:, 3] - expected[:, 3]).abs().max() > 1e-5


@pytest.mark.parametrize("name", MODELS)
def test_posteriors_pool_all_targets(name: str, batch: FunctionSequences) -> None:
    """Contexts are among the targets and are not encoded twice."""
    model = make(name)
    recalled = model.recall(batch, with_targets=True)
    real = RealPoints(batch.target_mask)
    places = model._places(batch.target_x)
    expected = Pool.of(model.latent_encoder(places, batch.target_y, real), real)
    assert recalled.evidence.target is not None
    for found, reference in zip(recalled.evidence.target, expected, strict=True):
        torch.testing.assert_close(found, reference)
    assert [*expected.number[0, :, 0]] == [8, 6, 8, 8]


@pytest.mark.parametrize("name", MODELS)
def test_parts_hold_every_parameter_once(name: str) -> None:
    model = make(name)
    of_parts = [p for modules in model.parts().values() for m in modules for p in m.parameters()]
    assert len(of_parts) == len({id(p) for p in of_parts}) == len([*model.parameters()])


def test_no_patch_is_encoded_twice_and_no_padding_is_rendered(
    batch: FunctionSequences,
) -> None:
    """There are 62 targets, 20 of which are the context."""
    model, encoded, rendered = make("atgqn_rmr"), [], []
    model.latent_encoder.see.register_forward_hook(lambda _, __, out: encoded.append(len(out)))
    model.decoder.strokes.register_forward_hook(lambda _, __, out: rendered.append(len(out)))
    model(batch, noise_of(model))
    assert (encoded, rendered) == ([20, 42], [62, 62])
    rendered.clear()
    model.predict(batch, samples=3)
    assert rendered == [62] * 6


def test_the_scale_is_that_of_the_setting_and_is_not_learned(batch: FunctionSequences) -> None:
    model = make("tgqn", sigma=0.5)
    targets = model(batch, noise_of(model)).targets
    assert (targets.sigma == 0.5).all() and targets.mean.shape == (B, T, M, 192)
    assert not [name for name, _ in model.named_parameters() if "sigma" in name]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kernel_size": 4}, "kernel_size must be odd, got 4"),
        ({"latent_layers": 2}, "latent_layers must be left out in models of patches, .*, got 2"),
        ({"deterministic_layers": 0}, "deterministic_layers must be left out .*, got 0"),
        ({"draws": 1}, "draws must be at least 2, got 1"),
        ({"sigma": 0.0}, "sigma must be above 0, got 0.0"),
        ({"patch_shape": (3, 6, 8)}, r"divisible by 4, got \(3, 6, 8\)"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TGQN(**{**DATA, **settings})


def test_it_is_rebuilt_from_its_hyperparameters() -> None:
    model = make("tgqn", draws=2)
    again = TGQN(**model.hparams)
    again.load_state_dict(model.state_dict())
    assert again.noise_size == model.noise_size == 2 * 4 * 4
    assert again.state_size == model.state_size


def test_values_that_are_maps_share_their_trackers() -> None:
    with pytest.raises(ValueError, match="separate_weights must be false for maps, got True"):
        ATGQN(**DATA, memory=partial(RMR, slots=4, separate_weights=True))


@pytest.mark.parametrize("name", ["atgqn_w", "atgqn_rmr", "no interaction", "no tracking"])
def test_values_that_are_maps_are_the_same_step_by_step(
    name: str, batch: FunctionSequences
) -> None:
    core = make(name).double().memory
    assert core.sizes.maps == (2, 2)
    x = torch.cat([batch.context_x, batch.context_x], -1)[..., : core.sizes.key].double()
    values = torch.randn(B, T, N, core.sizes.value).double()
    items, controls = Items(x, values, batch.context_mask), torch.randn(B, T, core.sizes.control)
    queries, unrolled = x[:, :, :3].contiguous(), core.unroll(controls.double(), items)
    found = core.lookup(unrolled.snapshot, queries)
    state = core.initial_state(B, like=values)
    for t in range(T):
        step = Items(*(part[:, t] for part in items))
        state = core.write(state, controls[:, t].double(), step)
        expected = core.lookup(core.snapshot(state, step), queries[:, t])
        torch.testing.assert_close(found[:, t], expected)
