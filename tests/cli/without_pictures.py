"""The program without its pictures, which take longer than the rest of a small run."""

import cli
from lightning_modules.callbacks import pictures

if __name__ == "__main__":
    pictures.draws = lambda trainer: False
    cli.ensure_utf8()
    cli.main()
