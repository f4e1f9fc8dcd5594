"""Results of one video: table, boxes, sidecar, cues, and one writer per output format."""
