"""What is written beside a video: one writer a format; making cues is apart from formatting them."""
