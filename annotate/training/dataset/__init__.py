"""Datasets of labeled blocks: build, store, balance and describe them."""
