"""Codebook of the table: unit, range, source and meaning of every column, as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from annotate.results.table import RELATIVE_PREFIX, class_columns

_MEANS = ("face_score", "confidence", "yaw", "pitch", "roll", "sharpness", "brightness", "face_px", "quality")
"""Columns that are interpolated to frames, beside probabilities."""

_TABLE, _SIDECAR, _DETECTOR, _MODEL, _PATH = "table", "sidecar", "face detector", "emotion model", "path of the table"


@dataclass(frozen=True)
class ColumnEntry:
    """A column: unit ("" if it has none), range, where its values come from, and what they mean."""

    column: str
    unit: str
    range: str
    source: str
    meaning: str


FRAME_COLUMNS = ("face_id", "frame", "start_time", "end_time", "block")
"""The first columns of the blocks in a table of frames."""

_ENTRIES = {
    entry.column: entry
    for entry in (
        ColumnEntry("video", "", "text", _PATH, "path of the video beside its table"),
        ColumnEntry("older", "", "true or false", _SIDECAR, "whether an older analysis version made the table"),
        ColumnEntry("trial", "", "text", "table of trials", "name of the trial, else the number of its row"),
        ColumnEntry("condition", "", "text", "table of trials", "condition of the trial"),
        ColumnEntry("participant", "", "text", "table of trials", "participant of the trial"),
        ColumnEntry("face_id", "", "1 and more", "face tracking", "number of the face track in its video"),
        ColumnEntry("block", "", "0 and more", "face tracking", "number of the block (20 frames) in its track"),
        ColumnEntry("start_frame", "frames", "0 and more", "decoder", "first frame of the block"),
        ColumnEntry("end_frame", "frames", "0 and more", "decoder", "last frame of the block"),
        ColumnEntry("start_time", "s", "0 and more", "decoder", "start of the block from the start of the file"),
        ColumnEntry("end_time", "s", "0 and more", "decoder", "end of the block"),
        ColumnEntry("x", "pixels", "any", _DETECTOR, "left side of the box of the face, mean of the block"),
        ColumnEntry("y", "pixels", "any", _DETECTOR, "upper side of the box of the face, mean of the block"),
        ColumnEntry("width", "pixels", "0 and more", _DETECTOR, "width of the box of the face, mean of the block"),
        ColumnEntry("height", "pixels", "0 and more", _DETECTOR, "height of the box of the face, mean of the block"),
        ColumnEntry("face_score", "", "0 to 1 (yunet)", _DETECTOR, "certainty that it is a face, mean of the block"),
        ColumnEntry("frames", "frames", "1 to 20", "decoder", "number of analyzed frames"),
        ColumnEntry("detections", "frames", "0 to 20", _DETECTOR, "number of frames in which the face was detected"),
        ColumnEntry("overlap", "frames", "0 to 20", "face tracking", "number of frames shared with the previous block"),
        ColumnEntry("emotion", "", "name of a class", _MODEL, "most probable emotion"),
        ColumnEntry("confidence", "", "0 to 1", _MODEL, "probability of the most probable emotion"),
        ColumnEntry("yaw", "degrees", "from -180 to 180", "landmarks", "turn of the head, positive to the viewer's right"),
        ColumnEntry("pitch", "degrees", "from -180 to 180", "landmarks", "nod of the head, positive downwards"),
        ColumnEntry("roll", "degrees", "from -180 to 180", "landmarks", "lean of the head, positive clockwise"),
        ColumnEntry("sharpness", "", "0 to 1", "pixels of the face", "energy of the finest details over that of all"),
        ColumnEntry("brightness", "", "0 to 1", "pixels of the face", "mean brightness, 0 is black"),
        ColumnEntry("face_px", "pixels", "0 and more", _DETECTOR, "side of the box of the face"),
        ColumnEntry("quality", "", "0 to 1", "sharpness, brightness, face_px", "how well the face can be seen"),
        ColumnEntry("reliable", "", "0 or 1", "yaw, pitch, quality", "whether pose and quality are as in usual faces"),
        ColumnEntry(
            "person", "", "1 and more", "persons", "number of the person, in the archive or the video that numbers it"
        ),
        ColumnEntry("name", "", "text", "persons", "name of the person; empty if none was given"),
        ColumnEntry("author", "", "text", "corrections", "who corrected or confirmed the emotion; empty if not said"),
        ColumnEntry("source", "", "machine or author", "corrections", "who says the emotion: the machine, or a person"),
        ColumnEntry("machine_emotion", "", "name of a class", _MODEL, "most probable emotion, before corrections"),
        ColumnEntry("machine_confidence", "", "0 to 1", _MODEL, "its probability"),
        ColumnEntry(
            "own_start_time", "s", "0 and more", _TABLE, "start of the time that belongs to no other block of the track"
        ),
        ColumnEntry("own_end_time", "s", "0 and more", _TABLE, "end of that time, or of the trial; own times add up"),
    )
}


_SPACED = "between first and last frame of the block, evenly spaced"
_INTERPOLATED = "interpolated between the middles of blocks"
_FRAMES = {
    entry.column: entry
    for entry in (
        ColumnEntry("frame", "frames", "0 and more", "decoder", "number of the frame in its video"),
        ColumnEntry("start_time", "s", "0 and more", _TABLE, f"start of the frame: {_SPACED}"),
        ColumnEntry("end_time", "s", "0 and more", _TABLE, f"end of the frame: {_SPACED}"),
        ColumnEntry("block", "", "0 and more", "face tracking", "number of the block of the track in whose own time it is"),
        *(
            replace(_ENTRIES[name], meaning=f"{side} of the box of the face, interpolated between detections")
            for name, side in (("x", "left side"), ("y", "upper side"), ("width", "width"), ("height", "height"))
        ),
        replace(_ENTRIES["emotion"], meaning=f"most probable emotion by the probabilities of this row, {_INTERPOLATED}"),
        replace(_ENTRIES["reliable"], meaning=f"{_ENTRIES['reliable'].meaning}, in the block"),
        *(
            replace(_ENTRIES[name], meaning=f"{_ENTRIES[name].meaning.removesuffix(', mean of the block')}, {_INTERPOLATED}")
            for name in _MEANS
        ),
        replace(_ENTRIES["machine_emotion"], meaning=f"{_ENTRIES['machine_emotion'].meaning}, {_INTERPOLATED}"),
    )
}
"""Entries that differ in a table of frames."""


def describe(
    columns: Iterable[str], further: Iterable[str] = (), *, baseline_trial: str = "", is_every_frame: bool = False
) -> Iterator[ColumnEntry]:
    """Yield an entry for each column of a table; ``further`` are columns of a table of trials, others are classes.

    Relative columns are relative to ``baseline_trial`` if it is given. With ``is_every_frame``, rows are frames, not blocks.
    """
    columns = list(columns)
    entries = _ENTRIES | (_FRAMES if is_every_frame else {})
    own = (
        f"the participant's own baseline in trials called {baseline_trial!r}"
        if baseline_trial
        else "the face's own baseline"
    )
    interpolated = f", {_INTERPOLATED}" if is_every_frame else ""
    classes = set(class_columns(columns))
    trial_columns = set(further)
    for name in columns:
        if name in trial_columns:
            yield ColumnEntry(name, "", "text", "table of trials", "further column of the table of trials")
        elif name in entries:
            yield entries[name]
        elif name.startswith(RELATIVE_PREFIX):
            kind = name.removeprefix(RELATIVE_PREFIX)
            meaning = _ENTRIES[kind].meaning if kind in _ENTRIES else f"probability of {kind}"
            limits = _ENTRIES[kind].range if kind in _ENTRIES else "0 to 1"
            yield ColumnEntry(name, "", limits, _MODEL, f"{meaning}, relative to {own}; empty without one")
        elif name in classes:
            yield ColumnEntry(name, "", "0 to 1", _MODEL, f"probability of {name}{interpolated}")
        else:
            yield ColumnEntry(name, "", "any", _TABLE, "column of the table")
