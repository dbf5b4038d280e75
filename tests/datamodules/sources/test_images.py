"""Images of a split: their digest."""

from datamodules.sources import load_images


def test_digest_tells_images_and_labels_apart() -> None:
    digits = load_images("mnist5k", "nowhere", "val")
    assert digits.sha256 == load_images("mnist5k", "nowhere", "val").sha256
    assert digits.sha256 != digits._replace(labels=digits.labels[::-1]).sha256
    assert digits.sha256 != digits._replace(images=digits.images[::-1]).sha256
