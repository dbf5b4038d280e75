"""Values of the trainer that Lightning would take, and that mean nothing."""

from math import inf, nan
from typing import Any

import pytest
from jsonargparse import Namespace

from lightning_modules.command_line.trainer_values import require_seed, require_sensible
from lightning_modules.command_line.usage_error import UsageError

REFUSED = [
    *(("gradient_clip_val", value) for value in (-1.0, -0.1, inf, nan)),
    *(("accumulate_grad_batches", value) for value in (0, -1)),
    *((name, value) for name in ("max_steps", "max_epochs") for value in (0, -2)),
    *((name, -1) for name in ("min_steps", "min_epochs", "log_every_n_steps")),
    *(("check_val_every_n_epoch", value) for value in (0, -1)),
    *(("limit_train_batches", value) for value in (0, 0.0, -1)),
    *(("val_check_interval", value) for value in (0, -1, 0.0, -0.5, 1.5)),
    ("num_sanity_val_steps", -2),
    ("num_nodes", 0),
    ("reload_dataloaders_every_n_epochs", -1),
]
TAKEN = [
    *(("gradient_clip_val", value) for value in (None, 0, 0.5, 1_000)),
    *((name, value) for name in ("max_steps", "max_epochs") for value in (-1, 1, None)),
    *(("val_check_interval", value) for value in (1, 500, 0.25, 1.0, None, "00:01:00:00")),
    *(("limit_train_batches", value) for value in (1, 0.5, None)),
    ("log_every_n_steps", 0),
    ("num_sanity_val_steps", -1),
]


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_a_senseless_value_is_one_line(name: str, value: float):
    with pytest.raises(UsageError, match=rf"^trainer\.{name} must be .*, got {value}$"):
        require_sensible(Namespace({name: value}))


@pytest.mark.parametrize(("name", "value"), TAKEN)
def test_what_lightning_documents_is_taken(name: str, value: Any):
    require_sensible(Namespace({name: value}))


def test_seeds_are_numpys():
    for seed in (0, 2**32 - 1, True, False, None):
        require_seed(seed)
    for seed in (-1, 2**32):
        with pytest.raises(UsageError, match=f"must be from 0 to 4294967295, got {seed}$"):
            require_seed(seed)
