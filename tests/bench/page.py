"""docs/benchmarks.md and its pictures, made of the JSON files: no figure in it was written by hand."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from deploy.rig.asterisk import PROJECT
from tests.bench.book import Book
from tests.bench.changes import change_rows
from tests.bench.files import Measurement
from tests.bench.plots import draw_all
from tests.bench.tables import Rows, all_rows, target_rows

PAGE = PROJECT / "docs" / "benchmarks.md"
PICTURES = PROJECT / "docs" / "benchmarks"

_HEAD = """
# Benchmarks

What crmroute costs a caller and a machine, beside what one would pick instead. `make bench` measures all of
it side by side in one run: the same machine, the same real Asterisk, the same callers (SIPp), the same CRM.
This page is made from the JSON files of such runs by `python -m tests.bench --page-from FILE…`; no figure in
it is written by hand.
"""

_HOW = """
## How it is measured

- **Two cores carry everything**: Asterisk, SIPp, Redis, router, worker or the peer's program, and the CRM.
  Asterisk is started anew before each run, for it ages: after 60,000 calls each costs it twice as much.
- **Added delay** is what a caller waits beyond the CRM's own time: from the trunk's context, where the call
  comes in, to the destination, at the same two places of the dialplan for all, by Asterisk's own clock. What
  crmroute's holding context does before a router hears of the call is in it.
- **Arrived** are the calls that reached the destination their caller's record asks for. A call at the default
  did not.
- **CPU per call** is user and system time of the processes, from /proc. The CRM's and SIPp's are nobody's.
- **The highest rate** is searched: no call lost or at another place, and p99 under the CRM's time + 50 ms. A
  rate has failed when it failed twice.
- **Known callers** were asked about before. Of all that are measured, crmroute alone remembers them.

The peers are in `tests/bench/peers`, each as good as an expert would write it for that way:

| peer | what it is |
| --- | --- |
| dialplan CURL() | a request, and a `GotoIf` for each value: what FreePBX's Dynamic Routes generates |
| FastAGI | panoramisk's `fast_agi` on uvloop, one httpx client for all calls |
| AGI script per call | Perl with next to no modules, which starts in milliseconds |
| ARI Stasis | a websocket, aiohttp on uvloop, of all events StasisStart alone |
| no CRM asked | the caller's number decides: what a call costs anyway, with this harness |

None of the peers caches, shares one question among callers, limits what a CRM is asked, keeps a tenant's
calls from another's, or tells why a call went where; the rest of crmroute's cost is for that.
"""

_PICTURE_OF = {
    "delays": "Added delay of crmroute and its peers",
    "cpu": "CPU per call",
    "highest": "Highest rate",
    "load": "Added p99 over the rate",
    "workers": "Look-ups a second over the number of workers",
}


def write_page(measurements: Sequence[Measurement]) -> Path:
    PAGE.write_text(page(measurements, draw_all(Book(measurements), PICTURES)))
    return PAGE.relative_to(PROJECT)


def page(measurements: Sequence[Measurement], pictures: dict[str, str]) -> str:
    """`pictures`: their files' names, in docs/benchmarks."""
    book = Book(measurements)
    parts = [_HEAD.strip(), _where(measurements), "## Targets", _table(target_rows(book))]
    parts += [f"![{_PICTURE_OF[name]}](benchmarks/{file})" for name, file in pictures.items()]
    for rows in all_rows(book):
        parts += [f"## {rows.title}", _table(rows), *([rows.note] if rows.note else [])]
    parts += [*_changes(), _HOW.strip()]
    return "\n\n".join(parts) + "\n"


def _where(measurements: Sequence[Measurement]) -> str:
    lines = []
    for one in measurements:
        machine = one.machine
        packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
        lines.append(
            f"- {one.made_at[:16].replace('T', ' ')} UTC, crmroute {machine['commit']};"
            f" {machine['processor']},"
            f" {machine['cores']} cores, {machine['memory_gb']} GB, Linux {machine['kernel']},"
            f" Asterisk {machine['asterisk']}, Python {machine['python']}; {packages}."
        )
    several = "The median of these runs, with the lowest and the highest; "
    head = (several if len(measurements) > 1 else "One run; ") + "delays in ms:"
    return "\n".join([head, "", *lines])


def _table(rows: Rows) -> str:
    head = f"| {' | '.join(rows.head)} |"
    rule = f"| {' | '.join('---' for _ in rows.head)} |"
    return "\n".join([head, rule, *(f"| {' | '.join(map(_cell, row))} |" for row in rows.rows)])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _changes() -> Iterator[str]:
    rows = change_rows(PICTURES / "changes.toml")
    if rows:
        head = ("change", "measured", "before", "after", "", "", "")
        yield "## What was tried"
        yield _table(Rows("", head, rows))
