"""Settings that a model takes from its data."""

import pytest

from lightning_modules import ANP, ASNP, GTMM, NP, VRNN
from lightning_modules.command_line.data_links import (
    FROM_DATA,
    choosable,
    models_of_same_data,
    refuse_linked,
    require_fitting,
)
from lightning_modules.command_line.usage_error import UsageError
from memory_cores import DNC


@pytest.mark.parametrize("option", ["--model.frame_shape", "--model.init_args.frame_shape"])
def test_what_the_data_decide_is_refused(option: str) -> None:
    refuse_linked({"--model.latent_size", "--data.sequence_length"})
    with pytest.raises(UsageError, match="^model.frame_shape: comes from the data; leave it out$"):
        refuse_linked({option})


def test_models_need_benchmarks_of_their_sequences() -> None:
    require_fitting("lightning_modules.ASNP", "datamodules.MovingFaces")
    require_fitting("lightning_modules.VRNN", "datamodules.MNISTMaze")
    with pytest.raises(UsageError) as mistake:
        require_fitting("lightning_modules.ASNP", "datamodules.MNISTMaze")
    assert str(mistake.value) == (
        "data: ASNP cannot model the sequences of MNISTMaze\n"
        "valid: DriftingFunctions, MovingDigits, MovingFaces, RenderedFaces"
    )
    with pytest.raises(UsageError) as mistake:
        require_fitting("lightning_modules.TGQN", "datamodules.MovingFaces")
    assert str(mistake.value) == (
        "data: TGQN cannot model the sequences of MovingFaces\nvalid: RenderedFaces"
    )
    with pytest.raises(UsageError, match="VRNN cannot model the sequences of MovingFaces"):
        require_fitting("lightning_modules.VRNN", "datamodules.MovingFaces")


def test_only_models_leave_settings_to_the_data() -> None:
    assert not set(choosable("model", GTMM)) & set(FROM_DATA)
    assert "latent_size" in choosable("model", GTMM)
    assert "slots" in choosable("model.memory", DNC)


def test_families_have_data_of_their_own() -> None:
    assert {GTMM, VRNN} <= set(models_of_same_data(VRNN))
    assert {ANP, ASNP} <= set(models_of_same_data(NP))
    assert not {GTMM, VRNN} & set(models_of_same_data(NP))
