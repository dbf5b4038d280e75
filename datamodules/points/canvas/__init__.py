"""Pictures that move on a canvas, as functions from places to intensities."""
