"""The pictures of docs/benchmarks.md, as SVG; the same figures make the same files."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import matplotlib as mpl
from matplotlib.axis import Axis
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import LogLocator, NullFormatter

from tests.bench.book import Book, own_cpu_ms
from tests.bench.parts import CRM_MS, KNOWN_SHARE
from tests.bench.peers import PEERS

COLOURS = {
    "crmroute": "#0b6e4f",
    "curl": "#4c72b0",
    "fastagi": "#dd8452",
    "agi": "#c44e52",
    "ari": "#8172b3",
    "direct": "#8c8c8c",
}
STYLE = {
    "svg.hashsalt": "crmroute",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
}
Draw = Callable[[Book, Canvas], bool]
"""False: there is nothing to show."""


def draw_all(book: Book, folder: Path) -> dict[str, str]:
    """The files that were made, by the name of the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for name, (draw, height) in _PICTURES.items():
        with mpl.rc_context(cast("Any", STYLE)):
            canvas = Canvas(figsize=(8, height), layout="constrained")
            if draw(book, canvas):
                path = folder / f"{name}.svg"
                canvas.savefig(path, metadata={"Date": None})
                # Trailing spaces of the writer's; a diff shall show figures alone.
                path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")
                made[name] = path.name
    return made


def _peers(book: Book, what: str, **where: object) -> list[str]:
    """The best is at the top of a picture with bars."""
    measured = book.different("peer", what, **where)
    return [peer for peer in reversed(list(PEERS)) if peer in measured]


def _delays(book: Book, canvas: Canvas) -> bool:
    rates = book.different("rate", "calls", known=0.0, crm_ms=CRM_MS)
    if not rates:
        return False
    where: dict[str, object] = {"known": 0.0, "crm_ms": CRM_MS, "rate": rates[0]}
    axes = canvas.add_subplot()
    peers = _peers(book, "calls", **where)
    for at, peer in enumerate(peers):
        cuts = [book.median(f"added_ms/{cut}", "calls", peer=peer, **where) for cut in ("p50", "p95", "p99")]
        if None in cuts:
            continue
        p50, p95, p99 = (cut or 0.0 for cut in cuts)
        colour = COLOURS[peer]
        axes.plot([p50, p99], [at, at], color=colour, linewidth=2, alpha=0.5)
        for value, size in ((p50, 9), (p95, 6), (p99, 6)):
            axes.plot(value, at, "o", color=colour, markersize=size)
        axes.annotate(f"{p50:.1f}", (p50, at), (0, 8), textcoords="offset points", ha="center", fontsize=9)
    axes.set_yticks(range(len(peers)), [PEERS[peer].title for peer in peers])
    axes.set_ylim(-0.6, len(peers) - 0.3)
    axes.set_xscale("log")
    _plain_log(axes.xaxis)
    axes.set_xlabel(f"added delay in ms (p50, p95, p99) at {rates[0]} calls/s, new callers, CRM {CRM_MS} ms")
    return True


def _cpu(book: Book, canvas: Canvas) -> bool:
    rates = book.different("rate", "calls", known=0.0, crm_ms=CRM_MS)
    if not rates:
        return False
    where: dict[str, object] = {"known": 0.0, "crm_ms": CRM_MS, "rate": rates[0]}
    axes = canvas.add_subplot()
    peers = _peers(book, "calls", **where)
    for at, peer in enumerate(peers):
        results = book.results("calls", peer=peer, **where)
        asterisk = _mean(results, lambda one: float(one["cpu_ms"]["asterisk"]))
        own = _mean(results, own_cpu_ms)
        axes.barh(at, asterisk, color=COLOURS[peer])
        axes.barh(at, own, left=asterisk, color=COLOURS[peer], alpha=0.45)
        axes.annotate(f" {asterisk:.1f} + {own:.1f}", (asterisk + own, at), va="center", fontsize=9)
    axes.set_yticks(range(len(peers)), [PEERS[peer].title for peer in peers])
    axes.margins(x=0.12)
    axes.set_xlabel(f"CPU in ms per call at {rates[0]} calls/s: Asterisk (dark) + its own programs (light)")
    return True


def _mean(results: Sequence[Mapping[str, Any]], of: Callable[[Mapping[str, Any]], float]) -> float:
    return sum(map(of, results)) / len(results)


def _highest(book: Book, canvas: Canvas) -> bool:
    peers = _peers(book, "highest", known=0.0)
    if not peers:
        return False
    axes = canvas.add_subplot()
    bars = [(peer, 0.0) for peer in peers]
    if book.results("highest", peer="crmroute", known=KNOWN_SHARE):
        bars.append(("crmroute", KNOWN_SHARE))
    for at, (peer, known) in enumerate(bars):
        rate = book.median("highest", "highest", peer=peer, known=known) or 0.0
        axes.barh(at, rate, color=COLOURS[peer], hatch="//" if known else "", edgecolor="white")
        axes.annotate(f" {rate:.0f}", (rate, at), va="center", fontsize=9)
    names = [PEERS[peer].title + (f", {known:.0%} known" if known else "") for peer, known in bars]
    axes.set_yticks(range(len(bars)), names)
    axes.margins(x=0.1)
    axes.set_xlabel("highest rate in calls/s: none lost, p99 under the CRM's time + 50 ms")
    return True


def _load(book: Book, canvas: Canvas) -> bool:
    """The added p99 over the rate, as the searches met it."""
    axes = canvas.add_subplot()
    axes.grid(axis="y")
    for peer in reversed(_peers(book, "tried", known=0.0)):
        found = {
            rate: book.median("added_ms/p99", "tried", peer=peer, known=0.0, rate=rate)
            for rate in sorted(book.different("rate", "tried", peer=peer, known=0.0))
        }
        told = [(rate, max(p99, 0.5)) for rate, p99 in found.items() if p99 is not None]
        if told:
            xs, ys = zip(*told, strict=True)
            axes.plot(xs, ys, "o-", color=COLOURS[peer], label=PEERS[peer].title, markersize=4)
    if not axes.lines:
        return False
    axes.axhline(50, color="#444444", linewidth=1, linestyle="--")
    axes.set_yscale("log")
    _plain_log(axes.yaxis)
    axes.set_xlabel(f"calls/s, new callers, CRM {CRM_MS} ms")
    axes.set_ylabel("added p99 in ms")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return True


def _plain_log(axis: Axis) -> None:
    """1, 2, 5, 10 … written out."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def _workers(book: Book, canvas: Canvas) -> bool:
    numbers = sorted(book.different("workers", "workers"))
    if len(numbers) < 2:
        return False
    axes = canvas.add_subplot()
    axes.grid(axis="y")
    reached = [book.median("per_second", "workers", workers=number) or 0.0 for number in numbers]
    linear = [reached[0] * number / numbers[0] for number in numbers]
    axes.plot(numbers, linear, "--", color="#8c8c8c", label="linear")
    axes.plot(numbers, reached, "o-", color=COLOURS["crmroute"], label="measured")
    axes.set_xticks(numbers)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("workers of 50 slots, CRM 1 s")
    axes.set_ylabel("look-ups/s")
    axes.legend(frameon=False)
    return True


_PICTURES: dict[str, tuple[Draw, float]] = {
    "delays": (_delays, 3.2),
    "cpu": (_cpu, 3.0),
    "highest": (_highest, 3.0),
    "load": (_load, 4.0),
    "workers": (_workers, 3.4),
}
