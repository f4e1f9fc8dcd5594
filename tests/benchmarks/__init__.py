"""Benchmarks; each module is a separate program."""
