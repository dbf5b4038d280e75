"""The contract of benchmarks in 3D: films of random rooms, rendered once and kept on disk."""

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

#: Splits that evaluations show.
EVALUATED: tuple[Split, ...] = ("val", "test")


class RoomDataModule(SequenceDataModule[FilmDataset]):
    """Films of a camera in rooms, each in a room of its own.

    A benchmark names the movement of its camera and says what the poses mean. Films are rendered by
    ViZDoom in `prepare_data`, if they are not in `<data_dir>/rooms` yet: 10,000 of 30 frames take
    one to three minutes on two processor cores, and 0.9 GB.
    """

    camera: ClassVar[str]
    """Name of the movement, in `film_script.CAMERAS`."""
    returns: ClassVar[bool] = True

    def __init__(self, sequence_length: int, data_dir: str = "data", **settings: Any) -> None:
        """Check the settings; nothing is rendered.

        Args:
            sequence_length: frames T of a film.
            data_dir: folder of data sets; films are kept in `rooms` in it.
            **settings: of `BenchmarkDataModule`; `seed` is that of rooms and movements.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(**settings)
        require_at_least(2, sequence_length=sequence_length)
        self._prepared: set[Split] = set()

    @property
    @abstractmethod
    def views(self) -> Meaning:
        """Rule that tells what poses of the camera mean; data workers pickle it."""

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
            FilmingFailed: films are missing, and cannot be rendered.
            OSError: the disk is full, or the folder cannot be written.
        """
        trains = self.trainer is None or self.trainer.state.fn in (None, TrainerFn.FITTING)
        self._render(SPLITS if trains else EVALUATED)

    def prepare_test_data(self) -> None:
        """Render what is missing, but no training films, which are most of the work.

        Raises:
            FilmingFailed, OSError: see `prepare_data`.
        """
        self._render(EVALUATED)

    def prepare_data_record(self) -> None:
        """Render nothing: films are told apart by what they are made of."""

    def _render(self, wanted: Sequence[Split]) -> None:
        splits = [split for split in wanted if split not in self._prepared]
        shards = [shard for split in splits for shard in self._shards(split)]
        complete(self._cache, shards, self._film_settings)
        self._prepared |= {*splits}

    def make_datasets(self) -> dict[Split, FilmDataset]:
        """Name the films of all splits; a file is mapped into memory when it is first asked for."""
        return {split: self._dataset(split) for split in SPLITS}

    def source_record(self) -> dict[str, str]:
        """`source`: the engine, which decides on the frames."""
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
        # A folder for each engine: a training that is under way keeps the films that it opens.
        settings, made_by = self._film_settings, engine()
        name = (
            f"{self.camera}_{settings['steps']}_steps_seed_{settings['seed']}"
            f"_{made_by.replace(' ', '_')}_v{VERSION}"
        )
        folder = Path(self.hparams["data_dir"], "rooms", name)
        return FilmCache(folder, {"version": VERSION, "engine": made_by, **settings})
