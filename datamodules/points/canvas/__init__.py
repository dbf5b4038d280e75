"""Pictures that move on a canvas, as functions from locations to intensities."""
