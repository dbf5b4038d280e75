"""Base class of neural processes: memory first, then latents, then all targets at once.

    r_t(x)  = look-up of x in what the memory holds after step t       (section 3.1.3)
    z_t     ~ prior P(z_t | z_<t, C_t), or posterior Q given the targets (eqs. 10 and 11)
    y       ~ P(y | x, z_t, r_t(x))

No latent enters the memory, so all steps are written before any latent is drawn, and all targets of
all steps are read and decoded in one call.
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
#: Places [B, T, N, Dx], values [B, T, N, Dy], and which of them are real.
Points = tuple[Tensor, Tensor, RealPoints]
#: Width where neither settings nor a budget of parameters decide on it.
HIDDEN_SIZE = 64


class NeuralProcess(SequenceModel):
    """Model of a sequence of functions, given a few points of each.

    Subclasses define how latents depend on one another (``latent_path``).

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
        parameter_budget: most parameters of the whole model, so that models with different cores
            are comparable; not used if the hidden size is given.
        state_budget: numbers that a sequence carries from step to step, within 5%; decides on the
            core's slots, if its settings name none, and then on the hidden size.
        learning_rate: Adam's learning rate, at its highest.
        warm_up: number of first steps in which the learning rate rises.
        decay: lower the learning rate to 0 by the end of training, along half a cosine; a training
            that is resumed with a later end follows the longer run's curve.
        objective: "elbo", the variational bound; "paper", the weighted one of the authors' code: a
            step's mean over targets of log-likelihoods, minus its undivided KL.
        pooling: how encodings are pooled for latents and controls; the paper's text says "sum", its
            code "mean". Sums of large contexts have enormous variances at first, and need a small
            learning rate.
        latent_layers: layers of the encoder whose encodings the latents pool.
        deterministic_layers: layers of the encoder whose encodings the memory holds.
        place_range: half the width of the range to which the model scales places; on images the
            paper has 1, with which networks are slow to tell neighbouring pixels apart.
        step_in_x: append the step to every x, as 0.25 + 0.5 t / T, scaled like the places.
        recurrent_path: add SNP's deterministic LSTM to what targets read.
        pool_memory: let latents pool what the memory holds with the context.
        compile: capture the recurrences as CUDA graphs; on a CPU it makes no difference.
        validation_samples: samples of the latents that a validation's NLL averages over.
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
        # Plain values, safe to load. What the model's class decides on is none of its settings.
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
        self._take(recipe.parts(*sizer.sizing()), captured=compile)

    def _take(self, parts: Parts, captured: bool) -> None:
        """Make these networks the model's."""
        self.latent_encoder, self.deterministic_encoder, self.memory = parts[:3]
        self.recurrent_path, self.latent_path, self.decoder = parts[3:]
        self.state_size = parts.state_size
        self._choose_recurrences(captured)

    def _choose_recurrences(self, captured: bool) -> None:
        """Let plain calls, or CUDA graphs, do what takes one step after the other."""

        def recurrence(module: nn.Module, function: Callable[..., Any]) -> Callable[..., Any]:
            return CapturedGraphs(module, function) if captured else function

        unroll: Callable[..., Recollections] = self.memory.unroll
        self._unroll = recurrence(self.memory, unroll) if self.memory.unroll_recurs else unroll
        self._draw = recurrence(self.latent_path, self.latent_path.forward)
        self._follow: Callable[..., Tensor] | None = None
        if self.recurrent_path is not None:
            self._follow = recurrence(self.recurrent_path, self.recurrent_path.forward)

    def make_recipe(self, *settings: Any) -> Recipe:
        """Make the recipe of the networks, which decides what points and values are."""
        return Recipe(*settings)

    @abstractmethod
    def make_latent_path(self, size: int, pooling: Pooling) -> LatentPath:
        """Make the latents of this width, which decides how they depend on one another."""

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
        """Standard normal numbers that a step takes: its latent's, then the memory's."""
        return self.latent_path.noise_size + self.memory.noise_size

    def noise(self, batch: FunctionSequences) -> Tensor:
        """Return the noise [B, T, ``noise_size``] of an inference, of the sequences themselves."""
        shape = batch.context_mask.shape[1], self.noise_size
        return self.sequence_noise(batch.episode, shape).to(batch.context_x.dtype)

    def noise_of_samples(self, batch: FunctionSequences, samples: int) -> Tensor:
        """Return the noise [K, B, T, ``noise_size``] of K predictions, likewise."""
        shape = samples, batch.context_mask.shape[1], self.noise_size
        drawn = self.sequence_noise(batch.episode, shape, draw=1).transpose(0, 1)
        return drawn.to(batch.context_x.dtype)

    def recall(self, batch: FunctionSequences, told: bool, noise: Tensor | None = None) -> Recalled:
        """Write all contexts, look up all targets, and pool the evidence of the latents.

        Args:
            batch: B sequences.
            told: whether the targets' values are known, as posteriors need.
            noise: [B, T, ``noise_size``], for a memory that draws; drawn if not given.
        """
        batch = without_padding(batch)
        context_x, target_x = self._places(batch.context_x), self._places(batch.target_x)
        known, asked = RealPoints(batch.context_mask), RealPoints(batch.target_mask)
        context = context_x, batch.context_y, known
        target = (target_x, batch.target_y, asked) if told else None
        values = self.deterministic_encoder(*context)
        own = Pool.of(values, known)
        pooled = own.pooled(self.pooling)
        items = Items(context_x, known.padded(values), batch.context_mask)
        recollections = self._unroll(pooled, items, *self._drawn(target, noise))
        reads = self.memory.lookup(recollections.snapshot, target_x, asked)
        if self._follow is not None:
            followed = self._follow(pooled).unsqueeze(2)
            reads = reads + F.pad(followed, (0, self.memory.uncertain))
        # With ``pool_memory`` latents pool imaginary values too, as in the authors' code.
        held = Pool(recollections.total, recollections.number)
        empty = Pool(*map(torch.zeros_like, held))
        if self.latent_encoder is not self.deterministic_encoder:
            own = Pool.of(self.latent_encoder(*context), known)
        evidence = Evidence(
            context=own,
            memory=held if self.pool_memory else empty,
            target=None if target is None else self.pool_of_targets(batch, target, own),
        )
        points = self.decoder.of_points(reads, target_x, asked)
        return Recalled(points, asked, evidence, recollections.kl, recollections.snapshot)

    def pool_of_targets(self, batch: FunctionSequences, target: Points, context: Pool) -> Pool:
        """Pool the encodings of all targets, for posteriors.

        Args:
            batch: B sequences.
            target: places as the networks see them, values, and which are real.
            context: the encodings of the contexts.
        """
        return Pool.of(self.latent_encoder(*target), target[2])

    def _drawn(self, target: Points | None, noise: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the posterior's controls [B, T, h] and the noise, for a core that draws."""
        if not self.memory.noise_size:
            return ()
        observed = None
        if target is not None:
            encoded = self.deterministic_encoder(*target)
            observed = Pool.of(encoded, target[2]).pooled(self.pooling)
        return observed, None if noise is None else noise[..., self.latent_path.noise_size :]

    def _places(self, x: Tensor) -> Tensor:
        """Scale places [B, T, N, Dx], and append the step if the model has it in x."""
        if self.step_in_x:
            # Steps of training: longer test sequences go beyond 0.75.
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
        noise = self._fresh(batch, 1)[0] if noise is None else noise
        return self._inferred(self.recall(batch, told=True, noise=noise), noise)

    def _inferred(self, recalled: Recalled, noise: Tensor) -> Inferred:
        latents = self._draw(recalled.evidence, noise[..., : self.latent_path.noise_size])
        drawn = self.decoder.of_latents(latents.sample)
        targets = self.decoder(recalled.points, drawn, recalled.asked)
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
        """Yield the K predictions one by one, [B, T, M, Dy]: all at once are large for pictures.

        The arguments are those of ``predict``.
        """
        noise = self._fresh(batch, samples) if noise is None else noise
        # A core that draws is written anew for each sample; otherwise one recall serves all.
        for part in noise.split(1) if self.memory.noise_size else [noise]:
            yield from self._predictions(self.recall(batch, told=False, noise=part[0]), part)

    def _predictions(self, recalled: Recalled, noise: Tensor) -> Iterator[Targets]:
        """Yield predictions with noise [K, B, T, ``noise_size``] from what was recalled."""
        samples, of_latents = len(noise), noise[..., : self.latent_path.noise_size].flatten(0, 1)
        untold = recalled.evidence._replace(target=None)
        latents = self._draw(untold.repeated(samples), of_latents).sample
        for row in self.decoder.of_latents(latents).unflatten(0, (samples, -1)):
            yield self.decoder.in_parts(recalled.points, row, recalled.asked)

    def _fresh(self, batch: FunctionSequences, samples: int) -> Tensor:
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
        # The targets change nothing that such a core recalls, so one recall serves both.
        recalled = self.recall(batch, told=True)
        scores = Scores.of(self._predictions(recalled, of_samples), batch)
        return scores, self._inferred(recalled, noise)

    def predict_step(self, batch: FunctionSequences, batch_idx: int) -> dict[str, Tensor]:
        """Return ``mean`` and ``sigma`` of targets, [B, T, M, Dy], and the batch's points."""
        noise = self.noise_of_samples(batch, self.test_samples)
        predicted = self.predict(batch, self.test_samples, noise).mixed()
        points = {n: x for n, x in batch._asdict().items() if n.startswith(("context", "target"))}
        return {**predicted._asdict(), **points}
