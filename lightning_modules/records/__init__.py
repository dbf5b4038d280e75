"""Files that a run leaves on disk, and the one way to read, group and average them."""
