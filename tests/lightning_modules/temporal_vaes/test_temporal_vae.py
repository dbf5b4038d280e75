"""GTMM and VRNN: the bound, what each recurrence sees, and generation."""

import math
from functools import partial

import lightning as L
import pytest
import torch

from datamodules import (
    FrameSequences,
    LoopClosure,
    MNISTMaze,
    ParityRecall,
    PerfectRecall,
    SequenceDataModule,
)
from lightning_modules import GTMM, VRNN
from lightning_modules.objectives import negative_elbo
from lightning_modules.temporal_vaes.temporal_vae import TemporalVAE
from memory_cores import DNC, NoMemory
from memory_cores.parts.clock import clock_periods, ticks

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
    "gaussian_gtmm": partial(GTMM, **DATA, memory=NoMemory, likelihood="gaussian"),
    "logistic_gtmm": partial(GTMM, **DATA, memory=NoMemory, likelihood="logistic"),
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
    optimiser = model.configure_optimizers()["optimizer"]
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
    # Step 24 is drawn from the prior in one and from the posterior in the other; the recurrence
    # gets the same evidence of x_24, so with equal latents step 25 must agree.
    step = one_less.trajectory
    evidence = model.imagine(batch.actions[:, 24], _step(step.latent[:, 23], step.psi[:, 23]))
    expected = model.evidence(batch.actions, model.visual.encode(frames))[:, 24]
    torch.testing.assert_close(evidence, expected)
    assert generated.logits.shape == fed_back.logits.shape


def _step(latent: torch.Tensor, psi: torch.Tensor):
    from lightning_modules.temporal_vaes.backbone import Step

    return Step(latent, psi, *3 * [torch.empty(0)])


