"""Many videos: finding them, deciding what is to be done, doing it, collecting what failed."""
