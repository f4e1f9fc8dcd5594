"""Many videos: plan, run and report the work on each."""
