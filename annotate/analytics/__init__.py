"""Analytics of an archive's reports, without its videos."""
