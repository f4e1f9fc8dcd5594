"""The contract of model files: the shapes of input and output, and the preprocessing.

Input ``blocks`` float32 (N, 20, 80, 80), gray pixels / 255; output ``probabilities`` float32 (N, 7). The ONNX file's
metadata properties are the fields of `Contract`, so that each model states its own shapes, classes and preprocessing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from annotate.emotions.labels import EMOTIONS

BLOCK_FRAMES = 20
CROP_SIZE_PX = 80
CROP_MARGIN = 0.1
FRAME_RATE = 30.0

LEVEL, BOX = "level", "box"
FRAMINGS = (LEVEL, BOX)
"""How a model's faces are framed: turned level by their eyes, or as they are; in frontal faces that is the same."""

INPUT_NAME = "blocks"
OUTPUT_NAME = "probabilities"

_OPTIONAL = ("frame_stride", "framing")


@dataclass(frozen=True)
class Contract:
    """The part of the contract that a model file states in its metadata."""

    class_names: tuple[str, ...] = EMOTIONS
    block_frames: int = BLOCK_FRAMES
    crop_size_px: int = CROP_SIZE_PX
    crop_margin: float = CROP_MARGIN
    """Margin on each side of a face's box, as a fraction of its longer side."""
    frame_rate: float = FRAME_RATE
    """Maximum frame rate the model was made for."""
    frame_stride: int = 1
    """The model uses every ``frame_stride``-th frame of a block, starting with the first, and ignores the others."""
    framing: str = LEVEL
    """One of `FRAMINGS`; a file without it is of a model for faces as they are."""

    def to_metadata(self) -> dict[str, str]:
        """Return the contract as metadata properties of an ONNX file.

        >>> Contract.from_metadata(Contract().to_metadata()) == Contract()
        True
        """
        return {
            "class_names": ",".join(self.class_names),
            "block_frames": str(self.block_frames),
            "crop_size_px": str(self.crop_size_px),
            "crop_margin": str(self.crop_margin),
            "frame_rate": str(self.frame_rate),
            "frame_stride": str(self.frame_stride),
            "framing": self.framing,
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Contract:
        """Parse the metadata properties of an ONNX file.

        Raises:
            KeyError: a property is missing; the key is its name.
            ValueError: a property has an invalid value; the message names it.
        """
        values = {name: metadata[name] for name in cls().to_metadata() if name not in _OPTIONAL}
        names = tuple(name.strip() for name in values["class_names"].split(","))
        if len(set(names)) != len(names) or not all(name and name.isprintable() for name in names):
            raise ValueError(f"class_names is {values['class_names']!r}")
        try:
            contract = cls(
                names,
                int(values["block_frames"]),
                int(values["crop_size_px"]),
                float(values["crop_margin"]),
                float(values["frame_rate"]),
                int(metadata.get("frame_stride", "1")),
                metadata.get("framing", BOX),
            )
        except ValueError as error:
            raise ValueError(f"a property is not a number: {error}") from None
        in_range = min(contract.block_frames, contract.crop_size_px, contract.frame_rate, contract.frame_stride) > 0
        if contract.framing not in FRAMINGS:
            raise ValueError(f"framing is {contract.framing!r}, not one of {', '.join(FRAMINGS)}")
        if not in_range or not -0.5 < contract.crop_margin < 10:
            raise ValueError(f"a property is out of range in {values}")
        return contract
