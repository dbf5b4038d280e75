"""``oracle``: invalid uses; test_neural_processes.py tests its results."""

from collections.abc import Callable

import pytest


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["conf/vrnn_maze.yaml"], "conf/vrnn_maze.yaml: data must be DriftingFunctions, got MNIST"),
        (["conf/snp_gp_sparse.yaml", "--particles", "1"], "--particles must be at least 2, got 1"),
        (["conf/snp_gp_sparse.yaml", "--sequences=0"], "--sequences must be at least 1, got 0"),
    ],
)
def test_an_oracle_that_cannot_be_asked_says_why(
    complaint: Callable[..., str], words: list[str], message: str
) -> None:
    assert message in complaint("oracle", *words)
