"""``reproduce``: trains, judges and documents claims of the papers."""
