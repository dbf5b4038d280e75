"""Films of a camera in random 3D rooms, rendered once and stored on disk."""
