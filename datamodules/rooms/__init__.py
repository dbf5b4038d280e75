"""Rooms in 3D, and films of a camera in them: drawn at random, rendered once, kept on disk."""
