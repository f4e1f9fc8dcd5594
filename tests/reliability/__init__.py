"""Long-running reliability tests of archive runs: ``python -m tests.reliability``."""
