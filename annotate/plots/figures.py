"""Style, encoding and files of figures, shared by timelines and sheets; the same results give the same bytes."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotate.errors import OutputError, write_error
from annotate.storage.local.files import write_atomic
from annotate.text import shorten
from annotate.version import VERSION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDINGS = (".png", ".svg")
"""Image formats, by file extension."""

WIDTH_IN = 7.2
"""Width of figures in inches: two columns of a paper."""

TEXT_PT, SMALL_PT, TITLE_PT = 7.5, 6.5, 9.0
"""Font sizes in points."""

POINTS_PER_IN = 72
MEAN_LETTER_WIDTH = 0.6
"""Mean width of letters as a share of the font size, estimated generously."""

_DPI = 200
_SIGNATURE = re.compile(rb"annotate \d+\.\d+\S* \(plot\)")
_SIGNATURE_BYTES = 4096
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
    "savefig.dpi": _DPI,
}


@contextlib.contextmanager
def plot_style() -> Iterator[None]:
    """Use the style of annotate, not the matplotlib settings of the user, for figures drawn and encoded in this context."""
    import matplotlib as mpl

    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def new_figure(height_in: float, width_in: float = WIDTH_IN) -> Figure:
    """Return an empty white figure."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), facecolor="white")


def encode_figure(figure: Figure, ending: str) -> bytes:
    """Return the file content of a figure in the format of ``ending``, one of `ENDINGS`; equal figures give equal bytes."""
    signature = f"annotate {VERSION} (plot)"
    metadata = {"Software": signature} if ending == ".png" else {"Creator": signature, "Date": None}
    buffer = io.BytesIO()
    figure.savefig(buffer, format=ending[1:], metadata=metadata)
    return buffer.getvalue()


def write_image(path: Path, content: bytes) -> None:
    """Write an encoded figure; replace only files that `annotate plot` wrote.

    Raises:
        OutputError: another file has that name, or the file cannot be written.
    """
    try:
        if path.is_symlink() or path.exists():
            with path.open("rb") as file:
                if path.is_symlink() or not _SIGNATURE.search(file.read(_SIGNATURE_BYTES)):
                    problem = "not overwritten (`annotate plot` did not write this file)"
                    raise OutputError(problem, "choose another name", path=path)
    except OSError as error:
        raise write_error(path, error) from None
    write_atomic(path, content)


def text_width_in(text: str, size_pt: float) -> float:
    """Return the estimated width of a text in inches, rather too wide than too narrow."""
    return len(text) * size_pt * MEAN_LETTER_WIDTH / POINTS_PER_IN


def shorten_to_width(text: str, width_in: float, size_pt: float) -> str:
    """Shorten a text in the middle to fit a width in inches.

    >>> shorten_to_width("a very long name of a video.mp4", 1, 9)
    'a ve…ideo.mp4'
    """
    return shorten(text, max(4, int(width_in * POINTS_PER_IN / (size_pt * MEAN_LETTER_WIDTH))))
