"""Formats of tracks: one module per format, each with a function ``write(report, language)``."""
