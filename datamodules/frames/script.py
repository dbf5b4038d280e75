"""Scripts: sequences before rendering, which say which picture every step shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from datamodules.frames.batch import FrameSequences
from datamodules.loading.stages import Stages, rule_at


class Script(NamedTuple):
    """One sequence of T steps."""

    pictures: NDArray[np.int64]
    """Index of the image shown, [T] in [0, N)."""
    actions: NDArray[np.float32]
    """Known context of each step, one-hot [T, A]."""
    recalled_from: NDArray[np.int64]
    """Earlier step that each step recalls, [T]; -1 where there is none."""
    place: NDArray[np.int64]
    """Identity of what is seen, [T]; equal places show the same content."""


class ScriptWriter(Protocol):
    """A benchmark's rule; pickled for data workers, so it holds settings but no images."""

    def __call__(self, rng: np.random.Generator) -> Script:
        """Write one sequence, which depends only on the generator's draws."""
        ...


@dataclass(frozen=True)
class Mixture:
    """Draws one of several rules for every sequence; all must write sequences of one length."""

    writers: tuple[ScriptWriter, ...]

    def __call__(self, rng: np.random.Generator) -> Script:
        """Write one sequence."""
        return self.writers[rng.integers(len(self.writers))](rng)


@dataclass(frozen=True)
class Curriculum:
    """The rule of every sequence of a split: those of the stages, then the test's."""

    stages: Stages[ScriptWriter]
    last: ScriptWriter

    def at(self, episode: int) -> ScriptWriter:
        """Return the rule of the sequence with this number."""
        return rule_at(self.stages, self.last, episode)


def recalled_from(place: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the latest earlier step at the same place, [..., T]; -1 where a place is new."""
    steps = np.arange(place.shape[-1])
    same = place[..., :, None] == place[..., None, :]
    earlier = steps[None, :] < steps[:, None]
    return np.where(same & earlier, steps, -1).max(axis=-1)


def with_recall(shown: NDArray[np.int64], answers: NDArray[np.int64]) -> Script:
    """Write a script of random pictures, followed by repeats of the answers' pictures.

    A place is the step that showed its picture first, so pictures that are equal by chance count as
    different places. There are no actions.

    Args:
        shown: pictures of the steps before recall, [l].
        answers: earlier step that each step of the recall repeats, [k] in [0, l).
    """
    new = np.arange(len(shown))
    place = np.concatenate([new, answers])
    return Script(
        pictures=shown[place],
        actions=np.zeros((len(place), 0), np.float32),
        recalled_from=np.concatenate([np.full_like(new, -1), answers]),
        place=place,
    )


def render(
    scripts: Sequence[Script],
    images: torch.Tensor,
    labels: torch.Tensor,
    episodes: Sequence[int],
) -> FrameSequences:
    """Fill B scripts with pixels.

    Args:
        scripts: B scripts of one length T.
        images: the split's images, uint8 [N, H, W].
        labels: the split's classes, int64 [N].
        episodes: ids of the sequences, [B].
    """
    pictures, actions, answers, place = (np.stack(parts) for parts in zip(*scripts, strict=True))
    index = torch.from_numpy(pictures)
    return FrameSequences(
        frames=images[index].unsqueeze(2).float().div_(255),
        actions=torch.from_numpy(actions),
        recalled_from=torch.from_numpy(answers),
        place=torch.from_numpy(place),
        labels=labels[index],
        episode=torch.tensor(episodes),
    )
