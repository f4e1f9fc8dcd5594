"""Versions of the program and of what it finds."""

VERSION = "0.1.0"

ANALYSIS_VERSION = 12
"""Raised whenever the same video, model and settings give other results than before."""
