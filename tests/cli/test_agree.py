"""`annotate agree` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from pympi import Elan

from tests.analytics.agreement.samples import film, write
from tests.cli.test_summarize import run


@pytest.fixture
def coding(tmp_path: Path) -> Path:
    """A folder ``films`` with one annotated film, and its coding by two coders; of 2.5 s the first one agrees on 1.5 s."""
    film(tmp_path / "films")
    rows = ("0,1,happy,anna", "1,2,sad,anna", "2,2.5,surprised,anna", "0,1,happy,ben", "1,2,meh,ben")
    return write(tmp_path / "films/film.csv", *rows, columns="start,end,emotion,coder")


def test_figures_tables_and_what_is_left_out(tmp_path: Path, coding: Path) -> None:
    status, output, errors = run("agree", tmp_path / "films", "--with", coding, "--map", "bored=neutral")
    assert (status, errors) == (0, "")
    rows = [line.split() for line in output.splitlines()]
    assert ["happiness", "2.0", "2.0", "1.00", "1.00", "1.00", "1.00"] in rows
    assert ["sadness", "0.0", "1.0", "0.0", "0.0"] in rows
    assert next(row for row in rows if row[:3] == ["anna", "and", "model"])[-3:] == ["60.0%", "2.5", "1"]
    assert "71.4 %" in output
    assert "meh 1.0 s" in output
    mapped = run("agree", tmp_path / "films", "--with", coding, "--map", "Meh=neutral,x=fear", "--step", ".05")[1]
    assert "77.8 %" in mapped
    assert "meh" not in mapped


def test_nothing_in_common_and_a_damaged_table(tmp_path: Path, coding: Path) -> None:
    late = write(tmp_path / "late/film.csv", "2.6,2.9,happy", "2.9,3,meh")
    status, output, _ = run("agree", tmp_path / "films", "--with", late, "-o", tmp_path / "late.json")
    assert (status, "Nothing to compare" in output, "0.3 s without a face" in output) == (0, True, True)
    assert json.loads((tmp_path / "late.json").read_text())["kappa"] is None
    (tmp_path / "films/film.emotions.csv").write_text("damaged")
    status, output, errors = run("agree", tmp_path / "films", "--with", coding)
    assert (status, "Nothing to compare" in output, "skipped" in errors) == (1, True, True)


def test_files_of_figures_and_matrix(tmp_path: Path, coding: Path) -> None:
    names = {name: tmp_path / "out" / name for name in ("a.json", "a.csv", "c.csv", "c.png", "c.svg")}
    for figures, matrix in (("a.json", "c.csv"), ("a.csv", "c.png"), ("a.json", "c.svg")):
        options = ("-q", "-o", names[figures], "--confusion", names[matrix])
        assert run("agree", tmp_path / "films", "--with", coding, *options) == (0, "", "")
    output = run("agree", tmp_path / "films", "--with", coding, "-o", names["a.json"], "--confusion", names["c.csv"])[1]
    assert [line.rsplit(": ")[0] for line in output.splitlines()[-2:]] == [str(names["a.json"]), str(names["c.csv"])]
    assert json.loads(names["a.json"].read_text())["percent_agreement"] == 71.43
    assert pd.read_csv(names["a.csv"]).loc[0, "percent_agreement"] == 71.43
    matrix = pd.read_csv(names["c.csv"], index_col="coded")
    assert matrix.loc["sadness", "neutral"] == 1.0
    assert Image.open(names["c.png"]).size[0] > 500
    assert b"<svg" in names["c.svg"].read_bytes()


def test_files_of_disagreements(tmp_path: Path, coding: Path) -> None:
    for ending in ("csv", "m3u", "eaf"):
        assert run("agree", tmp_path / "films", "--with", coding, "--disagreements", tmp_path / f"d.{ending}")[0] == 0
    (row,) = pd.read_csv(tmp_path / "d.csv").to_dict("records")
    assert (row["coder"], row["start_time"], row["end_time"], row["code"]) == ("anna", 1.0, 2.0, "sadness")
    assert "start-time=1.000" in (tmp_path / "d.m3u").read_text()
    document = Elan.Eaf(str(tmp_path / "d.eaf"))
    assert document.get_annotation_data_for_tier("anna, face 1") == [(1000, 2000, "coded sadness, model neutral")]
    assert document.media_descriptors[0]["RELATIVE_MEDIA_URL"] == "./films/film.mp4"
    agreeing = write(tmp_path / "other/film.csv", "0,1,happy")
    status, _, errors = run("agree", tmp_path / "films", "--with", agreeing, "--disagreements", tmp_path / "none.eaf")
    assert (status, (tmp_path / "none.eaf").exists()) == (0, False)
    assert "none.eaf" in errors


def test_wrong_usage_and_codings_that_cannot_be_used(tmp_path: Path, coding: Path) -> None:
    films = tmp_path / "films"
    film(films, "more.mp4")
    write(tmp_path / "folder/film.csv", "0,1,happy")
    write(tmp_path / "folder/more.csv", "0,1,happy")
    (tmp_path / "folder/bad.eaf").write_text("<")
    with_coding = ("agree", films, "--with", coding)
    for arguments, status, said in (
        (("agree", films), 2, "--with"),
        ((*with_coding, "--map", "happy"), 2, "LABEL=EMOTION"),
        ((*with_coding, "--map", "meh=hapiness"), 2, "hapiness"),
        ((*with_coding, "-o", "x.xlsx"), 2, ".xlsx"),
        ((*with_coding, "--face", "left"), 2, "--face"),
        ((*with_coding, "--tier", "x", "--with", tmp_path / "none.eaf"), 1, "none.eaf"),
        (("agree", films, "--with", write(tmp_path / "x.csv", "0,1,happy")), 1, "no table has a coding"),
        (("agree", films, "--with", tmp_path / "folder"), 1, "bad.eaf"),
        (("agree", films, "--with", tmp_path / "folder/film.csv", "--with", tmp_path / "none"), 1, "none: no such file"),
        (("agree", films, "--with", tmp_path / "folder", "--disagreements", "x.eaf"), 2, "one .eaf for 2 videos"),
    ):
        found, _, errors = run(*arguments)
        assert (found, said in errors) == (status, True), (arguments, errors)
