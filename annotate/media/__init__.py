"""Everything that talks to ffmpeg: finding it, asking what a file holds, decoding, rendering; else nothing runs processes."""
