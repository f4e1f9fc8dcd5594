"""Everything that talks to ffmpeg: finding it, asking what a file holds, decoding, rendering; none else runs a process."""
