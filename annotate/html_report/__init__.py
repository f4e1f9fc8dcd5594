"""The HTML report: charts and a table of an archive, and a player for each video."""
