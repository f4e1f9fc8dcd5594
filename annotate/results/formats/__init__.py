"""One module per output format, each with a function write(report, language)."""
