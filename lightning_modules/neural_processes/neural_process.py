"""Base class of neural processes: memory first, then latents, then all targets at once.

    r_t(x)  = look-up of x in the memory after step t                  (section 3.1.3)
    z_t     ~ prior P(z_t | z_<t, C_t), or posterior Q given the targets (eqs. 10 and 11)
    y       ~ P(y | x, z_t, r_t(x))

No latent enters the memory. All steps are therefore written before any latent is drawn, and the
targets of all steps are read and decoded in one call.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from math import inf
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from datamodules.loading.checks import require_one_of
from datamodules.points.batch import FunctionSequences, without_padding
from datamodules.points.benchmark import FunctionDataModule
from lightning_modules.drawings import Drawings
from lightning_modules.metrics.target_nll import Scores
from lightning_modules.neural_processes.inferred import Inferred, Recalled
from lightning_modules.neural_processes.latents import Evidence, LatentPath
from lightning_modules.neural_processes.measures import FunctionMeasures
from lightning_modules.neural_processes.networks import Targets
from lightning_modules.neural_processes.parts import LAYERS, Parts, PointSizes, Recipe
from lightning_modules.neural_processes.pool import Pool, Pooling
from lightning_modules.objectives import Bound, negative_elbo, negative_weighted_bound
from lightning_modules.schedule import warm_up_and_decay
from lightning_modules.sequence_model import SequenceModel
from lightning_modules.sizing import Budgets, Sizer
from lightning_modules.speed.cuda_graphs import CapturedGraphs
from memory_cores import Items, MemoryCore, MemorySizes
from memory_cores.core import Recollections
from memory_cores.parts.checks import require_at_least, require_positive
from memory_cores.parts.gaussian import kl_divergence
from memory_cores.parts.real_points import RealPoints

Objective = Literal["elbo", "paper"]
#: Places [B, T, N, Dx], values [B, T, N, Dy], and which points are real.
Points = tuple[Tensor, Tensor, RealPoints]
#: Width if neither the settings nor a parameter budget determine it.
HIDDEN_SIZE = 64


class NeuralProcess(SequenceModel):
    """Model of a sequence of functions, given a few points of each.

    Subclasses define how latents depend on one another (``make_latent_path``).

    Args:
        sequence_length: steps T of training; this and the next four come from the data on the
            command line.
        test_length: steps of validation and test.
        x_size: width Dx of a place.
        x_range: places go from -x_range to x_range.
        y_size: width Dy of a function's value.
        memory: builds the memory core.
        hidden_size: width h of encodings, latents, reads and hidden layers; default: what the
            budgets allow, else 64.
        parameter_budget: maximum number of parameters of the whole model, so that models with
            different cores are comparable; ignored if the hidden size is given.
        state_budget: numbers that a sequence carries from step to step, met within 5%; determines
            the core's slots, unless its settings do, and then the hidden size.
        learning_rate: Adam's peak learning rate.
        warm_up: number of initial steps over which the learning rate rises.
        decay: lower the learning rate to 0 by the end of training, along half a cosine; a training
            that is resumed with a later end follows the longer run's curve.
        objective: "elbo", the variational bound; "paper", the weighted bound of the authors' code:
            a step's log-likelihood averaged over targets, minus its undivided KL.
        pooling: how encodings are pooled for latents and controls; the paper's text says "sum", its
            code "mean". Sums over large contexts start with huge variances: use a small rate.
        latent_layers: layers of the encoder whose encodings the latents pool.
        deterministic_layers: layers of the encoder whose encodings the memory stores.
        place_range: half the width of the range to which the model scales places; the paper uses 1
            on images, where networks are slow to tell neighbouring pixels apart.
        step_in_x: append the step to every x, as 0.25 + 0.5 t / T, scaled like the places.
        recurrent_path: add SNP's deterministic LSTM to the targets' reads.
        pool_memory: pool the memory's values with the context for the latents.
        compile: capture the recurrences as CUDA graphs; no effect on a CPU.
        validation_samples: samples of the latents over which a validation's NLL averages.
        test_samples: the same for tests; 1 in the paper.

    Raises:
        ValueError: a setting is out of range.
    """

    width_setting = "hidden_size"
    measures = FunctionMeasures()

    def __init__(
        self,
        sequence_length: int,
        test_length: int,
        x_size: int,
        x_range: float,
        y_size: int,
        memory: Callable[[MemorySizes], MemoryCore],
        hidden_size: int | None = None,
        parameter_budget: int | None = None,
        state_budget: int | None = None,
        learning_rate: float = 2e-3,
        warm_up: int = 100,
        decay: bool = True,
        objective: Objective = "elbo",
        pooling: Pooling = "mean",
        latent_layers: int = LAYERS,
        deterministic_layers: int = LAYERS,
        place_range: float = 4.0,
        step_in_x: bool = False,
        recurrent_path: bool = False,
        pool_memory: bool = False,
        compile: bool = False,
        validation_samples: int = 5,
        test_samples: int = 50,
    ) -> None:
        super().__init__(test_length, learning_rate)
        # Plain values, safe to load. Settings that the class itself fixes are not among them.
        self.save_hyperparameters(ignore=[*self.decided])
        require_one_of(get_args(Objective), objective=objective)
        require_one_of(get_args(Pooling), pooling=pooling)
        require_positive(x_range=x_range, place_range=place_range)
        require_at_least(0, warm_up=warm_up)
        require_positive(validation_samples=validation_samples, test_samples=test_samples)
        self.steps, self.step_in_x, self.pool_memory = sequence_length, step_in_x, pool_memory
        self.place_scale, self.warm_up = place_range / x_range, warm_up
        self.objective, self.pooling, self.decay = objective, pooling, decay
        self.validation_samples, self.test_samples = validation_samples, test_samples
        recipe = self.make_recipe(
            memory,
            lambda size: self.make_latent_path(size, pooling),
            PointSizes(sequence_length, x_size + step_in_x, place_range, y_size),
            latent_layers,
            deterministic_layers,
            recurrent_path,
        )
        budgets = Budgets(parameter_budget, state_budget)
        sizer = Sizer(budgets, recipe.parts, hidden_size, HIDDEN_SIZE)
        self._set_parts(recipe.parts(*sizer.sizing()), capture=compile)

    def _set_parts(self, parts: Parts, capture: bool) -> None:
        """Register the networks as the model's own."""
        self.latent_encoder, self.deterministic_encoder, self.memory = parts[:3]
        self.recurrent_path, self.latent_path, self.decoder = parts[3:]
        self.state_size = parts.state_size
        self._set_recurrences(capture)

    def _set_recurrences(self, capture: bool) -> None:
        """Run the loops over time as plain calls or, if ``capture``, as CUDA graphs."""

        def recurrence(module: nn.Module, function: Callable[..., Any]) -> Callable[..., Any]:
            return CapturedGraphs(module, function) if capture else function

        unroll: Callable[..., Recollections] = self.memory.unroll
        self._unroll = recurrence(self.memory, unroll) if self.memory.unroll_recurs else unroll
        self._draw_latents = recurrence(self.latent_path, self.latent_path.forward)
        self._unroll_path: Callable[..., Tensor] | None = None
        if self.recurrent_path is not None:
            self._unroll_path = recurrence(self.recurrent_path, self.recurrent_path.forward)

    def make_recipe(self, *settings: Any) -> Recipe:
        """Return the recipe of the networks; subclasses choose other networks."""
        return Recipe(*settings)

    @abstractmethod
    def make_latent_path(self, size: int, pooling: Pooling) -> LatentPath:
        """Make the latents of this width; subclasses define how they depend on one another."""

    @property
    def core(self) -> MemoryCore:
        """The memory core."""
        return self.memory

    @property
    def units(self) -> int:
        """Width h of reads and hidden layers."""
        return self.decoder.size

    def parts(self) -> dict[str, list[nn.Module]]:
        """Return encoders, memory core, SNP's recurrent path, latents with their LSTM, decoder."""
        return {
            "encoders": [*dict.fromkeys((self.latent_encoder, self.deterministic_encoder))],
            "memory": [self.memory],
            "recurrent": [] if self.recurrent_path is None else [self.recurrent_path],
            "latents": [self.latent_path],
            "decoder": [self.decoder],
        }

    @property
    def noise_size(self) -> int:
        """Standard normal numbers per step: the latent's, then the memory's."""
        return self.latent_path.noise_size + self.memory.noise_size

    def noise(self, batch: FunctionSequences) -> Tensor:
        """Return the noise [B, T, ``noise_size``] of an inference, a function of the sequences."""
        shape = batch.context_mask.shape[1], self.noise_size
        return self.sequence_noise(batch.episode, shape).to(batch.context_x.dtype)

    def noise_of_samples(self, batch: FunctionSequences, samples: int) -> Tensor:
        """Return the noise [K, B, T, ``noise_size``] of K predictions, likewise."""
        shape = samples, batch.context_mask.shape[1], self.noise_size
        drawn = self.sequence_noise(batch.episode, shape, draw=1).transpose(0, 1)
        return drawn.to(batch.context_x.dtype)

    def recall(
        self, batch: FunctionSequences, with_targets: bool, noise: Tensor | None = None
    ) -> Recalled:
        """Write all contexts, look up all targets, and pool the evidence for the latents.

        Args:
            batch: B sequences.
            with_targets: whether the evidence includes the targets' values, as posteriors need.
            noise: [B, T, ``noise_size``], for a stochastic memory; drawn if not given.
        """
        batch = without_padding(batch)
        context_x, target_x = self._places(batch.context_x), self._places(batch.target_x)
        real_contexts, real_targets = RealPoints(batch.context_mask), RealPoints(batch.target_mask)
        context = context_x, batch.context_y, real_contexts
        target = (target_x, batch.target_y, real_targets) if with_targets else None
        values = self.deterministic_encoder(*context)
        context_pool = Pool.of(values, real_contexts)
        pooled = context_pool.pooled(self.pooling)
        items = Items(context_x, real_contexts.padded(values), batch.context_mask)
        recollections = self._unroll(pooled, items, *self._core_extra(target, noise))
        reads = self.memory.lookup(recollections.snapshot, target_x, real_targets)
        if self._unroll_path is not None:
            path = self._unroll_path(pooled).unsqueeze(2)
            reads = reads + F.pad(path, (0, self.memory.uncertain))
        # With ``pool_memory`` latents pool imaginary values too, as in the authors' code.
        memory_pool = Pool(recollections.total, recollections.number)
        if not self.pool_memory:
            memory_pool = Pool(*map(torch.zeros_like, memory_pool))
        if self.latent_encoder is not self.deterministic_encoder:
            context_pool = Pool.of(self.latent_encoder(*context), real_contexts)
        evidence = Evidence(
            context=context_pool,
            memory=memory_pool,
            target=None if target is None else self.pool_of_targets(batch, target, context_pool),
        )
        points = self.decoder.of_points(reads, target_x, real_targets)
        return Recalled(points, real_targets, evidence, recollections.kl, recollections.snapshot)

    def pool_of_targets(self, batch: FunctionSequences, target: Points, context: Pool) -> Pool:
        """Pool the encodings of all targets, for posteriors.

        Args:
            batch: B sequences.
            target: scaled places, values, and which points are real.
            context: the encodings of the contexts.
        """
        return Pool.of(self.latent_encoder(*target), target[2])

    def _core_extra(self, target: Points | None, noise: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the posterior's controls [B, T, h] and the noise of a stochastic core."""
        if not self.memory.noise_size:
            return ()
        observed = None
        if target is not None:
            encoded = self.deterministic_encoder(*target)
            observed = Pool.of(encoded, target[2]).pooled(self.pooling)
        return observed, None if noise is None else noise[..., self.latent_path.noise_size :]

    def _places(self, x: Tensor) -> Tensor:
        """Scale places [B, T, N, Dx], and append the step if ``step_in_x``."""
        if self.step_in_x:
            # Relative to the training length: longer test sequences go beyond 0.75.
            step = 0.25 + 0.5 * torch.arange(x.shape[1], device=x.device) / self.steps
            step = step.to(x.dtype).view(1, -1, 1, 1).expand(*x.shape[:3], 1)
            x = torch.cat([x, step], -1)
        return x * self.place_scale

    def forward(self, batch: FunctionSequences, noise: Tensor | None = None) -> Inferred:
        """Infer the latents given the targets, and decode them.

        Args:
            batch: B sequences.
            noise: [B, T, ``noise_size``], standard normal; drawn if not given.
        """
        noise = self._random_noise(batch, 1)[0] if noise is None else noise
        return self._inferred(self.recall(batch, with_targets=True, noise=noise), noise)

    def _inferred(self, recalled: Recalled, noise: Tensor) -> Inferred:
        latents = self._draw_latents(recalled.evidence, noise[..., : self.latent_path.noise_size])
        sample = self.decoder.of_latents(latents.sample)
        targets = self.decoder(recalled.points, sample, recalled.real_targets)
        return Inferred(targets, latents, recalled.kl)

    def predict(
        self, batch: FunctionSequences, samples: int, noise: Tensor | None = None
    ) -> Targets:
        """Draw K samples of the latents from the prior, and decode each.

        Args:
            batch: B sequences.
            samples: number K of samples.
            noise: [K, B, T, ``noise_size``], standard normal; drawn if not given.

        Returns:
            Gaussians of the targets, [K, B, T, M, Dy]: a mixture with equal weights.
        """
        parts = zip(*self.predictions(batch, samples, noise), strict=True)
        return Targets(*(torch.stack(fields) for fields in parts))

    def predictions(
        self, batch: FunctionSequences, samples: int, noise: Tensor | None = None
    ) -> Iterator[Targets]:
        """Yield the K predictions of ``predict`` one by one, [B, T, M, Dy], to save memory."""
        noise = self._random_noise(batch, samples) if noise is None else noise
        # A stochastic core is written anew for each sample; otherwise one recall serves all.
        for part in noise.split(1) if self.memory.noise_size else [noise]:
            recalled = self.recall(batch, with_targets=False, noise=part[0])
            yield from self._predictions(recalled, part)

    def _predictions(self, recalled: Recalled, noise: Tensor) -> Iterator[Targets]:
        """Yield predictions from a recall with noise [K, B, T, ``noise_size``]."""
        samples, of_latents = len(noise), noise[..., : self.latent_path.noise_size].flatten(0, 1)
        prior_evidence = recalled.evidence._replace(target=None)
        latents = self._draw_latents(prior_evidence.repeated(samples), of_latents).sample
        for row in self.decoder.of_latents(latents).unflatten(0, (samples, -1)):
            yield self.decoder.in_parts(recalled.points, row, recalled.real_targets)

    def _random_noise(self, batch: FunctionSequences, samples: int) -> Tensor:
        """Draw noise [K, B, T, ``noise_size``] from the process's random generator."""
        x = batch.context_x
        shape = samples, *x.shape[:2], self.noise_size
        return torch.randn(shape, device=x.device, dtype=x.dtype)

    @classmethod
    def drawings(cls) -> Drawings:
        """Return the family's pictures."""
        # Imported here: the pictures import the models, and only runs that draw need Matplotlib.
        from lightning_modules.neural_processes.pictures import FunctionDrawings

        return FunctionDrawings()

    @property
    def benchmark(self) -> FunctionDataModule[Any] | None:
        """The data module; None where the trainer has plain loaders."""
        return getattr(self.trainer, "datamodule", None)

    def on_fit_start(self) -> None:
        """Compute the optimum of validations, if there is one, before training's clock starts."""
        super().on_fit_start()
        limit = self.trainer.limit_val_batches
        whole = isinstance(limit, float) and limit == 1  # a whole number counts batches
        if self.benchmark is not None and whole:
            self.benchmark.optimal_nll("val")

    def bound(self, batch: FunctionSequences, inferred: Inferred) -> Bound:
        """Return the terms of the variational bound; reconstructions are sums over targets."""
        density = inferred.targets.log_density(without_padding(batch).target_y)
        kl = kl_divergence(inferred.latents.posterior, inferred.latents.prior)
        return Bound(density.masked_fill(~batch.target_mask, 0).sum(2), kl + inferred.memory_kl)

    def training_step(self, batch: FunctionSequences, batch_idx: int) -> Tensor:
        """Minimise the negative objective."""
        bound = self.bound(batch, self(batch, self.noise(batch)))
        targets = batch.target_mask.sum(2)
        if self.reports:
            nll = -(bound.reconstruction / targets).mean()
            self.log_training(
                {"bound": bound.total.mean(), "kl": bound.kl.mean(), "nll_posterior": nll}
            )
        if self.objective == "paper":
            return negative_weighted_bound(bound, targets)
        return negative_elbo(bound)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return Adam, with a schedule that sets the learning rate in every step."""
        optimizer = super().configure_optimizers()
        steps = self.trainer.estimated_stepping_batches if self.decay else inf
        schedule = warm_up_and_decay(optimizer, self.warm_up, steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def score(self, batch: FunctionSequences, samples: int) -> tuple[Scores, Inferred]:
        """Score predictions given the contexts, then infer given the targets.

        Args:
            batch: B sequences.
            samples: number K of samples of the latents.
        """
        noise, of_samples = self.noise(batch), self.noise_of_samples(batch, samples)
        if self.memory.noise_size:
            scores = Scores.of(self.predictions(batch, samples, of_samples), batch)
            return scores, self(batch, noise)
        # A deterministic core recalls the same with and without targets: one recall serves both.
        recalled = self.recall(batch, with_targets=True)
        scores = Scores.of(self._predictions(recalled, of_samples), batch)
        return scores, self._inferred(recalled, noise)

    def predict_step(self, batch: FunctionSequences, batch_idx: int) -> dict[str, Tensor]:
        """Return ``mean`` and ``sigma`` of targets, [B, T, M, Dy], and the batch's points."""
        noise = self.noise_of_samples(batch, self.test_samples)
        predicted = self.predict(batch, self.test_samples, noise).mixed()
        points = {n: x for n, x in batch._asdict().items() if n.startswith(("context", "target"))}
        return {**predicted._asdict(), **points}
