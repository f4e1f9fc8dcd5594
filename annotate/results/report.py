"""What tracks are made from: a report as it stands beside a video."""

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
    """A video's table, what made it, where its faces were, and the way from the outputs' folder to the video."""

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
        """Where the video ends."""
        return max([round(self.meta.duration_s * MS_PER_S), *(piece.span.end_ms for piece in self.pieces)])

    @property
    def cues(self) -> list[Cue]:
        """Cues that faces share, as for a track below the picture."""
        return make_cues(self.pieces, self.end_ms)

    @property
    def face_cues(self) -> list[Cue]:
        """Cues of a face each, as for tracks that place them in the picture."""
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
        """The way to the video as a relative URL.

        Its first part may hold a colon, so that it begins with where it starts from.
        """
        return f"./{quote(self.video.encode('utf-8', 'surrogateescape'))}"
