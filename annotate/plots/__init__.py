"""Figures of reports for papers, by matplotlib: timelines, and contact sheets of highlights."""
