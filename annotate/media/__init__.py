"""Everything that talks to ffmpeg: find it, probe, decode, encode; no other package runs a process."""
