"""What a run leaves on disk, and the one way in which it is read, grouped and averaged."""
