"""Options of a comparison with codings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from annotate.analytics.agreement.codings import TierChoice
from annotate.analytics.agreement.sampling import check_step
from annotate.emotions.labels import resolve_emotion
from annotate.errors import SettingsError
from annotate.settings import FACE_RULES


@dataclass(frozen=True)
class AgreementOptions:
    """How codings are compared.

    Attributes:
        step_s: time between samples in seconds.
        face_rule: one of `FACE_RULES`.
        labels: labels of the coders, in any case -> emotions; others are names or synonyms of emotions.
        tiers: names or shell patterns of the tiers that are codings.
        seed: seed of the bootstrap.

    Raises:
        SettingsError: a value is out of range.
    """

    step_s: float = 0.1
    face_rule: str = FACE_RULES[0]
    labels: Mapping[str, str] = field(default_factory=dict)
    tiers: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.face_rule not in FACE_RULES:
            raise SettingsError(f"unknown face {self.face_rule!r}", f"choose from {', '.join(FACE_RULES)}")
        check_step(self.step_s)

    @property
    def tier_choice(self) -> TierChoice:
        """Which tiers are codings."""
        known = self._map.keys()
        return TierChoice(self.tiers, lambda label: label.casefold() in known or resolve_emotion(label) is not None)

    def resolve(self, label: str, class_names: Sequence[str]) -> str | None:
        """Return the class that a coder's label stands for, None if there is none."""
        return resolve_emotion(self._map.get(label.strip().casefold(), label), class_names)

    @cached_property
    def _map(self) -> dict[str, str]:
        return {label.strip().casefold(): emotion for label, emotion in self.labels.items()}
