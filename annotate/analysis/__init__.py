"""One video in, its annotations out."""
