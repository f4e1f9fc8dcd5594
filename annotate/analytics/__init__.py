"""Summaries of annotated archives and moments in them, from tables and sidecars; videos are never read."""
