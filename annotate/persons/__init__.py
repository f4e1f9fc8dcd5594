"""Which face tracks are of the same person: descriptors of faces, and their clusters."""
