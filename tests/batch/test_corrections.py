"""Corrections of a video: written, undone, taken from edited files, shown in outputs, kept and moved."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import opentimelineio as otio
import pytest
from praatio import textgrid
from pympi import Elan

import annotate
from annotate.analytics.moments import MomentQuery, moments_in, to_table
from annotate.analytics.read import ReportBatch, read_reports
from annotate.archive.corrections import read_corrections
from annotate.archive.layout import OutputOptions, outputs_of_report
from annotate.archive.scan import ArchiveItem, scan
from annotate.archive.stored_report import read_report
from annotate.batch.convert import convert_archive, scan_reports
from annotate.batch.corrections import (
    adding,
    changes_in_table,
    changes_in_tiers,
    confirmed,
    edit_corrections,
    redo,
    unchanged,
    undo,
)
from annotate.errors import OutputError, ReportError, SettingsError
from annotate.results.corrected import apply_corrections
from annotate.results.corrections import EXCLUDE, Correction, add_lines
from annotate.results.formats.registry import format_track
from annotate.results.meta import Render, hash_content, read_meta
from annotate.results.table import CORRECTION_COLUMNS
from annotate.span import Span
from annotate.storage.base import storage_for
from annotate.storage.names import TEMPORARY_SUFFIX
from tests.analytics.samples import MOVIE, block, report
from tests.results.reports import make_report
from tests.runs import check

ANN = Correction(Span(400, 1000), "fear", 1, author="Ann", time="2026-01-01T00:00:00Z")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """The table of a video of one byte: `MOVIE`."""
    path = report(tmp_path, "movie.mp4", MOVIE)
    (tmp_path / "movie.mp4").write_bytes(b".")
    os.utime(tmp_path / "movie.mp4", ns=(1, 1))
    return path


def item_of(table: Path) -> ArchiveItem:
    (item,) = scan([table.parent])
    assert isinstance(item, ArchiveItem)
    return item


def labels(table: Path, face_id: int = 1, *, is_corrected: bool = True) -> list[tuple[int, int, str]]:
    """Return what a face shows when, as its report is read."""
    blocks = read_report(table, is_corrected=is_corrected).blocks_by_face.get(face_id, [])
    return [(block.span.start_ms, block.span.end_ms, block.emotion) for block in blocks]


def read_batch(table: Path, *, is_corrected: bool = True, relative: bool = False) -> ReportBatch:
    (batch,) = read_reports([table], is_corrected=is_corrected, relative=relative)
    assert isinstance(batch, ReportBatch)
    return batch


MACHINE = [(0, 800, "anger"), (800, 1600, "happiness"), (1600, 2000, "happiness")]
CORRECTED = [
    (0, 400, "anger"),
    (400, 800, "fear"),
    (800, 1000, "fear"),
    (1000, 1600, "happiness"),
    (1600, 2000, "happiness"),
]


def test_all_that_reads_tables_has_what_was_corrected_and_the_machine_alone_on_demand(table: Path) -> None:
    before = table.read_bytes()
    edit_corrections(item_of(table), adding(lambda _: [ANN]))
    assert table.read_bytes() == before
    assert labels(table) == CORRECTED
    assert labels(table, is_corrected=False) == MACHINE
    blocks = read_batch(table).blocks
    own = blocks[blocks["face_id"] == 1]
    assert list(zip(own["start_ms"], own["end_ms"], own["emotion"], strict=True)) == CORRECTED
    assert own["source"].tolist() == ["machine", "author", "author", "machine", "machine"]
    assert own["machine_emotion"].tolist() == ["anger", "anger", "happiness", "happiness", "happiness"]
    assert read_batch(table).reports[0].reviewed == {("anger", "fear"): 400, ("happiness", "fear"): 200}
    assert not set(CORRECTION_COLUMNS) & set(read_batch(table, is_corrected=False).blocks)
    found = to_table(list(moments_in(read_batch(table), MomentQuery(["fear"]))))
    assert found[["start_time", "end_time", "source", "machine_emotion"]].to_numpy().tolist() == [
        [0.4, 1, "author", "anger"]
    ]
    assert check([table.parent]) == []


def test_the_python_interface_has_the_machine_alone_on_demand(table: Path) -> None:
    codes = table.with_name("codes.csv")
    codes.write_text("video,face,start,end,emotion\nmovie.mp4,1,0,2,happiness\n")
    target = table.with_name("all.csv")

    def found(**options: bool) -> tuple[object, ...]:
        annotate.export(table, target, **options)
        with target.open(newline="") as file:
            columns = next(csv.reader(file))
        moments = annotate.find_moments(table, **options)["emotion"].tolist()
        agreement = annotate.agree(table, codes, **options).percent_agreement
        return annotate.summarize(table, **options)["fear"].tolist(), moments, columns, agreement

    plain = found()
    edit_corrections(item_of(table), adding(lambda _: [ANN]))
    assert found(corrections=False) == plain
    assert all(one != other for one, other in zip(found(), plain, strict=True))
    outputs_of_report(table).corrections.write_bytes(add_lines(b"", [replace(ANN, face_id=9)]))
    with pytest.warns(UserWarning, match="line 2"):
        annotate.summarize(table)


def test_reports_with_and_without_corrections_are_read_together(table: Path) -> None:
    other = report(table.parent, "other.mp4", MOVIE)
    edit_corrections(item_of_name(table, "movie.mp4"), adding(lambda _: [ANN]))
    (batch,) = read_reports([other, table])
    assert isinstance(batch, ReportBatch)
    own = batch.blocks[batch.blocks["report"] == 0]
    assert set(own["source"]) == {"machine"}
    assert own["machine_emotion"].tolist() == own["emotion"].tolist()
    assert own["machine_confidence"].tolist() == own["confidence"].tolist()


def item_of_name(table: Path, name: str) -> ArchiveItem:
    return next(item for item in scan([table.parent]) if isinstance(item, ArchiveItem) and item.video.name == name)


def test_an_excluded_time_ends_a_moment(table: Path) -> None:
    edit_corrections(item_of(table), adding(lambda _: [replace(ANN, span=Span(1000, 1200), emotion=EXCLUDE)]))
    found = list(moments_in(read_batch(table), MomentQuery(["happiness"])))
    assert [moment.span for moment in found] == [Span(800, 1000), Span(1200, 2000)]


def test_formats_with_room_show_what_was_excluded(table: Path) -> None:
    """Beside the face, where it was seen: two corrections that touch, or all of its time."""
    names = ("eaf", "textgrid", "otio")
    gone = [replace(ANN, span=Span(*span), emotion=EXCLUDE) for span in ((1000, 1200), (1200, 1500))]
    for made, expected in ((gone, [(1000, 1500, "excluded")]), ([replace(gone[0], span=Span(0, 60_000))], [])):
        edit_corrections(item_of(table), adding(lambda _, made=made: made))  # type: ignore[misc]
        list(convert_archive(scan_reports([table.parent]), OutputOptions(names)))
        shown = read_report(table).excluded
        expected = expected or [(span.start_ms, span.end_ms, "excluded") for span in shown[1]]
        assert [(span.start_ms, span.end_ms, "excluded") for span in shown[1]] == expected
        eaf, grid, timeline = (outputs_of_report(table).track(name, "en") for name in names)
        tier = "face 1: excluded"
        assert sorted(Elan.Eaf(str(eaf)).get_annotation_data_for_tier(tier)) == expected
        entries = textgrid.openTextgrid(str(grid), includeEmptyIntervals=False).getTier(tier).entries
        assert [(round(1000 * one.start), round(1000 * one.end), one.label) for one in entries] == expected
        (clip,) = otio.adapters.read_from_string(timeline.read_text(), "otio_json").find_clips()
        ranges = [marker.marked_range for marker in clip.markers if marker.name == tier]
        found = [(each.start_time.to_seconds(), each.end_time_exclusive().to_seconds(), "excluded") for each in ranges]
        assert found == [(start_ms / 1000, end_ms / 1000, text) for start_ms, end_ms, text in expected]
        assert changes_in_tiers(read_report(table), eaf, "Bob") == []


def test_undo_takes_back_the_last_change_and_what_does_not_fit_is_not_written(table: Path) -> None:
    item, file = item_of(table), outputs_of_report(table).corrections
    with pytest.raises(SettingsError):
        edit_corrections(item, undo)
    edit_corrections(item, adding(lambda _: [ANN]))
    first = file.read_bytes()
    edited = edit_corrections(item, adding(lambda report: confirmed(report, replace(ANN, time="later", emotion=""))))
    assert [(each.span, each.emotion) for each in edited.corrections[1:]] == [
        (Span(400, 800), "anger"),
        (Span(800, 1000), "happiness"),
    ]
    assert len(edited.problems) == 2  # times that cannot be compared: it may be a mistake
    for wrong in (replace(ANN, face_id=7), replace(ANN, emotion="envy"), replace(ANN, span=Span(9000, 9500))):
        with pytest.raises(SettingsError):
            edit_corrections(item, adding(lambda _, wrong=wrong: [wrong]))  # type: ignore[misc]
    assert edit_corrections(item, undo).corrections == edited.corrections[:1]
    assert file.read_bytes().startswith(first)
    assert edit_corrections(item, redo).corrections == edited.corrections
    with pytest.raises(SettingsError):
        edit_corrections(item, redo)


def test_formats_and_rendered_videos_follow(table: Path) -> None:
    meta_path, item = outputs_of_report(table).meta, item_of(table)
    list(convert_archive(scan_reports([table.parent]), OutputOptions(("textgrid", "json", "srt"))))
    meta = read_meta(meta_path)
    assert meta is not None
    made = hash_content(table.read_bytes())
    renders = {"m.mp4": Render("boxes", "en", made, "x"), "n.mp4": Render("boxes", "en", made, "x", "--without-corrections")}
    meta_path.write_text(replace(meta, renders=renders).to_json())
    (table.parent / "movie.emotions.json").write_text("mine")
    edited = edit_corrections(item, adding(lambda _: [ANN]))
    assert "fear" in (table.parent / "movie.emotions.TextGrid").read_text()
    assert "fear" in (table.parent / "movie.emotions.en.srt").read_text()
    assert (table.parent / "movie.emotions.json").read_text() == "mine"
    assert len(edited.remarks) == 1
    after = read_meta(meta_path)
    assert after is not None
    assert [render.report for render in after.renders.values()] == ["", made]
    outputs_of_report(table).corrections.write_bytes(add_lines(b"", [replace(ANN, emotion="disgust")]))
    edit_corrections(item, unchanged)
    assert "disgust" in (table.parent / "movie.emotions.TextGrid").read_text()


def test_json_has_the_source_and_what_the_machine_says(table: Path) -> None:
    edit_corrections(item_of(table), adding(lambda _: [ANN]))
    list(convert_archive(scan_reports([table.parent]), OutputOptions(("json",))))
    text = (table.parent / "movie.emotions.json").read_text()
    assert '"source": "author", "machine_emotion": "anger", "machine_confidence": 0.5' in text


def test_formats_say_who_says_so_and_what_the_machine_says(table: Path) -> None:
    names = ("eaf", "textgrid", "otio", "vtt", "srt")
    list(convert_archive(scan_reports([table.parent]), OutputOptions(names)))
    plain = {name: outputs_of_report(table).track(name, "en").read_text() for name in names}
    edit_corrections(item_of(table), adding(lambda _: [ANN]))
    texts = {name: outputs_of_report(table).track(name, "en").read_text() for name in names}
    tiers = Elan.Eaf(str(outputs_of_report(table).track("eaf", "en")))
    expected = [(400, 800, "author; machine: anger"), (800, 1000, "author; machine: happiness")]
    assert tiers.get_annotation_data_for_tier("face 1: source") == expected
    assert list(tiers.get_tier_names()) == ["face 1", "face 2", "face 1: source"]
    assert all(text.count(entry) == 1 for text in (texts["eaf"], texts["textgrid"]) for _, _, entry in expected)
    (clip,) = otio.adapters.read_from_string(texts["otio"], "otio_json").find_clips()
    notes = [marker.metadata["annotate"] for marker in clip.markers]
    sources = [(note["face_id"], note.get("source")) for note in notes]
    assert (1, "author") in sources
    assert (2, None) in sources
    assert "NOTE People" in texts["vtt"]
    shown = make_report()
    corrected = apply_corrections(shown.table, [Correction(Span(0, 500), "fear", 1)])
    assert "; People" in (format_track("ass", replace(shown, columns=corrected.table), "en") or "")
    assert "machine" not in texts["srt"]
    assert not any("author" in text or "People" in text for text in plain.values())
    made = changes_in_tiers(read_report(table), outputs_of_report(table).track("eaf", "en"), "Ann")
    assert made == []


def test_an_edited_copy_of_the_table_becomes_corrections(table: Path) -> None:
    rows = table.read_text().splitlines()
    copy = table.parent / "copy.csv"
    edited = [rows[0], rows[1].replace(",anger,", ",disgust,"), rows[2], rows[3].replace(",anger,", ",envy,")]
    copy.write_text("\n".join(edited).replace(",", ";"))
    made, problems = changes_in_table(read_report(table).table, copy.read_bytes(), "Ann")
    assert [(each.face_id, each.span, each.emotion) for each in made] == [
        (1, Span(0, 800), "disgust"),
        (1, Span(1600, 2000), EXCLUDE),
    ]
    assert [problem.partition(":")[0] for problem in problems] == ["line 4"]
    with pytest.raises(ValueError, match="column"):
        changes_in_table(read_report(table).table, b"a,b\n1,2\n", "Ann")


def test_an_edited_table_is_restored_and_what_was_changed_is_kept(table: Path) -> None:
    original = table.read_bytes()
    for edited in (
        original.replace(b",anger,0.5000", b",fear,0.5000"),
        original.replace(b",anger,0.5000", b",fear,0.5").replace(b"0.800", b"0.8"),
    ):
        table.write_bytes(edited)
        with pytest.raises(ReportError, match="annotate correct"):
            read_report(table)
        done = edit_corrections(item_of(table), unchanged)
        assert table.read_bytes() == original
        assert len(done.remarks) == 1
        assert labels(table)[0] == (0, 800, "fear")
    assert len(done.corrections) == 1
    kept = sorted(path.name for path in table.parent.glob("*.bak-*"))
    assert kept == ["movie.emotions.csv.bak-1", "movie.emotions.csv.bak-2"]
    assert check([table.parent]) == []


def test_a_table_that_cannot_be_restored_is_kept_aside(table: Path) -> None:
    edited = b"".join(table.read_bytes().splitlines(keepends=True)[:-1])
    table.write_bytes(edited)
    with pytest.raises(ReportError, match="--from-table") as raised:
        edit_corrections(item_of(table), unchanged)
    assert "--force" not in str(raised.value)
    assert (table.parent / "movie.emotions.csv.bak-1").read_bytes() == edited


@pytest.mark.parametrize("name", ["textgrid", "eaf"])
def test_a_tier_that_was_edited_becomes_corrections(table: Path, name: str) -> None:
    list(convert_archive(scan_reports([table.parent]), OutputOptions((name,))))
    path = outputs_of_report(table).track(name, "en")
    text = path.read_text()
    mine = table.parent / f"mine{path.suffix}"
    mine.write_text(text.replace("anger", "disgust", 1) if name == "textgrid" else text.replace(">anger<", ">disgust<"))
    made = changes_in_tiers(read_report(table), mine, "Ann")
    assert (1, Span(0, 800), "disgust") in [(each.face_id, each.span, each.emotion) for each in made]
    assert {each.emotion for each in made} == {"disgust"}


def test_corrections_are_moved_and_kept_when_the_table_is_made_anew(table: Path) -> None:
    edit_corrections(item_of(table), adding(lambda _: [ANN]))
    for path in list(table.parent.glob("movie.*")):
        shutil.move(path, path.with_name(path.name.replace("movie", "film")))
    moved = table.with_name("film.emotions.csv")
    assert labels(moved) == CORRECTED
    assert check([table.parent]) == []
    report(table.parent, "film.mp4", [block(3, 0, 0, 2000, "sadness")])
    assert labels(moved, 3) == [(0, 400, "sadness"), (400, 1000, "fear"), (1000, 2000, "sadness")]


def test_what_does_not_fit_is_said_and_the_rest_applies(table: Path) -> None:
    file = outputs_of_report(table).corrections
    content = add_lines(b"", [replace(ANN, face_id=9), ANN]) + b"1,,5,4,fear\n1,,0,1,fe"
    file.write_bytes(content)
    assert labels(table) == CORRECTED
    problems = read_report(table).problems
    assert sorted(problem.partition(":")[0] for problem in problems) == ["line 2", "line 4", "line 5"]
    assert set(read_batch(table).reports[0].problems) == set(problems)
    (finding,) = check([table.parent])
    assert finding.path == file


def test_another_run_keeps_people_out(table: Path) -> None:
    item = item_of(table)
    with storage_for(table).lock(item.outputs.base) as lock:
        assert lock is not None
        with pytest.raises(OutputError):
            edit_corrections(item, adding(lambda _: [ANN]))


KILLED = """
import sys
from pathlib import Path
from annotate.archive.scan import scan
from annotate.batch.corrections import adding, edit_corrections
from annotate.results.corrections import Correction
from annotate.span import Span
(item,) = scan([Path(sys.argv[1])])
for number in range(1000):
    edit_corrections(item, adding(lambda _: [Correction(Span(0, 100 + number), "fear", 1, note=str(number))]))
    print(number, flush=True)
"""


def test_a_killed_program_loses_nothing_that_was_confirmed(table: Path) -> None:
    list(convert_archive(scan_reports([table.parent]), OutputOptions(("srt",))))
    with subprocess.Popen([sys.executable, "-c", KILLED, table.parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(5):
            process.stdout.readline()
        process.kill()
        confirmed_count = 5 + len(process.stdout.read().splitlines())
    notes = [correction.note for correction in read_corrections(outputs_of_report(table).corrections).corrections]
    assert notes == [str(number) for number in range(len(notes))]
    assert confirmed_count <= len(notes) <= confirmed_count + 1
    assert edit_corrections(item_of(table), undo).before == len(notes)
    assert [path for path in table.parent.iterdir() if path.name.endswith(TEMPORARY_SUFFIX)] == []
