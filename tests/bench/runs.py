"""One run: calls at a steady rate to one peer on a fresh Asterisk, and what they came to."""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from deploy.rig.callers import CallCounts, Caller, PlacedCalls, start_calls
from tests.bench.dialplan import TRUNK_ADDRESS, callers, did_of
from tests.bench.figures import figures, slow_figures
from tests.bench.listener import CallTimes, Listener
from tests.bench.processes import cpu_seconds, used_ms
from tests.bench.stage import SECRET, Stage, staged

STAY_MS = 1000
KNOWN_CALLERS = 200
WARM_CALLS = 50
WARM_RATE = 50
_KNOWN_FROM, _NEW_FROM = 70_000_000, 10_000_000


@dataclass(frozen=True)
class Wanted:
    """`slow_rate`: beside these calls so many a second of another tenant, whose CRM takes 5 s."""

    peer: str
    rate: int
    seconds: int
    crm_ms: int
    known: float = 0.0
    """Share of the calls whose callers were asked about before."""
    slow_rate: int = 0

    @property
    def count(self) -> int:
        return self.rate * self.seconds


SLOW_CRM_MS = 5000


def run(wanted: Wanted) -> dict[str, Any]:
    """What was wanted and what came of it, as the JSON file has it."""
    crms = [wanted.crm_ms, *([SLOW_CRM_MS] if wanted.slow_rate else [])]
    with staged([wanted.peer], crms) as stage:
        known = callers(KNOWN_CALLERS if wanted.known else WARM_CALLS, _KNOWN_FROM)
        _warm_up(stage, wanted.peer, known)
        with Listener(stage.asterisk.ami_port, SECRET) as listener:
            before = cpu_seconds(stage.pids())
            counts = _place(stage, wanted, _mixed(wanted, known))
            after = cpu_seconds(stage.pids())
        calls = [call for call in listener.calls if call.did == did_of(wanted.peer)]
        peer = stage.peers[wanted.peer]
    remembered = {caller.number for caller in known} if peer.remembers and wanted.known else set()

    def crm_ms_of(call: CallTimes) -> float:
        return wanted.crm_ms if peer.asks and call.caller not in remembered else 0.0

    result = {
        "what": "calls",
        **asdict(wanted),
        **figures(calls, wanted.count, crm_ms_of),
        "sipp": {"successful": counts.successful, "failed": counts.failed},
        "cpu_ms": used_ms(before, after, wanted.count + wanted.slow_rate * wanted.seconds),
    }
    if wanted.slow_rate:
        slow = [call for call in listener.calls if call.did == did_of(wanted.peer, 1)]
        result["slow_calls"] = slow_figures(slow, wanted.slow_rate * wanted.seconds)
    if wanted.known:
        were = {caller.number for caller in known}
        of_known = [call for call in calls if call.caller in were]
        result["known_callers"] = figures(of_known, len(of_known), crm_ms_of)
    return result


def _warm_up(stage: Stage, peer: str, known: Sequence[Caller]) -> None:
    """Every program has done its work once, and connections are open."""
    start_calls(
        stage.asterisk.sip_port,
        did_of(peer),
        callers=known,
        count=len(known),
        rate=WARM_RATE,
        stay_ms=200,
        source=TRUNK_ADDRESS,
    ).wait()


def _mixed(wanted: Wanted, known: Sequence[Caller]) -> list[Caller]:
    """As many known ones as are wanted among new ones, in an order that is the same in every run."""
    chance = random.Random(2026)
    new = iter(callers(wanted.count, _NEW_FROM))
    share = round(wanted.count * wanted.known)
    mixed = [chance.choice(known) for _ in range(share)] + [next(new) for _ in range(wanted.count - share)]
    chance.shuffle(mixed)
    return mixed


def _place(stage: Stage, wanted: Wanted, callers_: Sequence[Caller]) -> CallCounts:
    slow: PlacedCalls | None = None
    if wanted.slow_rate:
        count = wanted.slow_rate * wanted.seconds
        slow = _start(stage, did_of(wanted.peer, 1), callers(count, _NEW_FROM), wanted.slow_rate)
    counts = _start(stage, did_of(wanted.peer), callers_, wanted.rate).wait()
    if slow is not None:
        slow.wait()
    return counts


def _start(stage: Stage, did: str, callers_: Sequence[Caller], rate: int) -> PlacedCalls:
    return start_calls(
        stage.asterisk.sip_port,
        did,
        callers=callers_,
        count=len(callers_),
        rate=rate,
        stay_ms=STAY_MS,
        answer_ms=15_000,
        source=TRUNK_ADDRESS,
    )
