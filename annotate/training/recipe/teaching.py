"""What goes into the targets of faces besides their labels: what teachers predict, and opinions made before.

See Beyer et al., "Knowledge distillation: a good teacher is patient and consistent", CVPR 2022.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from annotate.training.models.weights import load_network
from annotate.training.recipe.augmentation import resize
from annotate.training.recipe.opinions import Opinions


@dataclass(frozen=True)
class Teaching:
    """Networks whose mean predictions are blended into the targets by ``weight`` (0..1), or by that of ``weight_on``."""

    teachers: tuple[Path, ...]
    """Weights of training runs or exported models."""
    weight: float = 0.7
    weight_on: Mapping[str, float] = field(default_factory=dict)
    """The weight on some sources, by name."""
    opinions: Opinions | None = None
    """What is blended into the targets before that."""

    def before(self, name: str, targets: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the targets (N, 7) of a source with the opinions in them, before networks teach.

        Raises:
            TrainingError: the opinions are on other faces.
        """
        return targets if self.opinions is None else self.opinions.blended(name, targets)


class Teachers:
    """The networks that teach: their mean prediction for the very faces that the network sees goes into the targets.

    A batch has ``counts`` faces of each of the ``sources``, in that order.
    """

    def __init__(self, teaching: Teaching, sources: Sequence[str], counts: Sequence[int], device: torch.device) -> None:
        self._networks = [
            load_network(path).eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            for path in teaching.teachers
        ]
        shares = [teaching.weight_on.get(source, teaching.weight) for source in sources]
        self._weights = torch.tensor(shares, device=device).repeat_interleave(torch.tensor(counts, device=device))[:, None]

    @property
    def input_px(self) -> int:
        """Side of the crops that the teacher with the largest ones computes on."""
        sides: list[int] = [network.input_px for network in self._networks]
        return max(sides)

    def __call__(self, faces: Tensor, targets: Tensor) -> Tensor:
        """Return the targets (N, 7) of faces (N, 1, h, w) with the teachers' predictions in them."""
        with torch.no_grad(), torch.autocast(faces.device.type, torch.bfloat16, enabled=faces.is_cuda):
            logits = [
                network(resize(faces, network.input_px).contiguous(memory_format=torch.channels_last))
                for network in self._networks
            ]
        predicted = torch.stack([part.float().softmax(1) for part in logits]).mean(0)
        return torch.lerp(targets, predicted, self._weights)
