"""All use of ffmpeg: find it, probe, decode and encode. No other package runs processes."""
