"""Train the frame network on stills: ``python -m annotate.training.recipe.train --data DIR -o FOLDER``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from annotate.emotions.confusion import accuracy, balanced_accuracy, confusion_matrix, recall
from annotate.emotions.contract import CROP_SIZE_PX
from annotate.emotions.labels import EMOTIONS
from annotate.errors import AnnotateError, TrainingError
from annotate.persons.descriptor import NETWORK, check_descriptor, find_file
from annotate.training.models.descriptor_cnn import load_descriptor_network
from annotate.training.models.frame_cnn import INPUT_SIZE_PX, FrameNetwork
from annotate.training.models.recognizer_cnn import FILE_NAME, load_recognizer_network, read_recognizer
from annotate.training.models.restore import restore
from annotate.training.models.weights import StillNetwork
from annotate.training.recipe.augmentation import augment, degrade, mix, resize, resize_to_crop
from annotate.training.recipe.mixture import SHARES, STILL_PX, Mixture, load_mixture, sampling_weights
from annotate.training.recipe.opinions import Opinions, load_opinions
from annotate.training.recipe.sources import LABEL_SHARE, NAMES
from annotate.training.recipe.teaching import Teachers, Teaching
from annotate.training.trainer import Batch, EpochSummary, LogRow, Trainer, TrainingPlan

FINAL_NAME = "final.pt"

_MIDDLE, _WHOLE = "middle", "whole"
"""How much of a recognizer teaches."""

_SAMPLED_BATCHES = 8
_AVERAGED_LOSSES = 100
"""Number of losses averaged in the progress bar."""

Command = Callable[..., Any]


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training run; those of the installed model stand in its card."""

    steps: int = 6_000
    """Total steps; learning rate, crop size and augmentation depend on the share of steps done."""
    batch_size: int = 128
    round_steps: int = 300
    """Steps per round, after which the network is validated and a checkpoint written."""
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.03
    balance: float = 0.95
    """0 to 1: a class is drawn in proportion to its frequency to the power of 1 - balance."""
    average_decay: float = 0.998
    """Decay of the moving average of the weights, which is the result (Polyak averaging)."""
    warmup_share: float = 0.03
    small_size_px: int = 36
    small_share: float = 0.3
    """Share of the steps, at the start, with crops of ``small_size_px``, which are faster, not ``input_px``."""
    augmentation: float = 0.5
    """Strength of low resolution, occlusion, noise and lighting; geometric transforms always have full strength."""
    mild_share: float = 0.25
    """Share of the steps, at the end, with half the augmentation."""
    mixup: float = 0.0
    """Share of the faces that are blended with another of the batch (Zhang et al., "mixup", ICLR 2018)."""
    degraded: float = 0.0
    """Share of the faces that are blurred, and half of these darkened, after teachers have seen them."""
    width: float = 1.0
    """Factor on the channels of the network, a multiple of one eighth."""
    input_px: int = INPUT_SIZE_PX
    """Side to which the network downscales crops; that of the installed model has INPUT_SIZE_PX."""
    is_descriptor: bool = False
    """Whether the network is that of `annotate.training.models.descriptor_cnn`, of fixed width, not the one that ships."""
    recognizer: str | None = None
    """If it is that of `annotate.training.models.recognizer_cnn` instead: whether up to its ``middle`` or ``whole``."""
    device: str = "cpu"
    """Where to train, as torch names it: on ``cuda``, the network computes in bfloat16."""
    seed: int = 0

    def size_px(self, progress: float) -> int:
        """Return the side of the crops in pixels at ``progress`` (0..1), the share of steps done."""
        return self.small_size_px if progress < self.small_share else self.input_px

    def strength(self, progress: float) -> float:
        """Return the strength of the augmentation at ``progress`` (0..1), the share of steps done."""
        return self.augmentation if progress < 1 - self.mild_share else self.augmentation / 2

    def plan(self) -> TrainingPlan:
        """Return the length, learning rate and averaging of the run."""
        return TrainingPlan(
            steps=self.steps,
            epoch_steps=self.round_steps,
            learning_rate=self.learning_rate,
            warmup_share=self.warmup_share,
            seed=self.seed,
            average_decay=self.average_decay,
            is_mixed_precision=torch.device(self.device).type == "cuda",
        )


