"""Output formats: one module per format, each with a function ``write(report, language)``."""
