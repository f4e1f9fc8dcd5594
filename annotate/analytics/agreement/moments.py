"""Write moments of disagreement as a table, a playlist, or tiers of ELAN."""

from __future__ import annotations

from collections.abc import Sequence

from annotate.analytics.agreement.result import Agreement, FoundDisagreement
from annotate.analytics.edit_lists import to_m3u
from annotate.analytics.export import encode_table
from annotate.analytics.moments import Moment
from annotate.archive.layout import outputs_of_report
from annotate.errors import SettingsError
from annotate.results.formats.eaf import write_tiers
from annotate.results.meta import read_meta
from annotate.span import Span
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl

ENDINGS = (".csv", ".eaf", ".m3u")


def encode_disagreements(agreement: Agreement, output: PathOrUrl) -> bytes:
    """Return the moments of disagreement in the format of the ending of ``output``, one of `ENDINGS`.

    Tables and playlists begin with the greatest disagreement. ``.eaf`` has one tier per coder and face; there is at least
    one disagreement.

    Raises:
        SettingsError: they are of several videos, and the format is ``.eaf``.
    """
    ending = output.suffix.lower()
    found = agreement.disagreements
    if ending == ".csv":
        return encode_table(agreement.disagreement_table(), ending)
    if ending == ".m3u":
        return to_m3u([_moment(each) for each in found]).encode()
    check_single({each.report.path for each in found}, output)
    return _to_eaf(found, output).encode()


def check_single(reports: Sequence[PathOrUrl] | set[PathOrUrl], output: PathOrUrl) -> None:
    """Check that a file of ELAN is to hold the moments of one video only.

    Raises:
        SettingsError: there are several videos.
    """
    if output.suffix.lower() == ".eaf" and len(reports) > 1:
        raise SettingsError(f"one .eaf for {len(reports)} videos", "give one video, or write .csv or .m3u", path=output)


def describe(found: FoundDisagreement) -> str:
    """Return code and emotion as text."""
    return f"coded {found.code}, model {found.emotion}"


def _moment(found: FoundDisagreement) -> Moment:
    return Moment(found.report, found.face_id, found.span, describe(found), found.confidence)


def _to_eaf(found: Sequence[FoundDisagreement], output: PathOrUrl) -> str:
    report = found[0].report
    meta = read_meta(outputs_of_report(report.path).meta)
    assert meta is not None, "it was read with the table"
    tiers: dict[str, list[tuple[Span, str]]] = {}
    for each in sorted(found, key=lambda moment: (moment.coder, moment.face_id, moment.span)):
        tiers.setdefault(f"{each.coder}, face {each.face_id}", []).append((each.span, describe(each)))
    video = storage_for(report.video_path).relative(report.video_path, output.parent)
    return write_tiers(meta, video if video.startswith("/") else f"./{video}", tiers)
