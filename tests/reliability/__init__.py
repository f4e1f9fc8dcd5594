"""A longer programme that tries what an unattended archive run meets: ``python -m tests.reliability``."""
