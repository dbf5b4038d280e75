"""Neural processes of patches of an image: what they encode, draw and decode are maps."""
