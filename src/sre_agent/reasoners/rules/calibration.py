"""The confidence that a score means: how often conclusions with such a score named the right object.

Fitted on 2026-11-30 by `python -m evals calibrate FOLDER` over 227 labelled cases, each asked about twice: by all rules, and by rules that
do not know its cause, because unforeseen kinds of faults happen as well. docs/concepts/diagnosis.md has the figures. Ranking and
conclusions go by the score.
"""

from __future__ import annotations

from itertools import pairwise

# The lowest score of each band, and the confidence at its lowest and at its highest score.
type Bands = tuple[tuple[float, float, float], ...]

BANDS: Bands = ((0.0, 0.0, 0.29), (0.6, 0.29, 0.29), (0.7, 0.79, 0.79), (0.8, 0.9, 0.97))
HIGHEST = 0.97  # the highest score


def calibrate(score: float, bands: Bands = BANDS) -> float:
    """Return the confidence for a score."""
    rounded = round(score, 4)
    for (low, least, most), (end, *_) in pairwise((*bands, (HIGHEST, 0.0, 0.0))):
        if rounded < end or end == HIGHEST:
            return least + (most - least) * min(1.0, max(0.0, rounded - low) / (end - low))
    return 0.0
