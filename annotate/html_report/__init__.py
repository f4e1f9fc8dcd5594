"""Pages that show reports: the player with its timeline, and the report page around it."""
