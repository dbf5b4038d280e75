"""Parts of command lines that build a model and data in no time."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
TINY = (
    "--data.train_size=8",
    "--data.val_size=4",
    "--data.test_size=4",
    "--data.batch_size=2",
    "--model.controller_size=8",
    "--trainer.limit_val_batches=1",
    "--trainer.accelerator=cpu",
)
SHORT_MAZE = ("--data.sequence_length=6",)
SHORT_RECALL = ("--data.pre_recall_length=10", "--data.recall_length=2")
MAZE = "--config=conf/dnc_gtmm_maze.yaml"
