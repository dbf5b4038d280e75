"""The page of ``compare``: everything that runs hold, in one file that opens anywhere."""
