"""The sections of the page, one in a file."""
