"""The results of one video: table, boxes, sidecar, and tracks by one writer per format; cues are made apart from that."""
