"""The ledger: Asterisk's own account of every call, the dialplan's word and not the router's.

`deploy/asterisk/crmroute.conf` writes a verbose line (level 2) for each thing that happens to a parking, and
an instance of the rig logs those to a file of their own. For every pair (uniqueid, n) with a `parked` line
there is exactly one of

    taken       a router's destination was reached
    defaulted   with why = hold, grace, missing or error
    asking      the call went to be asked for digits, and is parked again as n + 1
    gone        with where = parked: the caller hung up first

and later, for the same pair, any number of `then` and `defaulted` with why = ended, and one last `gone`.
`fates_of` gives exactly the first kind.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

Fates = dict[tuple[str, int], list[str]]
"""How each parking ended, by uniqueid and parking number."""

_LEDGER_LINE = re.compile(
    r"(?:^\[(?P<at>[\d-]+ [\d:.]+)\].*?)?app_verbose\.c: route "
    r"(?P<what>parked|taken|defaulted|asking|then|gone) (?P<uniqueid>\S+) n=(?P<parking>\d*)(?P<rest>.*)"
)


@dataclass(frozen=True)
class LedgerLine:
    """One thing that happened to a parking, as the dialplan wrote it."""

    what: str
    """parked, taken, defaulted, asking, then or gone."""
    uniqueid: str
    parking: int
    to: str = ""
    why: str = ""
    where: str = ""
    tenant: str = ""
    at: float = 0.0
    """Seconds since the epoch, to the millisecond, by Asterisk's clock."""


def read_ledger(log: Path) -> list[LedgerLine]:
    """Every line of an instance's ledger, in the order in which Asterisk wrote them."""
    if not log.exists():
        return []
    with log.open(encoding="utf-8", errors="replace") as texts:
        return [line for text in texts if (line := parse_ledger_line(text)) is not None]


def fates_of(lines: Iterable[LedgerLine]) -> Fates:
    """The end of each parking: a list that must have one member, or none for a call still parked.

    `taken CONTEXT/EXTEN/PRIORITY`, `defaulted WHY TO`, `asking` or `gone`.
    """
    found: Fates = {}
    for line in lines:
        fates = found.setdefault((line.uniqueid, line.parking), [])
        if line.what == "taken":
            fates.append(f"taken {line.to}")
        elif line.what == "defaulted" and line.why != "ended":
            fates.append(f"defaulted {line.why} {line.to}")
        elif line.what == "asking":
            fates.append("asking")
        elif line.what == "gone" and line.where == "parked":
            fates.append("gone")
    return found


def parse_ledger_line(text: str) -> LedgerLine | None:
    match = _LEDGER_LINE.search(text)
    if match is None:
        return None
    rest = dict(part.split("=", 1) for part in match["rest"].split() if "=" in part)
    return LedgerLine(
        match["what"],
        match["uniqueid"],
        int(match["parking"] or 0),
        rest.get("to", ""),
        rest.get("why", ""),
        rest.get("where", ""),
        rest.get("tenant", ""),
        datetime.fromisoformat(match["at"]).astimezone().timestamp() if match["at"] else 0.0,
    )
