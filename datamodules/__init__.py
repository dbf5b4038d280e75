"""Benchmarks as LightningDataModules; importing the package lets their short names resolve."""

from datamodules.benchmark import BenchmarkDataModule
from datamodules.drifting_functions import DriftingFunctions
from datamodules.dynamic_dependency import DynamicDependency
from datamodules.frames.batch import FrameSequences
from datamodules.frames.benchmark import SequenceDataModule
from datamodules.frames.scripted import ScriptedDataModule
from datamodules.loop_closure import LoopClosure
from datamodules.maze import MNISTMaze
from datamodules.moving_digits import MovingDigits
from datamodules.moving_faces import MovingFaces
from datamodules.one_shot_recall import OneShotRecall
from datamodules.parity_recall import ParityRecall
from datamodules.perfect_recall import PerfectRecall
from datamodules.points.batch import FunctionSequences
from datamodules.points.benchmark import FunctionDataModule
from datamodules.rendered_faces import RenderedFaces
from datamodules.rooms.benchmark import RoomDataModule
from datamodules.rotation import Rotation
from datamodules.similarity_cued_recall import SimilarityCuedRecall

__all__ = [
    "BenchmarkDataModule",
    "DriftingFunctions",
    "DynamicDependency",
    "FrameSequences",
    "FunctionDataModule",
    "FunctionSequences",
    "LoopClosure",
    "MNISTMaze",
    "MovingDigits",
    "MovingFaces",
    "OneShotRecall",
    "ParityRecall",
    "PerfectRecall",
    "RenderedFaces",
    "RoomDataModule",
    "Rotation",
    "ScriptedDataModule",
    "SequenceDataModule",
    "SimilarityCuedRecall",
]