def predict(network: StillNetwork, pixels: NDArray[np.uint8], batch_size: int = 256) -> NDArray[np.float32]:
    """Return logits (N, 7) float32 of stills (N, h, w) uint8, not augmented."""
    network.eval()
    device = next(network.parameters()).device
    outputs = []
    with torch.inference_mode():
        for start in range(0, len(pixels), batch_size):
            stills = torch.from_numpy(pixels[start : start + batch_size]).to(device)
            outputs.append(network(resize_to_crop(_to_faces(stills))))
    logits: NDArray[np.float32] = torch.cat(outputs).cpu().numpy()
    return logits


@dataclass(frozen=True)
class TrainingRun:
    """A finished run: the network of its best round, and that round's row of the log."""

    network: StillNetwork
    row: LogRow


def train(
    mixture: Mixture,
    folder: Path,
    settings: TrainingSettings,
    initial: Path | None = None,
    teaching: Teaching | None = None,
) -> TrainingRun:
    """Return the best round; write checkpoint, weights and log to ``folder``; resume the run there.

    The best round has the highest mean accuracy and balanced accuracy over the validation sets, or is the last one if there
    are none. Training starts from the exported model ``initial``, if given, whose width then counts; a descriptor network
    starts from dlib's weights, a recognizer network from SFace's file ``initial``.

    Raises:
        TrainingError: ``initial`` contains another network or is missing, or the checkpoint in ``folder`` cannot be read.
        ModelError: ``initial`` is not SFace's file, but should be.
        SettingsError: the package with dlib's weights is not installed.
        OutputError: ``folder`` cannot be written.
    """
    task = StillTask(mixture, settings, teaching)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        network = _new_network(settings, initial, task)
    network.to(settings.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(_parameter_groups(network, settings.weight_decay), lr=settings.learning_rate)
    trainer = Trainer(network, optimizer, task, settings.plan(), folder)
    losses: deque[float] = deque(maxlen=_AVERAGED_LOSSES)
    with tqdm(total=settings.steps, mininterval=10) as bar:

        def advance(number: int, step: int, steps: int, loss: float) -> None:
            bar.set_description(f"round {number}", refresh=False)
            losses.append(loss)
            bar.set_postfix(loss=f"{np.mean(losses):.3f}", refresh=False)
            bar.update((number - 1) * settings.round_steps + step - bar.n)

        for _ in trainer.epochs(advance):
            pass
    trainer.save(FINAL_NAME)
    return TrainingRun(trainer.load_best(), trainer.best_row)


def _new_network(settings: TrainingSettings, initial: Path | None, task: StillTask) -> StillNetwork:
    if settings.is_descriptor:
        check_descriptor()
        return load_descriptor_network(find_file(NETWORK).read_bytes(), task.sample().cpu())
    if settings.recognizer:
        if initial is None:
            raise TrainingError("a recognizer network starts from a file", f"give {FILE_NAME} as initial")
        return load_recognizer_network(initial, is_whole=settings.recognizer == _WHOLE)
    if initial is None:
        return FrameNetwork(width=settings.width, input_px=settings.input_px)
    return restore(initial, task.sample().cpu())


def _to_faces(pixels: Tensor) -> Tensor:
    """Return faces (N, 1, h, w) in 0..1 of stills (N, h, w) uint8."""
    return pixels[:, None].float() / 255


class StillTask:
    """Draw class-balanced batches from several sets, and validate on others; implements `TrainingTask`."""

    identity = ""
    """Empty, so that any checkpoint is resumed: a longer run continues a shorter one."""

    def __init__(self, mixture: Mixture, settings: TrainingSettings, teaching: Teaching | None = None) -> None:
        self._settings = settings
        self._mixture = mixture
        self._device = torch.device(settings.device)
        training = mixture.training.values()
        self._pixels = [torch.from_numpy(stills.pixels).to(self._device) for stills, _ in training]
        self._targets = [
            torch.from_numpy(stills.targets if teaching is None else teaching.before(name, stills.targets)).to(self._device)
            for name, (stills, _) in mixture.training.items()
        ]
        self._weights = [sampling_weights(stills.labels, settings.balance) for stills, _ in training]
        self._counts = [max(1, round(share * settings.batch_size)) for _, share in training]
        self._teach = None
        if teaching is not None and teaching.teachers:
            self._teach = Teachers(teaching, list(mixture.training), self._counts, self._device)

    def sample(self) -> Tensor:
        """Return crops (N, 1, h, w) like those at the end of training, for batch statistics."""
        last = range(self._settings.steps, self._settings.steps + _SAMPLED_BATCHES)
        return torch.cat([faces for faces, _ in self.batches(1, last)])

    def batches(self, epoch: int, steps: range) -> Iterator[Batch]:
        """Yield crops (B, 1, h, w) in 0..1 and target distributions (B, 7)."""
        seed = self._settings.seed * 1000 + epoch - 1
        sampler, random = np.random.default_rng(seed), torch.Generator(self._device).manual_seed(seed)
        orders = [
            sampler.choice(len(weights), count * len(steps), p=weights)
            for weights, count in zip(self._weights, self._counts, strict=True)
        ]
        for number, step in enumerate(steps):
            indexes = [
                order[number * count : (number + 1) * count] for order, count in zip(orders, self._counts, strict=True)
            ]
            pixels = torch.cat([part[index] for part, index in zip(self._pixels, indexes, strict=True)])
            targets = torch.cat([part[index] for part, index in zip(self._targets, indexes, strict=True)])
            progress = step / self._settings.steps
            size_px = self._settings.size_px(progress)
            seen_px = size_px if self._teach is None else max(size_px, self._teach.input_px)
            faces = augment(_to_faces(pixels), random, self._settings.strength(progress), seen_px)
            faces, targets = mix(faces, targets, sampler, self._settings.mixup)
            if self._teach is not None:
                targets = self._teach(faces, targets)
            faces = degrade(faces, random, self._settings.degraded)
            yield resize(faces, size_px).contiguous(memory_format=torch.channels_last), targets

    def validate(self, network: StillNetwork, summary: EpochSummary) -> LogRow:
        row: LogRow = {"round": summary.number, "steps": summary.steps, "loss": summary.loss}
        for name, stills in (self._mixture.validation | self._mixture.left_out).items():
            predicted = predict(network, stills.pixels).argmax(1).astype(np.int64)
            confusion = confusion_matrix(predicted, stills.labels, len(EMOTIONS))
            row[f"{name}_accuracy"] = float(accuracy(confusion))
            row[f"{name}_balanced"] = float(balanced_accuracy(confusion))
            row[f"{name}_worst"] = float(np.nanmin(recall(confusion)))
        return row

    def score(self, row: LogRow) -> tuple[float, ...]:
        names = self._mixture.validation
        if not names:
            return (row["round"],)
        return (float(np.mean([row[f"{name}_{metric}"] for name in names for metric in ("accuracy", "balanced")])),)


def _parameter_groups(network: StillNetwork, weight_decay: float) -> list[dict[str, object]]:
    parameters = list(network.parameters())
    return [
        {"params": [part for part in parameters if part.ndim > 1], "weight_decay": weight_decay},
        {"params": [part for part in parameters if part.ndim <= 1], "weight_decay": 0.0},
    ]


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


_BY_SOURCE: Any = {"type": (click.Choice(tuple(SHARES)), click.FloatRange(0)), "metavar": "NAME X", "multiple": True}


def _setting(name: str, text: str) -> Callable[[Command], Command]:
    """Return the option of a field of `TrainingSettings`."""
    default = getattr(TrainingSettings, name.removeprefix("--").replace("-", "_"))
    return click.option(name, type=type(default), default=default, show_default=True, help=text)


@click.command()
@click.option("--data", type=_FOLDER, required=True, help="Folder of the sources' files.")
@click.option(
    "--share",
    "shares",
    **_BY_SOURCE,
    help="Relative share of a source in a batch.  "
    f"[default: {', '.join(f'{name} {share}' for name, share in SHARES.items())}]",
)
@click.option("--leave-out", type=click.Choice(NAMES), help="Source not to train on; all of it is reported.")
@click.option("--all", "use_all", is_flag=True, help="Train on the validation parts too, and keep the last round.")
@click.option(
    "--label-share", type=float, default=LABEL_SHARE, show_default=True, help="Weight of FER2013 labels beside FER+ votes."
)
@click.option("--teacher", "teachers", type=_FILE, multiple=True, help="Trained weights or model that teaches.")
@click.option("--teacher-weight", type=float, default=Teaching.weight, show_default=True, help="Weight of the teachers.")
@click.option("--teacher-weight-on", "weight_on", **_BY_SOURCE, help="The same on one source.")
@click.option("--opinions", "opinions", type=_FILE, help="What annotate.training.recipe.opinions wrote.")
@click.option("--opinion-weight", type=float, default=Opinions.weight, show_default=True, help="Weight of the opinions.")
@click.option("--opinion-weight-on", **_BY_SOURCE, help="The same on one source.")
@click.option("--initial", type=_FILE, help="Exported model to start from.")
@click.option("--descriptor", "is_descriptor", is_flag=True, help="Train a teacher that starts from dlib's face descriptor.")
@click.option(
    "--recognizer",
    type=click.Choice((_MIDDLE, _WHOLE)),
    help=f"Train a teacher that starts from SFace, up to its middle or all of it; --initial is {FILE_NAME}.",
)
@click.option("--cache", type=_FOLDER, help="Folder to keep framed faces in.  [default: that of the run]")
@_setting("--steps", "Number of batches.")
@_setting("--round-steps", "Batches between validations.")
@_setting("--learning-rate", "Peak rate.")
@_setting("--balance", "Class balancing, 0 to 1.")
@_setting("--augmentation", "Strength, 0 to 1.")
@_setting("--small-share", "Share of steps with small crops.")
@_setting("--mixup", "Share of faces blended with another.")
@_setting("--degraded", "Share of faces that are blurred or darkened after teachers have seen them.")
@_setting("--batch-size", "Faces in a batch.")
@_setting("--weight-decay", "Decay of the weights.")
@_setting("--width", "Factor on the channels of the network.")
@_setting("--input-px", "Side of the crops that the network computes on.")
@_setting("--device", "Where to train, as torch names it.")
@_setting("--seed", "Seed of the run.")
@click.option("-o", "--output", "folder", type=_FOLDER, required=True, help="Folder of the run.")
def main(
    data: Path,
    shares: tuple[tuple[str, float], ...],
    leave_out: str | None,
    use_all: bool,
    label_share: float,
    teachers: tuple[Path, ...],
    teacher_weight: float,
    weight_on: tuple[tuple[str, float], ...],
    opinions: Path | None,
    opinion_weight: float,
    opinion_weight_on: tuple[tuple[str, float], ...],
    initial: Path | None,
    cache: Path | None,
    folder: Path,
    **settings: Any,
) -> LogRow:
    """Train the network of the installed model; export it with ``python -m annotate.training.models.export``."""
    if settings["is_descriptor"] and initial is not None:
        raise click.UsageError("--descriptor starts from the weights of dlib, not from --initial.")
    if settings["recognizer"]:
        if initial is None:
            raise click.UsageError(f"--recognizer needs --initial, the file {FILE_NAME}.")
        try:
            read_recognizer(initial)
        except AnnotateError as error:
            raise click.ClickException(str(error)) from error
    if settings["is_descriptor"] or settings["recognizer"]:
        settings["input_px"] = CROP_SIZE_PX
    mixture = load_mixture(
        data,
        SHARES | dict(shares),
        leave_out=leave_out,
        use_all=use_all,
        label_share=label_share,
        still_px=round(settings["input_px"] * STILL_PX / INPUT_SIZE_PX),
        cache=cache or folder,
    )
    for name, (stills, share) in mixture.training.items():
        click.echo(f"{len(stills)} {name} stills for training, {share:.0%} of a batch")
    for name, stills in (mixture.validation | mixture.left_out).items():
        click.echo(f"{len(stills)} {name} stills {'left out' if name == leave_out else 'for validation'}")
    heard = None if opinions is None else Opinions(load_opinions(opinions), opinion_weight, dict(opinion_weight_on))
    if heard is not None and leave_out in heard.said:
        raise click.UsageError(f"The opinions were learned from {leave_out}, which is to be left out.")
    teaching = Teaching(teachers, teacher_weight, dict(weight_on), heard)
    return train(mixture, folder, TrainingSettings(**settings), initial, teaching).row


if __name__ == "__main__":
    main()
