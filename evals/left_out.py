"""What the rules say of faults whose cause they do not know, by cause, and how often each confidence was right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from evals.cases.run import CONFIDENT, Scored

_BINS = tuple(number / 10 for number in range(10))
_SIZE, _MARGIN = 300, 50


def table(scored: Sequence[Scored]) -> str:
    """Render a Markdown table: the right object with a more general cause, abstained, wrong, and confidently wrong."""
    lines = [
        "| cause that is not known | cases | right object | abstained | wrong | wrong at 0.8 or more |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    causes = sorted({one.expected.cause for one in scored})
    lines += [_row(f"`{cause}`", [one for one in scored if one.expected.cause == cause]) for cause in causes]
    return "\n".join([*lines, _row("all", scored)])


def _row(name: str, scored: Sequence[Scored]) -> str:
    abstained = sum(one.abstained for one in scored)
    placed = sum(is_placed(one) for one in scored)
    wrong = len(scored) - abstained - placed
    confident = sum(not one.abstained and not is_placed(one) and one.confidence >= CONFIDENT for one in scored)
    return f"| {name} | {len(scored)} | {placed} | {abstained} | {wrong} | {confident} |"


def is_placed(scored: Scored) -> bool:
    """True for the right object, whatever the cause."""
    return not scored.abstained and scored.said.object == scored.expected.object


def bins(scored: Iterable[Scored]) -> Mapping[float, tuple[int, int]]:
    """Count the conclusions of each confidence, by tenths: how many, and how many named the right object."""
    found: dict[float, tuple[int, int]] = {}
    for one in scored:
        if not one.abstained:
            low = max(low for low in _BINS if low <= one.confidence + 1e-9)
            count, right = found.get(low, (0, 0))
            found[low] = (count + 1, right + is_placed(one))
    return dict(sorted(found.items()))


def plot(series: Mapping[str, Sequence[Scored]]) -> str:
    """Draw a reliability plot as SVG: stated confidence against the share that was right; a dot's area is its number of cases."""
    size = _SIZE + 2 * _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size + 130} {size}" font-family="sans-serif" font-size="12">',
        f'<rect width="{size + 130}" height="{size}" fill="white"/>',
        f'<line x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}" stroke="#999" stroke-dasharray="4"/>',
        *_axes(),
    ]
    for number, (name, scored) in enumerate(series.items()):
        parts += _dots(name, bins(scored), ("#1f6feb", "#d1242f")[number], number)
    return "\n".join([*parts, "</svg>", ""])


def _axes() -> Iterator[str]:
    yield f'<path d="M{_x(0)} {_y(1)}V{_y(0)}H{_x(1)}" fill="none" stroke="black"/>'
    for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        yield f'<text x="{_x(tick)}" y="{_y(0) + 18}" text-anchor="middle">{tick:g}</text>'
        yield f'<text x="{_x(0) - 8}" y="{_y(tick) + 4}" text-anchor="end">{tick:g}</text>'
    yield f'<text x="{_x(0.5)}" y="{_y(0) + 38}" text-anchor="middle">confidence that was stated</text>'
    yield f'<text transform="translate({_x(0) - 36} {_y(0.5)}) rotate(-90)" text-anchor="middle">share with the right object</text>'


def _dots(name: str, counted: Mapping[float, tuple[int, int]], color: str, number: int) -> Iterator[str]:
    for low, (count, right) in counted.items():
        radius = 3 + min(count, 200) ** 0.5
        yield f'<circle cx="{_x(low + 0.05):.0f}" cy="{_y(right / count):.0f}" r="{radius:.1f}" fill="{color}" fill-opacity="0.6">'
        yield f"<title>{name}: {right} of {count} at {low:.1f}-{low + 0.1:.1f}</title></circle>"
    yield f'<circle cx="{_x(1) + 20}" cy="{_y(1) + 20 * number}" r="6" fill="{color}"/>'
    yield f'<text x="{_x(1) + 32}" y="{_y(1) + 4 + 20 * number}">{name}</text>'


def _x(value: float) -> float:
    return _MARGIN + value * _SIZE


def _y(value: float) -> float:
    return _MARGIN + (1 - value) * _SIZE


def count(scored: Sequence[Scored]) -> dict[str, float]:
    """Count what is compared between runs."""
    placed = [one for one in scored if is_placed(one)]
    wrong = [one for one in scored if not one.abstained and not is_placed(one)]
    confident = sum(one.confidence >= CONFIDENT for one in wrong)
    return {"cases": len(scored), "right object": len(placed), "wrong": len(wrong), "confidently wrong": confident}
