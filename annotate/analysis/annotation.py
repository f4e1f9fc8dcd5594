"""The result for one face over one block."""

from __future__ import annotations

from dataclasses import dataclass

from annotate.faces.blocks import TimedBox
from annotate.faces.box import Box
from annotate.span import Span


@dataclass(frozen=True)
class Annotation:
    """The result for one face over one block.

    ``box`` is the mean over the block, in pixels of the displayed frame; ``probabilities`` are in the order of
    ``class_names``. The other fields are those of `annotate.faces.blocks.Block`.
    """

    face_id: int
    block: int
    first_frame: int
    last_frame: int
    span: Span
    box: Box
    face_score: float
    frames: int
    detections: int
    overlap: int
    class_names: tuple[str, ...]
    probabilities: tuple[float, ...]
    detected: tuple[TimedBox, ...] = ()
    """The detections, boxes in pixels of the displayed frame, in frames that the face's block before did not have."""

    @property
    def emotion(self) -> str:
        """The most probable emotion."""
        return self.class_names[self.probabilities.index(self.confidence)]

    @property
    def confidence(self) -> float:
        """Its probability."""
        return max(self.probabilities)