@pytest.mark.parametrize("name", MODELS)
def test_the_bound_is_below_the_importance_weighted_likelihood(
    name: str, batch: FrameSequences
) -> None:
    """E[log w] <= log E[w]: the bound really bounds the model's own likelihood estimate."""
    model = make(name).eval()
    log_weights, bounds = [], []
    with torch.no_grad():
        for _ in range(SAMPLES):
            trajectory, logits, likelihood = model(batch.frames, batch.actions)
            log_p = likelihood(logits, batch.frames).sum(1)
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
        ("start", "soft", "start must be one of timed, associative, plain, got soft"),
        (
            "likelihood",
            "poisson",
            "likelihood must be one of bernoulli, gaussian, logistic, got poisson",
        ),
        ("recurrence_share", 0.0, "recurrence_share must be above 0, got 0.0"),
        ("recurrence_warm_up", -1, "recurrence_warm_up must be at least 0, got -1"),
    ],
)
def test_settings_out_of_range_are_named(setting: str, value: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GTMM(**DATA, **{setting: value})


def test_the_recurrence_has_a_learning_rate_of_its_own_and_nothing_else() -> None:
    model = make("dnc_gtmm")
    others, recurrence = model.parameter_groups()
    backbone = model.backbone
    expected = {*backbone.controller.parameters(), *backbone.memory.parameters()}
    assert {*recurrence["params"]} == expected
    assert {*others["params"]} == {*model.parameters()} - expected
    configured = model.configure_optimizers()
    rates = [group["lr"] for group in configured["optimizer"].param_groups]
    assert rates == pytest.approx([2e-3, 2e-3 * 0.3 / 1000**2])


def test_a_timed_models_controller_tells_the_time(batch: FrameSequences) -> None:
    """Whatever it sees, its first units turn as hands do; those of other starts do not."""
    for start in ("timed", "associative", "plain"):
        torch.manual_seed(0)
        model = GTMM(**DATA, controller_size=40, start=start)
        control = model(batch.frames, batch.actions, record=True).trajectory.control
        periods = clock_periods(40, 25)
        hands = control[:, :, : 2 * len(periods)]
        # The state of step t has ticked t + 1 times.
        error = (hands - ticks(periods, 25)[1:]).abs().max()
        assert (error < 1e-4) == (start == "timed"), (start, error)


def test_actions_are_heard_but_in_a_plain_start() -> None:
    """PyTorch's weights are uniform up to the root of 1 / 5, the number of actions."""
    for start, spread in (("timed", 1.0), ("associative", 1.0), ("plain", (1 / 15) ** 0.5)):
        torch.manual_seed(0)
        model = GTMM(**DATA, controller_size=40, start=start)
        # A clock hears nothing.
        weight = model.backbone.controller.evidence_gates.weight
        assert weight[weight != 0].std().item() == pytest.approx(spread, rel=0.1)


def test_only_a_timed_start_has_a_clock() -> None:
    starts = {
        start: GTMM(**DATA, controller_size=40, start=start).core.sizes
        for start in ("timed", "associative", "plain")
    }
    assert {start: len(sizes.clock) for start, sizes in starts.items()} == {
        "timed": 8,
        "associative": 0,
        "plain": 0,
    }
    assert [sizes.plain for sizes in starts.values()] == [False, False, True]


def test_a_vrnn_sees_an_extract_of_its_frames(batch: FrameSequences) -> None:
    model = VRNN(**DATA, controller_size=16, extracted_size=7)
    assert model.backbone.controller.evidence_gates.in_features == 5 + 7
    features = model.visual.encode(batch.frames)
    evidence = model.evidence(batch.actions, features)
    expected = (features @ model.extractor[0].weight.T + model.extractor[0].bias).clamp(min=0)
    torch.testing.assert_close(evidence[:, 1:, 5:], expected[:, :-1])
    assert (evidence[:, 0, 5:] == 0).all()
    with pytest.raises(ValueError, match="extracted_size must be above 0, got 0"):
        VRNN(**DATA, extracted_size=0)


@pytest.fixture
def parity(tmp_path) -> ParityRecall:
    sizes = {"batch_size": 4, "train_size": 8, "val_size": 10, "test_size": 10}
    return ParityRecall(data_dir=str(tmp_path), source="mnist5k", eval_batch_size=5, **sizes)


def trainer(folder, **settings) -> L.Trainer:
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    settings = {"default_root_dir": folder, "enable_checkpointing": False, **quiet, **settings}
    return L.Trainer(accelerator="cpu", **settings)


def model_of(data: SequenceDataModule) -> GTMM:
    torch.manual_seed(0)
    names = ("sequence_length", "prefix_length", "action_size", "frame_shape")
    sizes = {name: getattr(data, name) for name in names}
    return GTMM(memory=partial(DNC, word_size=8), controller_size=16, latent_size=6, **sizes)


@pytest.mark.filterwarnings("ignore")
def test_a_class_is_measured_where_only_a_class_is_recalled(parity, tmp_path) -> None:
    model = model_of(parity)
    trainer(tmp_path).test(model, parity, verbose=False)
    found = model.test_summary.scalars
    assert 0 <= found["prior_recall_class_accuracy"] <= 1
    assert 0 <= found["read_correctness"] <= found["read_correctness_best_head"] <= 1
    assert "prior_recall_error" not in found


@pytest.mark.filterwarnings("ignore")
def test_recall_is_measured_of_frames_that_are_generated(tmp_path) -> None:
    data = PerfectRecall(data_dir=str(tmp_path), source="mnist5k", train_size=4, test_size=5)
    model = model_of(data)
    trainer(tmp_path).test(model, data, verbose=False)
    batch = next(iter(data.test_dataloader()))
    model.eval()
    noise = [model.noise(batch, draw) for draw in (0, 1)]
    reconstructed = model(batch.frames, batch.actions, noise[0]).logits
    generated = model.generate(batch, noise[1]).logits
    errors = [
        (logits.sigmoid() - batch.frames).square().flatten(2).mean((0, 2))[data.prefix_length :]
        for logits in (reconstructed, generated)
    ]
    measured = model.test_summary.curves["prior_recall_error"][data.prefix_length :]
    torch.testing.assert_close(measured, errors[1])
    assert not torch.allclose(measured, errors[0])


@pytest.mark.filterwarnings("ignore")
def test_evaluations_agree_and_leave_the_noise_of_training_alone(parity, tmp_path) -> None:
    model = model_of(parity)
    found = []
    for _ in range(2):
        trainer(tmp_path).validate(model, parity, verbose=False)
        found.append(model.validation_summary.scalars["bound"])
    assert found[0] == found[1]
    weights = []
    for every in (1, 2):
        fitted = model_of(parity)
        torch.manual_seed(7)
        settings = {"max_steps": 4, "val_check_interval": every, "num_sanity_val_steps": 0}
        trainer(tmp_path, **settings).fit(fitted, parity)
        weights.append(fitted.visual.state_dict())
    assert all(torch.equal(one, weights[1][name]) for name, one in weights[0].items())


def test_a_vrnn_is_rebuilt_from_its_hyperparameters() -> None:
    model = VRNN(**DATA, controller_size=8, extracted_size=5)
    again = VRNN(**model.hparams)
    again.load_state_dict(model.state_dict())
    assert again.extracted_size == 5 and again.state_size == model.state_size


def test_views_are_measured_where_a_camera_returns(tmp_path) -> None:
    """The ratio is that of both errors of a whole set, in batches of which one has one film."""
    sizes = {"train_size": 2, "val_size": 3, "test_size": 2, "num_workers": 0}
    data = LoopClosure(sequence_length=6, data_dir=str(tmp_path), eval_batch_size=2, **sizes)
    settings = {"action_size": 3, "frame_shape": (3, 32, 32), "controller_size": 8}
    model = VRNN(sequence_length=6, prefix_length=3, **settings)
    found = trainer(tmp_path).validate(model, data, verbose=False)[0]
    error, others = found["val/returned_error"], found["val/returned_error_other"]
    assert found["val/returned_ratio"] == pytest.approx(error / others) and error > 0
    assert {"val/returned_psnr", "val/returned_ssim"} <= found.keys()
    # What a model makes up it meets again in the maze alone.
    assert not any("coherence" in name for name in found)
