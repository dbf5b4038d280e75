"""Neural processes of image patches, whose encodings, latents and states are feature maps."""
