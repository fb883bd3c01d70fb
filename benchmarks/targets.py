"""What is promised, what was measured, and the one line that says both."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A measured value and the most that it may be; ratios have no unit."""

    name: str
    value: float
    at_most: float | Fraction
    unit: str = ""

    @property
    def is_met(self) -> bool:
        return self.value <= self.at_most

    def __str__(self) -> str:
        """Such as `met: hit 0.961 <= 1.02`."""
        mark, relation = ("met", "<=") if self.is_met else ("MISSED", ">")
        return f"{mark}: {self.name} {self.value:.4g} {relation} {self.at_most}{self.unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What one measurement says in its line: targets first, then what else is worth a look."""

    measurement: str
    targets: Sequence[Target] = ()
    besides: Sequence[str] = ()

    def __str__(self) -> str:
        return f"{self.measurement}: {'; '.join([*map(str, self.targets), *self.besides])}"


def verdict(summaries: Sequence[Summary]) -> str:
    """One line over all measurements: how many targets are met, and which are not."""
    targets = [(summary.measurement, target) for summary in summaries for target in summary.targets]
    missed = [f"{measurement}, {target.name}" for measurement, target in targets if not target.is_met]
    line = f"targets: {len(targets) - len(missed)} of {len(targets)} met"
    return f"{line}; MISSED: {'; '.join(missed)}" if missed else line
