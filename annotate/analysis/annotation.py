"""The emotion of one face over one block."""

from __future__ import annotations

from dataclasses import dataclass

from annotate.faces.blocks import TimedBox
from annotate.faces.box import Box
from annotate.faces.quality import Appearance
from annotate.span import Span


@dataclass(frozen=True)
class Annotation:
    """The emotion of one face over one block.

    ``box`` is the mean box of the block, in pixels of the displayed frame; ``probabilities`` are in the order of
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
    """Detections outside the overlap with the face's previous block; boxes in pixels of the displayed frame."""

    appearance: Appearance = Appearance()
    """Mean pose, sharpness and so on over the block; sizes in pixels of the displayed frame."""

    @property
    def emotion(self) -> str:
        """The most probable emotion."""
        return self.class_names[self.probabilities.index(self.confidence)]

    @property
    def confidence(self) -> float:
        """The probability of the most probable emotion."""
        return max(self.probabilities)
