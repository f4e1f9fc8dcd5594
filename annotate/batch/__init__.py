"""Processing of whole archives: plan, run and report the work on each video."""
