"""A video's report with all that tracks are made from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote

import pandas as pd

from annotate.results.boxes import BoxPaths
from annotate.results.cues import Cue, make_cues, make_face_cues
from annotate.results.intervals import Piece, pieces
from annotate.results.meta import Meta
from annotate.span import MS_PER_S


@dataclass(frozen=True)
class Report:
    """A video's table, what made it, the boxes of its faces, and the relative path from the outputs' folder to the video."""

    table: pd.DataFrame
    meta: Meta
    boxes: BoxPaths
    video: str

    @cached_property
    def pieces(self) -> list[Piece]:
        """The blocks as disjoint pieces of each face, ordered by face, then time."""
        return pieces(self.table)

    @cached_property
    def end_ms(self) -> int:
        """The end of the video, or of its last piece if that is later."""
        return max([round(self.meta.duration_s * MS_PER_S), *(piece.span.end_ms for piece in self.pieces)])

    @property
    def cues(self) -> list[Cue]:
        """Cues that faces share, as for a track below the frame."""
        return make_cues(self.pieces, self.end_ms)

    @property
    def face_cues(self) -> list[Cue]:
        """Cues of one face each, as for tracks that place them in the frame."""
        return make_face_cues(self.pieces, self.end_ms)

    @property
    def pieces_by_face(self) -> dict[int, list[Piece]]:
        """The pieces of each face."""
        faces: dict[int, list[Piece]] = {}
        for piece in self.pieces:
            faces.setdefault(piece.face_id, []).append(piece)
        return faces

    @cached_property
    def lengths_ms(self) -> dict[int, int]:
        """How long each face is seen, the longest first."""
        lengths = {face: sum(piece.span.duration_ms for piece in pieces) for face, pieces in self.pieces_by_face.items()}
        return dict(sorted(lengths.items(), key=lambda item: (-item[1], item[0])))

    @property
    def video_address(self) -> str:
        """The relative path to the video as a URL; it begins with a dot, since its first part may hold a colon."""
        return f"./{quote(self.video.encode('utf-8', 'surrogateescape'))}"
