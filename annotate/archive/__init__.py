"""Contents of an archive: videos, their outputs and tables."""
