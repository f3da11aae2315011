"""What was measured, as tables: rows for the console and for docs/benchmarks.md alike."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from tests.bench.book import Book, Figure, own_cpu_ms
from tests.bench.files import Measurement
from tests.bench.parts import KNOWN_SHARE
from tests.bench.peers import PEERS
from tests.bench.targets import verdicts

NOTHING = "–"


@dataclass(frozen=True)
class Rows:
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def tables(measurements: Sequence[Measurement]) -> list[Table]:
    """For the console, the targets last."""
    book = Book(measurements)
    return [_console(rows) for rows in all_rows(book)] + [_targets(book)]


def all_rows(book: Book) -> list[Rows]:
    made = [*_delays(book), *_known(book), *_beside(book), *_rates(book), *_ceilings(book), *_broken(book)]
    return [rows for rows in made if rows.rows]


def summary(result: Mapping[str, Any]) -> str:
    """One result in a few words, for whoever watches."""
    match result["what"]:
        case "calls" | "beside":
            p50 = result["added_ms"].get("p50", NOTHING)
            return f"added p50 {p50} ms, {result['arrived']} of {result['calls']} arrived"
        case "highest":
            return f"{result['highest']}/s" + (" or more" if result["is_open"] else "")
        case "router" | "worker":
            return f"{result['per_core']}/s per core"
        case "held":
            return f"{result['kb_per_call']} KB each, worst stall {result['worst_stall_ms']:.0f} ms"
        case "workers":
            return f"{result['per_second']}/s"
        case "broken":
            return str(result["failed"])
    return ""


def _delays(book: Book) -> Iterator[Rows]:
    head = ("", "p50", "p95", "p99", "arrived", "CPU ms a call: Asterisk", "its own programs", "of which")
    for rate in book.different("rate", "calls", known=0.0):
        for crm_ms in sorted(book.different("crm_ms", "calls", known=0.0, rate=rate)):
            where = {"rate": rate, "crm_ms": crm_ms, "known": 0.0}
            peers = book.different("peer", "calls", **where)
            rows = [_delay_row(book, peer, where) for peer in peers]
            yield Rows(f"Added delay in ms, new callers, {rate} calls/s, CRM {crm_ms} ms", head, rows)


def _delay_row(book: Book, peer: str, where: Mapping[str, Any]) -> list[str]:
    results = book.results("calls", peer=peer, **where)
    paths = [f"added_ms/{cut}" for cut in ("p50", "p95", "p99")]
    cuts = [_shown(book.figure(path, "calls", peer=peer, **where)) for path in paths]
    asterisk = _shown(book.figure("cpu_ms/asterisk", "calls", peer=peer, **where), 2)
    own = Figure(tuple(own_cpu_ms(result) for result in results)).shown(2)
    return [_title(peer), *cuts, _arrived(results), asterisk, own, _programs(results)]


def _programs(results: Sequence[Mapping[str, Any]]) -> str:
    """crmroute's programs one by one; the others have one."""
    names = [name for name in ("router", "worker", "redis") if name in results[0]["cpu_ms"]]
    told = [f"{name} {Figure(tuple(one['cpu_ms'][name] for one in results)).median:.2f}" for name in names]
    return ", ".join(told)


def _arrived(results: Sequence[Mapping[str, Any]]) -> str:
    calls, arrived = (sum(one[name] for one in results) for name in ("calls", "arrived"))
    return "all" if calls == arrived else f"{100 * arrived / calls:.1f} %"


def _known(book: Book) -> Iterator[Rows]:
    head = ("", "known p50", "p95", "p99", "all p50", "p95", "p99", "arrived", "CPU ms a call", "of which")
    for rate in book.different("rate", "calls", known=KNOWN_SHARE):
        where = {"rate": rate, "known": KNOWN_SHARE}
        rows = []
        for peer in book.different("peer", "calls", **where):
            results = book.results("calls", peer=peer, **where)
            figures = [
                _shown(book.figure(f"{whose}total_ms/{cut}", "calls", peer=peer, **where))
                for whose in ("known_callers/", "")
                for cut in ("p50", "p95", "p99")
            ]
            cpu = Figure(tuple(one["cpu_ms"]["asterisk"] + own_cpu_ms(one) for one in results)).shown(2)
            rows.append([_title(peer), *figures, _arrived(results), cpu, _programs(results)])
        title = (
            f"Whole delay in ms, CRM's 100 ms included, {KNOWN_SHARE:.0%} of callers known, {rate} calls/s"
        )
        yield Rows(title, head, rows, "Who remembers nobody asks the CRM for known callers, too.")


