"""What a run says of its data."""

from lightning_modules.callbacks.announcement import data_sentence

RECORD = {"source": "mnist5k", "sha256": "0123456789abcdef"}


def test_automatic_source_was_named_already():
    assert data_sentence(RECORD, {"source": "auto"}) == "sha256 0123456789ab"
    assert data_sentence(RECORD, {"source": "mnist5k"}) == "source mnist5k, sha256 0123456789ab"
