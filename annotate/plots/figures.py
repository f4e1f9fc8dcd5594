"""Figures whose content depends on the report alone, and their files: shared by timelines and contact sheets."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotate.errors import OutputError, unwritable
from annotate.storage.local.files import write_atomic
from annotate.text import shorten
from annotate.version import VERSION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDINGS = (".png", ".svg")
"""Kinds of files, by their endings."""

WIDTH_IN = 7.2
"""Width of figures, in inches: two columns of a paper."""

TEXT_PT, SMALL_PT, TITLE_PT = 7.5, 6.5, 9.0
"""Sizes of letters, in points."""

POINTS_PER_IN = 72
LETTER_SHARE = 0.6
"""Width of letters, on the wide side, as a share of their size."""

_DOTS_PER_IN = 200
_MARK = re.compile(rb"annotate \d+\.\d+\S* \(plot\)")
_MARKED_BYTES = 4096
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": TEXT_PT,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3,
    "ytick.major.size": 2,
    "text.parse_math": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "annotate",
    "savefig.dpi": _DOTS_PER_IN,
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Make and encode figures with our settings in this block, not with the user's own."""
    import matplotlib as mpl

    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def new_figure(height_in: float, width_in: float = WIDTH_IN) -> Figure:
    """Return a white figure."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), facecolor="white")


def encode(figure: Figure, ending: str) -> bytes:
    """Return a figure as a file of one of `ENDINGS`: the same bytes whenever the same figure is encoded."""
    made_by = f"annotate {VERSION} (plot)"
    metadata = {"Software": made_by} if ending == ".png" else {"Creator": made_by, "Date": None}
    buffer = io.BytesIO()
    figure.savefig(buffer, format=ending[1:], metadata=metadata)
    return buffer.getvalue()


def write_picture(path: Path, content: bytes) -> None:
    """Write an encoded figure, over an earlier one of this program's only.

    Raises:
        OutputError: another file is there, or it cannot be written.
    """
    try:
        if path.is_symlink() or path.exists():
            with path.open("rb") as file:
                if path.is_symlink() or not _MARK.search(file.read(_MARKED_BYTES)):
                    problem = "not written, since a file is there that this program did not plot"
                    raise OutputError(problem, "give another name", path=path)
    except OSError as error:
        raise unwritable(path, error) from None
    write_atomic(path, content)


def text_width_in(text: str, size_pt: float) -> float:
    """Return about how wide a text is, in inches, on the wide side."""
    return len(text) * size_pt * LETTER_SHARE / POINTS_PER_IN


def shortened(text: str, width_in: float, size_pt: float) -> str:
    """Return a text with its middle left out, so that it is no wider.

    >>> shortened("a very long name of a video.mp4", 1, 9)
    'a ve…ideo.mp4'
    """
    return shorten(text, max(4, int(width_in * POINTS_PER_IN / (size_pt * LETTER_SHARE))))
