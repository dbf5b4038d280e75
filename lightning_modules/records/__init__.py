"""Files that a run writes, and the code that reads, groups and averages them."""