def _beside(book: Book) -> Iterator[Rows]:
    head = ("", "alone p50", "p99", "beside it p50", "p99", "arrived")
    for rate in book.different("rate", "beside"):
        rows = []
        for peer in book.different("peer", "beside", rate=rate):
            runs = book.results("beside", peer=peer, rate=rate)
            alone = [one for one in runs if not one["slow_rate"]]
            beside = [one for one in runs if one["slow_rate"]]
            cuts = [_over(group, cut) for group in (alone, beside) for cut in ("p50", "p99")]
            rows.append([_title(peer), *cuts, _arrived(beside or alone)])
        yield Rows(f"Added delay in ms of {rate} calls/s while another tenant's CRM takes 5 s", head, rows)


def _over(results: Sequence[Mapping[str, Any]], cut: str) -> str:
    values = tuple(one["added_ms"][cut] for one in results if cut in one["added_ms"])
    return Figure(values).shown() if values else NOTHING


def _rates(book: Book) -> Iterator[Rows]:
    head = ("", "new callers", f"{KNOWN_SHARE:.0%} known", "what ended it")
    rows = []
    for peer in book.different("peer", "highest"):
        cells = [_highest(book, peer, known) for known in (0.0, KNOWN_SHARE)]
        rows.append([_title(peer), *cells, _ended(book, peer)])
    note = "Calls a second; no call lost or at another place, and p99 under the CRM's 100 ms + 50 ms."
    yield Rows("Highest rate", head, rows, note)


def _highest(book: Book, peer: str, known: float) -> str:
    figure = book.figure("highest", "highest", peer=peer, known=known)
    is_open = any(one["is_open"] for one in book.results("highest", peer=peer, known=known))
    if figure is None:
        return NOTHING if PEERS[peer].remembers or not known else "the same"
    return figure.shown(0) + (" or more" if is_open else "")


def _ended(book: Book, peer: str) -> str:
    """Of the lowest rate that failed."""
    failed = [one for one in book.results("tried", peer=peer, known=0.0) if one["fails_by"]]
    lowest = min(failed, key=lambda one: int(one["rate"]), default=None)
    return f"{lowest['rate']}/s: {lowest['fails_by']}" if lowest else NOTHING


def _ceilings(book: Book) -> Iterator[Rows]:
    rows = [
        [f"one router, {callers} callers", figure.shown(0, " calls/s per core")]
        for callers in ("known", "new")
        if (figure := book.figure("per_core", "router", callers=callers)) is not None
    ]
    if (figure := book.figure("per_core", "worker")) is not None:
        rows.append(["one worker", figure.shown(0, " look-ups/s per core")])
    for calls in book.different("calls", "held"):
        each = _shown(book.figure("kb_per_call", "held", calls=calls), 1, " KB")
        stall = _shown(book.figure("worst_stall_ms", "held", calls=calls), 0, " ms")
        told = f"{each} each in the router, longest stall of its event loop {stall}"
        rows.append([f"{calls:,} calls held", told])
    for number in sorted(book.different("workers", "workers")):
        figure = book.figure("per_second", "workers", workers=number)
        workers = "1 worker" if number == 1 else f"{number} workers"
        rows.append([f"{workers} of 50 slots, CRM 1 s", _shown(figure, 1, " look-ups/s")])
    yield Rows("Without Asterisk, on a scripted AMI server", ("", "reached"), rows)


def _broken(book: Book) -> Iterator[Rows]:
    rows = [[str(one["step"]), str(one["failed"])] for one in book.results("broken")]
    yield Rows("Could not be measured", ("", "why"), rows)


def target_rows(book: Book) -> Rows:
    rows = [[one.what, one.target, one.reached, one.word] for one in verdicts(book)]
    return Rows("Targets", ("what", "target", "reached", "verdict"), rows)


def _shown(figure: Figure | None, decimals: int = 1, unit: str = "") -> str:
    return NOTHING if figure is None else figure.shown(decimals, unit)


def _title(peer: str) -> str:
    return PEERS[peer].title if peer in PEERS else peer


def _console(rows: Rows) -> Table:
    table = Table(title=rows.title, title_justify="left", caption=rows.note or None, caption_justify="left")
    for number, name in enumerate(rows.head):
        is_text = number == 0 or name in ("of which", "what ended it", "why", "reached", "target", "verdict")
        table.add_column(name, justify="left" if is_text else "right")
    for row in rows.rows:
        is_ours = row[0] == PEERS["crmroute"].title
        table.add_row(*row, style="bold" if is_ours else "")
    return table


_COLOURS = {"reached": "green", "missed": "red", "not measured": "dim"}


def _targets(book: Book) -> Table:
    rows = target_rows(book)
    table = Table(title=rows.title, title_justify="left")
    for name in rows.head:
        table.add_column(name)
    for row in rows.rows:
        table.add_row(*row[:-1], Text(row[-1], style=_COLOURS[row[-1]]))
    return table
