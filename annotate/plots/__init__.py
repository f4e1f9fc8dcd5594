"""Matplotlib figures of a video's results: timelines and sheets of highlights."""
