"""The contract of benchmarks in 3D: films of random rooms, rendered once and stored on disk."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from lightning.pytorch.trainer.states import TrainerFn

from datamodules.frames.benchmark import SequenceDataModule
from datamodules.loading.checks import require_at_least
from datamodules.rooms.cache import FilmCache, Shard, shards_of
from datamodules.rooms.dataset import FilmDataset, Meaning
from datamodules.rooms.film_script import SIZE, VERSION
from datamodules.rooms.filming import complete, engine
from datamodules.sources import SPLITS, Split

#: Splits used in evaluation.
EVALUATED: tuple[Split, ...] = ("val", "test")


class RoomDataModule(SequenceDataModule[FilmDataset]):
    """Films of a camera, each in its own room.

    A benchmark names its camera's movement and interprets the poses. ViZDoom renders films in
    `prepare_data`, if they are not in `<data_dir>/rooms` yet: 10,000 of 30 frames take one to three
    minutes on two processor cores, and 0.9 GB.
    """

    camera: ClassVar[str]
    """Name of the movement, in `film_script.CAMERAS`."""
    returns: ClassVar[bool] = True

    def __init__(self, sequence_length: int, data_dir: str = "data", **settings: Any) -> None:
        """Check the settings; nothing is rendered.

        Args:
            sequence_length: frames T of a film.
            data_dir: folder of data sets; films are stored in its folder `rooms`.
            **settings: of `BenchmarkDataModule`; `seed` is for rooms and movements.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(**settings)
        require_at_least(2, sequence_length=sequence_length)
        self._prepared: set[Split] = set()

    @property
    @abstractmethod
    def views(self) -> Meaning:
        """Rule that interprets the camera's poses; pickled for data workers."""

    @property
    def sequence_length(self) -> int:
        """Frames T of a film."""
        return self.hparams["sequence_length"]

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """Red, green and blue, 32 x 32."""
        return (3, SIZE, SIZE)

    def prepare_data(self) -> None:
        """Render what is missing; Lightning calls this in one process per machine.

        Evaluations need no training films, which are most of the work.

        Raises:
            FilmingFailed: films are missing and cannot be rendered.
            OSError: the disk is full, or the folder is not writable.
        """
        trains = self.trainer is None or self.trainer.state.fn in (None, TrainerFn.FITTING)
        self._render(SPLITS if trains else EVALUATED)

    def prepare_test_data(self) -> None:
        """Render missing films, except training films, which are most of the work.

        Raises:
            FilmingFailed, OSError: see `prepare_data`.
        """
        self._render(EVALUATED)

    def prepare_data_record(self) -> None:
        """Render nothing: films are identified by their settings."""

    def _render(self, requested: Sequence[Split]) -> None:
        splits = [split for split in requested if split not in self._prepared]
        shards = [shard for split in splits for shard in self._shards(split)]
        complete(self._cache, shards, self._film_settings)
        self._prepared |= {*splits}

    def make_datasets(self) -> dict[Split, FilmDataset]:
        """Return the films of all splits; files are memory-mapped at first use."""
        return {split: self._dataset(split) for split in SPLITS}

    def source_record(self) -> dict[str, str]:
        """Return the `source`: the engine, which determines the frames."""
        return {"source": engine()}

    def _dataset(self, split: Split) -> FilmDataset:
        films = self._cache.open(self._shards(split))
        seed, size = self.hparams["seed"], self.hparams[f"{split}_size"]
        return FilmDataset(films, self.camera, self.sequence_length, self.views, seed, split, size)

    def _shards(self, split: Split) -> list[Shard]:
        return shards_of(split, self.hparams[f"{split}_size"])

    @property
    def _film_settings(self) -> dict[str, Any]:
        steps, seed = self.sequence_length, self.hparams["seed"]
        return {"camera": self.camera, "steps": steps, "seed": seed}

    @property
    def _cache(self) -> FilmCache:
        # One folder per engine, so that a run in progress keeps the films that it has open.
        settings, engine_name = self._film_settings, engine()
        name = (
            f"{self.camera}_{settings['steps']}_steps_seed_{settings['seed']}"
            f"_{engine_name.replace(' ', '_')}_v{VERSION}"
        )
        folder = Path(self.hparams["data_dir"], "rooms", name)
        return FilmCache(folder, {"version": VERSION, "engine": engine_name, **settings})
