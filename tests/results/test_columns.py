"""Tables without pandas."""

from __future__ import annotations

import numpy as np

from annotate.results.columns import Columns
from annotate.results.persons import persons_in
from annotate.results.table import format_table, to_columns, to_table
from tests.results.reports import make_report
from tests.results.test_table import ANNOTATION, HEADER, ROW

CLASSES = ANNOTATION.class_names


def test_columns_and_frame_have_the_same_values() -> None:
    columns = Columns({"face_id": np.array([1, 2]), "emotion": np.array(["fear", 'a "calm", one'], object)})
    assert (columns.columns, len(columns), len(Columns({}))) == (("face_id", "emotion"), 2, 0)
    assert columns["emotion"].tolist() == columns.frame["emotion"].tolist() == ["fear", 'a "calm", one']
    assert columns.frame is columns.frame
    assert columns.frame["face_id"].dtype == np.int64


def test_tables_are_formatted_alike() -> None:
    columns = to_columns([ANNOTATION], CLASSES)
    assert format_table(columns) == format_table(to_table([ANNOTATION], CLASSES)) == HEADER + ROW
    assert format_table(to_columns([], CLASSES)) == HEADER
    assert to_columns([], CLASSES).frame.dtypes.tolist() == columns.frame.dtypes.tolist()


def test_labels_with_commas_are_quoted() -> None:
    columns = to_columns([ANNOTATION], CLASSES)
    changed = columns.assign(emotion=np.array(['joy, "pure"'], object))
    assert ',"joy, ""pure""",' in format_table(changed)
    assert format_table(changed) == format_table(changed.frame)


def test_reports_of_columns_and_of_frames_are_alike() -> None:
    read = make_report()
    columns = Columns({name: read.table[name].to_numpy() for name in read.table.columns})
    new = type(read)(columns, read.meta, read.boxes, read.video)
    assert new.blocks == read.blocks
    assert new.table.equals(read.table)
    assert persons_in(columns) == {}
