"""An archive as it lies there: its videos, their outputs and reports."""
