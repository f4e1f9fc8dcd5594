"""What of the benchmarks is not looked through for tests."""

from __future__ import annotations

import importlib.util

collect_ignore = ["stills.py"] if importlib.util.find_spec("torch") is None else []
