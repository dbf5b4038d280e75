"""Films of rooms as sequences."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.frames.batch import FrameSequences
from datamodules.loading.episodes import SPLIT_KEYS, EpisodeDataset
from datamodules.rooms.cache import Films
from datamodules.rooms.film_script import VERSION, draw_poses
from datamodules.sources import Split


class Views(NamedTuple):
    """What accompanies the frames of B films of T steps."""

    actions: NDArray[np.float32]  #: [B, T, A]
    recalled_from: NDArray[np.int64]  #: [B, T]
    place: NDArray[np.int64]  #: [B, T]


#: Interprets a camera's poses [B, T, 3].
Meaning = Callable[[NDArray[np.int64]], Views]


class FilmDataset(EpisodeDataset[FrameSequences]):
    """The films of a split; each epoch has all of them, in its own order.

    Args:
        films: the split's films, by index.
        camera: name of the camera's movement, in `film_script.CAMERAS`.
        steps: frames T of a film.
        views: interprets poses.
        seed: seed of the films and their order.
        split: split of the films.
        size: number of films.
    """

    def __init__(
        self,
        films: Films | NDArray[np.void],
        camera: str,
        steps: int,
        views: Meaning,
        seed: int,
        split: Split,
        size: int,
    ) -> None:
        super().__init__(seed, split, size)
        self.films, self.camera, self.steps, self.views = films, camera, steps, views

    def __getitems__(self, episodes: Sequence[int]) -> FrameSequences:
        """Read a batch of films."""
        films = [self._film(episode) for episode in episodes]
        poses = np.stack([film["poses"] for film in films]).astype(np.int64)
        actions, recalled_from, place = self.views(poses)
        frames = torch.from_numpy(np.stack([film["frames"] for film in films]))
        return FrameSequences(
            frames=frames.float().div_(255),
            actions=torch.from_numpy(actions),
            recalled_from=torch.from_numpy(recalled_from),
            place=torch.from_numpy(place),
            labels=torch.zeros(place.shape, dtype=torch.int64),
            episode=torch.tensor(episodes),
        )

    def origins(self, episodes: Sequence[int]) -> tuple[Tensor, ...]:
        """Return the generator's version and the poses, which need no rendering."""
        drawn = [
            draw_poses(self.camera, self.steps, self.seed, self.split, self._number(episode))[1]
            for episode in episodes
        ]
        return torch.full((len(drawn),), VERSION), torch.from_numpy(np.stack(drawn))

    def _film(self, episode: int) -> np.void:
        return self.films[self._number(episode)]

    def _number(self, episode: int) -> int:
        """Return the index of an episode's film in its split."""
        epoch, number = divmod(episode, self.size)
        if epoch:
            number = int(_order(self.seed, SPLIT_KEYS[self.split], epoch, self.size)[number])
        return number


@lru_cache(maxsize=2)
def _order(seed: int, split: int, epoch: int, size: int) -> NDArray[np.int64]:
    """Return the film order of an epoch after the first, whose films are in random order anyway."""
    return np.random.default_rng((seed, split, epoch)).permutation(size)
