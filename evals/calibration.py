"""From scores to confidence: fit the share of conclusions that named the right object, and measure how well it is stated.

Half of the outcomes are of rules that do not know the cause of the case (`left-out`): incidents of unforeseen kinds happen as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from evals.cases.run import CONFIDENT, Scored
from evals.left_out import is_placed
from sre_agent.reasoners.rules.calibration import Bands, calibrate

_LOWEST = (0.6, 0.7, 0.8, 0.9)  # the lowest score of each band; nothing is concluded below the first
_SURE = (0.9, 0.97)  # where every conclusion was right: never certain, and less with less proof


@dataclass(frozen=True)
class Outcome:
    """One conclusion: the cause of its case, its score, the confidence that is stated, and whether it named the right object."""

    cause: str
    score: float
    stated: float
    right: bool


def list_outcomes(scored: Sequence[Scored]) -> list[Outcome]:
    """List the outcomes of all conclusions; an abstention states no confidence."""
    return [Outcome(one.expected.cause, one.score, one.score, is_placed(one)) for one in scored if not one.abstained]


def fit(outcomes: Sequence[Outcome]) -> Bands:
    """Fit by isotonic regression over bands of scores. Where a wrong object was named, the confidence is never high."""
    blocks: list[tuple[float, int, int]] = []
    for low in _LOWEST:
        own = [one.right for one in outcomes if low <= round(one.score, 4) < low + 0.1]
        if own:
            blocks.append((low, len(own), sum(own)))
        while len(blocks) > 1 and blocks[-2][2] * blocks[-1][1] >= blocks[-1][2] * blocks[-2][1]:
            (low_before, count, right), (_, more, more_right), blocks = *blocks[-2:], blocks[:-2]
            blocks.append((low_before, count + more, right + more_right))
    bands = [(low, *(_SURE if right == count else _flat((low, count, right)))) for low, count, right in blocks]
    return ((0.0, 0.0, bands[0][1] if bands else 0.0), *bands)


def _share(block: tuple[float, int, int]) -> float:
    return (block[2] + 1) / (block[1] + 2)


def _flat(block: tuple[float, int, int]) -> tuple[float, float]:
    share = round(min(_share(block), CONFIDENT - 0.01), 2)
    return share, share


def state(outcomes: Sequence[Outcome], bands: Bands) -> list[Outcome]:
    """State the confidence of each outcome by these bands."""
    return [replace(one, stated=calibrate(one.score, bands)) for one in outcomes]


def cross_validate(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """State the confidence of each outcome by bands that were fitted without the cases of its cause."""
    causes = sorted({one.cause for one in outcomes})
    fitted = {cause: fit([one for one in outcomes if one.cause != cause]) for cause in causes}
    return [replace(one, stated=calibrate(one.score, fitted[one.cause])) for one in outcomes]


def expected_error(outcomes: Sequence[Outcome]) -> float:
    """Return the expected calibration error: by tenths, the mean distance of the stated confidence from the share that was right."""
    distances = (abs(sum(one.stated for one in own) - sum(one.right for one in own)) for own in _by_tenths(outcomes))
    return sum(distances) / max(len(outcomes), 1)


def _by_tenths(outcomes: Sequence[Outcome]) -> Iterator[list[Outcome]]:
    for tenth in range(10):
        if own := [one for one in outcomes if _tenth(one) == tenth]:
            yield own


def _tenth(one: Outcome) -> int:
    return min(int(one.stated * 10 + 1e-9), 9)


def table(outcomes: Sequence[Outcome]) -> str:
    """Render a Markdown table: for each tenth of the stated confidence how many conclusions, and how many named the right object."""
    lines = ["| stated confidence | conclusions | right object | share | mean stated |", "| --- | --- | --- | --- | --- |"]
    for own in _by_tenths(outcomes):
        right, mean = sum(one.right for one in own), sum(one.stated for one in own) / len(own)
        low = _tenth(own[0]) / 10
        lines.append(f"| {low:.1f} to {low + 0.1:.1f} | {len(own)} | {right} | {right / len(own):.2f} | {mean:.2f} |")
    wrong = max((one.stated for one in outcomes if not one.right), default=0.0)
    return "\n".join([*lines, f"ECE {expected_error(outcomes):.3f}, highest confidence of a wrong object {wrong:.2f}"])
