"""What can be learned from the reports of an archive, without its videos."""
