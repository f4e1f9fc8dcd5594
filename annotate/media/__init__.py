"""Everything that talks to ffmpeg: finding it, asking what a file holds, decoding. Nothing else runs a process."""
