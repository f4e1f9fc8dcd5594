"""Analyze one video: from frames to annotations."""
