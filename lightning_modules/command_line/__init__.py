"""What the command line needs beside Lightning: the run's folder, its loggers and its messages."""
