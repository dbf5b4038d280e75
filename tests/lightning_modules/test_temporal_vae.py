"""GTMM and VRNN: the bound, what each recurrence sees, and generation."""

import math
from functools import partial

import pytest
import torch

from datamodules import FrameSequences, MNISTMaze, PerfectRecall
from lightning_modules import GTMM, VRNN
from lightning_modules.objectives import bernoulli_log_likelihood, negative_elbo
from lightning_modules.temporal_vae import TemporalVAE
from memory_cores import DNC, NoMemory

SAMPLES = 25
DATA = {
    "sequence_length": 25,
    "prefix_length": 12,
    "action_size": 5,
    "frame_shape": (1, 28, 28),
}
MODELS = {
    "dnc_gtmm": partial(GTMM, **DATA, memory=partial(DNC, word_size=8, read_heads=2)),
    "no_memory_gtmm": partial(GTMM, **DATA, memory=NoMemory),
    "vrnn": partial(VRNN, **DATA),
}


def make(name: str) -> TemporalVAE:
    torch.manual_seed(0)
    return MODELS[name](controller_size=16, latent_size=6)


@pytest.fixture(scope="module")
def batch() -> FrameSequences:
    data = MNISTMaze(source="mnist5k", batch_size=3, train_size=3, val_size=2, test_size=2)
    data.setup()
    return next(iter(data.train_dataloader()))


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_gets_a_gradient(name: str, batch: FrameSequences) -> None:
    model = make(name)
    negative_elbo(model.bound(batch)).backward()
    # The keys of heads that write by content only matter once a gate is open: never exactly 0.
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@pytest.mark.parametrize("name", MODELS)
def test_mixed_precision_changes_the_bound_little(name: str, batch: FrameSequences) -> None:
    model = make(name)
    torch.manual_seed(1)
    exact = model.bound(batch)
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model.bound(batch)
    negative_elbo(mixed).backward()
    torch.testing.assert_close(mixed.total.float(), exact.total, rtol=0.01, atol=0)
    assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("error")
def test_without_actions_a_model_trains_and_generates(name: str) -> None:
    data = PerfectRecall(source="mnist5k", batch_size=3, train_size=3, val_size=2, test_size=2)
    data.setup()
    batch = next(iter(data.train_dataloader()))
    sizes = {"sequence_length": data.sequence_length, "action_size": data.action_size}
    model = MODELS[name](controller_size=16, latent_size=6, **sizes)
    optimiser = model.configure_optimizers()
    before = negative_elbo(model.bound(batch))
    before.backward()
    assert all(p.grad is not None for p in model.parameters())
    optimiser.step()
    assert negative_elbo(model.bound(batch)) < before
    assert model(batch.frames[:, :4], batch.actions).logits.shape == batch.frames.shape


@pytest.mark.parametrize("name", MODELS)
def test_the_prefix_alone_decides_what_is_generated(name: str, batch: FrameSequences) -> None:
    model = make(name).eval()
    noise = torch.randn(3, 25, 6)
    whole = model(batch.frames, batch.actions, noise)
    part = model(batch.frames[:, :10], batch.actions, noise)
    torch.testing.assert_close(part.logits[:, :10], whole.logits[:, :10])
    assert part.logits.shape == whole.logits.shape
    assert not torch.allclose(part.logits[:, 12:], whole.logits[:, 12:])


@pytest.mark.parametrize(("name", "sees_frames"), [("vrnn", True), ("dnc_gtmm", False)])
def test_only_the_vrnns_recurrence_sees_frames(
    name: str, sees_frames: bool, batch: FrameSequences
) -> None:
    model = make(name)
    # With a posterior that ignores frames, a GTMM cannot tell two sequences of frames apart.
    torch.nn.init.zeros_(model.backbone.posterior_map.observe.weight)
    noise = torch.randn(3, 25, 6)
    prior = model(batch.frames, batch.actions, noise).trajectory.prior.mean
    other = model(1 - batch.frames, batch.actions, noise).trajectory.prior.mean
    assert torch.equal(prior[:, 0], other[:, 0])
    assert torch.equal(prior, other) is not sees_frames


def test_a_vrnn_continues_from_the_frames_it_generated(batch: FrameSequences) -> None:
    model = make("vrnn").eval()
    noise = torch.randn(3, 25, 6)
    generated = model(batch.frames[:, :24], batch.actions, noise)
    one_less = model(batch.frames[:, :23], batch.actions, noise)
    frames = torch.cat([batch.frames[:, :23], one_less.logits[:, 23:24].sigmoid()], 1)
    fed_back = model(frames, batch.actions, noise)
    # Step 24 was drawn from the prior in one and from the posterior in the other; what the
    # recurrence is told of x_24 is the same, so with equal latents step 25 must agree.
    step = one_less.trajectory
    evidence = model.imagine(batch.actions[:, 24], _step(step.latent[:, 23], step.psi[:, 23]))
    expected = model.evidence(batch.actions, model.visual.encode(frames))[:, 24]
    torch.testing.assert_close(evidence, expected)
    assert generated.logits.shape == fed_back.logits.shape


def _step(latent: torch.Tensor, psi: torch.Tensor):
    from lightning_modules.backbone import Step

    return Step(latent, psi, torch.empty(0))


@pytest.mark.parametrize("name", MODELS)
def test_the_bound_is_below_the_importance_weighted_likelihood(
    name: str, batch: FrameSequences
) -> None:
    """E[log w] <= log E[w]: the bound really bounds the model's own likelihood estimate."""
    model = make(name).eval()
    log_weights, bounds = [], []
    with torch.no_grad():
        for _ in range(SAMPLES):
            trajectory, logits = model(batch.frames, batch.actions)
            log_p = bernoulli_log_likelihood(logits, batch.frames).sum(1)
            for sign, gaussian in ((1, trajectory.prior), (-1, trajectory.posterior)):
                normal = torch.distributions.Normal(gaussian.mean, gaussian.log_sigma.exp())
                log_p = log_p + sign * normal.log_prob(trajectory.latent).sum((1, 2))
            log_weights.append(log_p)
            bounds.append(model.bound(batch).total)
    weights, bound = torch.stack(log_weights), torch.stack(bounds)
    assert (bound.mean(0) <= torch.logsumexp(weights, 0) - math.log(SAMPLES)).all()
    # The analytic KL and its estimate from samples have the same mean.
    error = (weights.std(0) + bound.std(0)) / SAMPLES**0.5
    assert ((bound.mean(0) - weights.mean(0)).abs() < 5 * error).all()


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("latent_size", 0, "latent_size must be above 0, got 0"),
        ("controller_size", -4, "controller_size must be above 0, got -4"),
        ("learning_rate", 0.0, "learning_rate must be above 0, got 0.0"),
        ("map_size", -1, "map_size must be at least 0, got -1"),
    ],
)
def test_settings_out_of_range_are_named(setting: str, value: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GTMM(**DATA, **{setting: value})
