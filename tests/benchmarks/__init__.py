"""Measurements, each a programme of its own; nothing here is a test."""
