"""What is said in a video: transcripts of others, read and brought together with faces."""
