"""The HTML report: a page about an archive, with a player for every video."""
