from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from annotate.emotions.classifier import Classifier
from annotate.emotions.contract import CROP_SIZE_PX
from annotate.training.models import recognizer_cnn
from annotate.training.models.export import export
from annotate.training.models.frame_cnn import BlockNetwork
from annotate.training.recipe import (
    calibrate,
    evaluate,
    framing,
    leave_out,
    mixture,
    opinions,
    quantize,
    sources,
    train,
)
from annotate.training.recipe.framing import frame_faces
from annotate.training.recipe.mixture import SHARES, load_mixture
from annotate.training.recipe.sources import NAMES, load_small, load_source
from annotate.training.recipe.still_faces import CANVAS_PX
from tests.training.recipe.source_files import flat, write_sources


@pytest.fixture(scope="module")
def face(face_image: Path) -> NDArray[np.uint8]:
    """A picture cut close to a face."""
    picture = np.asarray(Image.open(face_image).convert("L"))
    x, y, side = framed_box(picture)
    return picture[max(0, y - side // 4) : y + side + side // 8, max(0, x - side // 8) : x + side + side // 8]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, face: NDArray[np.uint8]) -> Path:
    """A folder with the files of all sources, and a cache of their framed faces."""
    folder = write_sources(tmp_path_factory.mktemp("sources"), face)
    for name in NAMES:
        load_source(name, folder, cache=folder / "cache")
    return folder


@pytest.fixture(autouse=True)
def few_made_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixture, "TALKING_COUNTS", {"posed": 5, "news": 3})
    monkeypatch.setattr(mixture, "TRANSFERRED_COUNTS", {"web": 4, "small": 2})
    monkeypatch.setattr(mixture, "load_expressions", lambda *_, **__: [None])
    monkeypatch.setattr(mixture, "transfer_expressions", lambda stills, _, count, __: stills.take(np.arange(count)))


def framed_box(picture: NDArray[np.uint8]) -> tuple[int, int, int]:
    """Return where a face is in a picture, and its side, in pixels."""
    detection = framing.YuNetDetector(0.1).search(framing.Frame(0, 0, framing.Span(0, 1), picture))[0]
    return round(detection.box.x), round(detection.box.y), round(detection.box.width)


def test_surroundings_do_not_change_the_framing(face: NDArray[np.uint8]) -> None:
    wide = np.pad(face, ((30, 60), (10, 90)), "edge")
    turned = np.asarray(Image.fromarray(face).rotate(20, Image.Resampling.BICUBIC, expand=True, fillcolor=90))
    pixels, found = frame_faces([face, flat(1, 100)[0], wide, turned])
    assert found.tolist() == [True, False, True, True]
    assert pixels.shape == (3, CANVAS_PX, CANVAS_PX)
    middle = pixels[:, 24:72, 24:72].astype(float)
    assert np.abs(middle[1] - middle[0]).mean() < 6
    assert np.abs(middle[2] - middle[0]).mean() < 12


def test_small_crops_get_blurred_surroundings(data: Path) -> None:
    stills, subjects = load_small(data / "small32.npz")
    inner_px = round(CANVAS_PX / sources.SMALL_TO_CROP)
    assert stills.pixels.shape == (15, CANVAS_PX, CANVAS_PX)
    assert len(set(subjects)) == 5
    assert (stills.pixels[3] == 63).all()
    checks = np.kron(np.indices((4, 4)).sum(0) % 2 * 255, np.ones((8, 8))).astype(np.uint8)
    canvas = sources._with_surroundings(checks)
    inside = slice((CANVAS_PX - inner_px) // 2, (CANVAS_PX - inner_px) // 2 + inner_px)
    assert (canvas[inside, inside] == cv2.resize(checks, (inner_px, inner_px), interpolation=cv2.INTER_CUBIC)).all()
    assert canvas[0].std() < canvas[inside.start].std()


def test_parts_share_no_subject(data: Path) -> None:
    small = load_source("small", data)
    numbers = [set((part.pixels[:, 0, 0] - 60) // 3) for part in (small.training, small.held_back)]
    assert numbers[0].isdisjoint(numbers[1])
    assert sorted(numbers[0] | numbers[1]) == list(range(5))
    for name in NAMES:
        source = load_source(name, data, cache=data / "cache")
        assert min(len(source.training), len(source.held_back), len(source.validation)) > 0
        assert len(source.whole) == len(source.training) + len(source.held_back) == len(source.persons)
        known = set(source.persons[: len(source.training)]) & set(source.persons[len(source.training) :])
        assert not known, name


def test_only_pictures_with_a_face_and_one_class_validate(data: Path) -> None:
    posed = load_source("posed", data, cache=data / "cache")
    assert len(posed.whole) == 14
    assert (posed.whole.targets.max(1) == 0.5).sum() == 7
    assert (posed.validation.targets.max(1) == 1).all()


def test_framed_faces_are_kept(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_source("news", data, cache=data / "cache")
    monkeypatch.setattr(sources, "frame_faces", None)
    assert (load_source("news", data, cache=data / "cache").whole.pixels == before.whole.pixels).all()
    with np.load(data / "news96.npz") as archive:
        np.savez(data / "changed.npz", **{**archive, "label": archive["label"][::-1]})
    (data / "changed").mkdir()
    (data / "changed.npz").rename(data / "changed" / "news96.npz")
    with pytest.raises(TypeError):
        load_source("news", data / "changed", cache=data / "cache")


def test_a_source_left_out_is_only_reported(data: Path) -> None:
    shares = SHARES | {"scans": 0}
    loaded = load_mixture(data, shares, leave_out="ferplus", cache=data / "cache")
    assert list(loaded.training) == ["web", "posed", "small", "news", "talking", "transferred"]
    assert len(loaded.training["talking"][0]) == 8
    assert len(loaded.training["transferred"][0]) == 6
    assert sum(share for _, share in loaded.training.values()) == pytest.approx(1)
    assert loaded.training["posed"][1] / loaded.training["web"][1] == pytest.approx(SHARES["posed"] / SHARES["web"])
    assert list(loaded.validation) == ["web", "posed", "small", "news", "scans"]
    assert loaded.left_out["ferplus"].labels.tolist() == [*range(7), *range(7)]


def test_without_posed_faces_no_expression_is_transferred(data: Path) -> None:
    loaded = load_mixture(data, leave_out="posed", cache=data / "cache")
    assert "transferred" not in loaded.training
    assert loaded.training["talking"]


def test_talking_faces_have_the_targets_of_their_run(data: Path) -> None:
    counts = {"ferplus": 4}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixture, "TALKING_COUNTS", counts)
        patch.setattr(mixture, "make_talking", lambda stills, count, _: stills.take(np.arange(count)))
        shares = [load_mixture(data, label_share=share, cache=data / "cache").training["talking"][0] for share in (0.0, 0.5)]
    assert (shares[0].targets.max(1) == 1).all()
    assert shares[1].targets.max(1) == pytest.approx(0.5)


def test_all_stills_are_trained_on_if_wanted(data: Path) -> None:
    parts, everything = (load_mixture(data, use_all=use_all, cache=data / "cache") for use_all in (False, True))
    assert everything.validation == {}
    for name in NAMES:
        more = len(load_source(name, data, cache=data / "cache").held_back)
        assert len(everything.training[name][0]) == len(parts.training[name][0]) + more


def test_stills_get_the_side_that_a_network_needs(data: Path) -> None:
    made = load_mixture(data, still_px=80, cache=data / "cache").training
    assert {stills.pixels.shape[1:] for stills, _ in made.values()} == {(80, 80)}
    assert made["talking"]


def test_opinions_on_the_faces_of_a_run_are_written(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recognizer, output = tmp_path / "recognizer.onnx", tmp_path / "new" / "opinions.npz"
    recognizer.touch()
    arguments = ["--data", str(data), "--recognizer", str(recognizer), "--cache", str(data / "cache"), "-o", str(output)]
    refused = CliRunner().invoke(opinions.main, arguments)
    assert refused.exit_code == 1
    assert "recognizer.onnx" in refused.output

    few = opinions.OpinionSettings(steps=3, batch_size=16, hidden=4)
    monkeypatch.setattr(opinions, "Panel", partial(opinions.Panel, settings=few))
    monkeypatch.setattr(
        opinions, "FaceFeatures", lambda _: lambda faces: faces[:, ::16, ::16].reshape(len(faces), -1).astype(np.float16)
    )
    for options, part in ((["--leave-out", "web"], "training"), (["--all"], "whole")):
        result = CliRunner().invoke(opinions.main, [*arguments, *options])
        assert result.exit_code == 0, result.output
        said = opinions.load_opinions(output)
        assert list(said) == [name for name in NAMES if name != "web" or part == "whole"]
        assert result.output.count("held back") == (5 if part == "training" else 0)
        assert ("left out" in result.output) == (part == "training")
        for name, each in said.items():
            assert len(each) == len(getattr(load_source(name, data, cache=data / "cache"), part))
            assert each.sum(1) == pytest.approx(1, abs=1e-5)

    arguments = ["--data", str(data), "--cache", str(data / "cache"), "--opinions", str(output), "-o", str(tmp_path / "run")]
    refused = CliRunner().invoke(train.main, [*arguments, "--leave-out", "posed"])
    assert refused.exit_code == 2
    assert "posed" in refused.output
    weights = ["--opinion-weight", "0.25", "--opinion-weight-on", "web", "0.5"]
    run = CliRunner().invoke(train.main, [*arguments, *weights, "--all", "--steps", "1", "--batch-size", "20"])
    assert run.exit_code == 0, run.output
    assert (tmp_path / "run" / train.FINAL_NAME).exists()


def test_a_teacher_starts_from_the_file_of_the_recognizer(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recognizer = tmp_path / "recognizer.onnx"
    recognizer.write_bytes(b"recognizer")
    arguments = ["--data", str(data), "--cache", str(data / "cache"), "--recognizer", "whole", "-o", str(tmp_path / "run")]
    assert CliRunner().invoke(train.main, arguments).exit_code == 2
    refused = CliRunner().invoke(train.main, [*arguments, "--initial", str(recognizer)])
    assert refused.exit_code == 1
    assert str(recognizer) in refused.output

    monkeypatch.setattr(recognizer_cnn, "SHA256", hashlib.sha256(b"recognizer").hexdigest())
    runs = []

    def fake(
        mixture: mixture.Mixture, folder: Path, settings: train.TrainingSettings, initial: Path, teaching: None
    ) -> train.TrainingRun:
        runs.append((settings.recognizer, settings.input_px, initial))
        return train.TrainingRun(train.FrameNetwork(width=0.25), {})

    monkeypatch.setattr(train, "train", fake)
    result = CliRunner().invoke(train.main, [*arguments, "--initial", str(recognizer)])
    assert result.exit_code == 0, result.output
    assert runs == [("whole", CROP_SIZE_PX, recognizer)]


def test_commands_run_on_a_folder(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train without each of two sources (training itself is replaced), calibrate and evaluate."""
    runs = []

    def fake(
        mixture: mixture.Mixture, folder: Path, settings: train.TrainingSettings, initial: None, teaching: None
    ) -> train.TrainingRun:
        runs.append((folder.name, list(mixture.left_out), settings.steps, initial))
        network = train.FrameNetwork(width=0.25)
        values = {f"{name}_{metric}": 0.25 * len(runs) for name in NAMES for metric in leave_out.METRICS}
        return train.TrainingRun(network, values)

    monkeypatch.setattr(train, "train", fake)
    arguments = ["--data", str(data), "--only", "small", "--only", "posed", "-o", str(tmp_path)]
    result = CliRunner().invoke(leave_out.main, [*arguments, "--steps", "7", "--cache", str(data / "cache")])
    assert result.exit_code == 0, result.output
    assert runs == [("small", ["small"], 7, None), ("posed", ["posed"], 7, None)]
    table = [line.split() for line in (tmp_path / leave_out.TABLE_NAME).read_text().splitlines()]
    assert table[-3:] == [
        [name, *[value] * 3] for name, value in (("small", "0.250"), ("posed", "0.500"), ("mean", "0.375"))
    ]

    weights = tmp_path / "weights.pt"
    calibrate.torch.save(train.FrameNetwork(width=0.25).state_dict(), weights)
    fitted = CliRunner().invoke(calibrate.main, [str(weights), "--data", str(data), "--cache", str(data / "cache")])
    assert fitted.exit_code == 0, fitted.output
    assert all(name in fitted.output for name in (*NAMES, "--temperature", "--offsets"))

    only = ["--only", "posed", "--only", "ferplus"]
    judged = CliRunner().invoke(evaluate.main, ["--data", str(data), *only, "--whole", "--cache", str(data / "cache")])
    assert judged.exit_code == 0, judged.output
    assert "posed, all: 7 images" in judged.output
    assert judged.output.count("14 images") == 2


def test_a_model_is_quantized_by_faces_that_trained_and_compared_on_others(data: Path, tmp_path: Path) -> None:
    loaded = {name: load_source(name, data, cache=data / "cache") for name in NAMES}
    blocks = quantize.draw_blocks(list(loaded.values()))
    assert (blocks == blocks[:, :1]).all()
    assert len(blocks) == sum(min(len(source.training), quantize.FACES_PER_SOURCE) for source in loaded.values())

    single, integers = tmp_path / "single.onnx", tmp_path / "integers.onnx"
    export(BlockNetwork(train.FrameNetwork()), single)
    arguments = [str(single), "--data", str(data), "--cache", str(data / "cache"), "-o", str(integers)]
    result = CliRunner().invoke(quantize.main, arguments)
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines()[2:-1]]
    assert [row[0] for row in rows] == list(NAMES)
    models = [Classifier(path) for path in (single, integers)]
    for name, *values in rows:
        stills = loaded[name].validation
        said = [evaluate.classify_stills(model, stills.pixels) for model in models]
        right = [np.mean(each.argmax(1) == stills.labels) for each in said]
        expected = [*right, np.mean(said[0].argmax(1) == said[1].argmax(1)), np.abs(said[0] - said[1]).mean()]
        assert [float(value) for value in values] == pytest.approx(expected, abs=6e-4)
