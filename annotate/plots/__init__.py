"""Pictures of reports for papers, by matplotlib: timelines, and sheets of telling moments."""
