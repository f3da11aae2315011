"""Faults 16 and 20: callers who hang up while they wait, and callers whose data is hostile."""

import time
from collections import Counter

from deploy.rig.callers import Caller
from tests.faults.links import OURS
from tests.faults.placing import Placed
from tests.faults.rows import Finding, Row, Scale
from tests.faults.site import FaultSite
from tests.faults.tenants import did_of, name_of

EMPTY_SECONDS = 1.0
CANARY = "canary-of-the-fault-suite"


def hanging_up(site: FaultSite, scale: Scale) -> Row:
    """16: callers hang up at any moment of HOLD; nothing of their calls is left in a router."""
    finding = Finding(16, "callers hang up at random in 0..H")
    count, rate, batches = scale.of(2000, 60), scale.of(30, 15), scale.of(10, 5)
    site.ready()
    # No answer within HOLD: whoever leaves was parked.
    site.crm.behave("silent")
    mark, errors = site.mark(), site.errors_logged()
    longest_ms = (site.plan.hold - 1.5) * 1000

    placed: list[Placed] = []
    for batch in range(batches):
        stay_ms = round(longest_ms * batch / batches) + 1
        placed.append(site.call(count // batches, rate / batches, stay_ms=stay_ms, is_abandoned=True))
    account = site.account(mark, *placed, may_hang_up=True)
    left_at = time.time()
    stopping = [(name, site.ending(name)) for name in site.routers]
    left = [site.moments(name, "router.stopped")[-1] - left_at for name in ("router-a", "router-b")]

    gone = {one.uniqueid for one in account.having("gone")}
    site.ready()
    decided = [one for one in site.decisions(2 * count) if one["call_id"] in gone]
    told = {one["call_id"] for one in decided if one["ending"] == "abandoned"}
    endings = Counter(one["ending"] for one in decided if one["call_id"] not in told)
    unheard = len(gone - {one["call_id"] for one in decided})
    finding.least("abandoned by the ledger", len(gone), 0.9 * count)
    finding.most("of them not counted as abandoned", len(gone - told), 0, "")
    if gone - told:
        finding.figures.append(f"those: {unheard} unheard of, {dict(endings)}")
    finding.most("errors logged", site.errors_logged() - errors, 0, "")
    finding.most("call tables empty after", max(left), EMPTY_SECONDS)
    finding.expect(
        "engine.calls_left" not in site.logs("router-a", "router-b"), "calls were left in a router"
    )
    finding.expect(all(code == 0 for _, code in stopping), "a router did not stop in order")
    return finding.row(account)


NAMES = (
    "",
    "Bob,Tenant: t001",
    'Bob "the" \\Builder',
    "${SHELL(touch /tmp/" + CANARY + ")}",
    "$[1+1]&Hangup()",
    "Ren\udce9 \udcff\udcfe",
    "N" * 1000,
    "Zoë 電話 \U0001f4de",
    "a)b(c]d[e}f{g|h<i>j`k'l",
    "Event: UserEvent UserEvent: RouteParked",
)
NUMBERS = (
    "+33611111110",
    "anonymous",
    "%0d%0aAction%3a%20Hangup%0d%0a%0d%0a",
    "1%2cTenant%3a%20t001",
    "%24%7bSHELL(touch%20/tmp/" + CANARY + ")%7d",
    "%22quoted%22",
    "%ff%fe%fd",
    "9" * 1000,
    "*21#",
    "+",
)
DIDS = (
    did_of(),
    "0142%0d%0aEvent%3a%20UserEvent",
    "0142%2cTenant%3a%20t001",
    "%24%7bSHELL(touch%20/tmp/" + CANARY + ")%7d",
    "1" * 200,
)


def hostile_data(site: FaultSite, scale: Scale) -> Row:
    """20: what a caller sends reaches neither the dialplan as code nor AMI as a header."""
    finding = Finding(20, "hostile names, numbers and DIDs")
    site.ready()
    mark = site.mark()
    downs = len(_downs(site))
    sent = _action_names(site)
    (site.asterisk.chroot / "tmp" / CANARY).unlink(missing_ok=True)

    combined = [Caller(number, name) for name in NAMES for number in NUMBERS]
    callers = scale.of([*combined[:-1], Caller("+33611111110", is_anonymous=True)], combined[::7])
    placed = [site.call(len(callers), 20, callers=callers, did=did) for did in DIDS]
    counts = [one.wait() for one in placed]
    account = site.account(mark, *placed)

    finding.most("calls that failed", sum(one.failed for one in counts), 0, "")
    finding.most("AMI links dropped", len(_downs(site)) - downs, 0, "")
    finding.expect(not (site.asterisk.chroot / "tmp" / CANARY).exists(), "a caller ran a command")
    strange = _action_names(site) - sent - OURS
    finding.expect(not strange, f"actions that nobody meant: {sorted(strange)}")
    site.wait_decided(account)
    rivals = [one for one in site.decisions(account.calls * 2) if one["tenant"] == name_of(1)]
    finding.most("calls of a forged tenant", len(rivals), 0, "")
    return finding.row(account)


def _downs(site: FaultSite) -> list[float]:
    return [at for name in site.routers for at in site.moments(name, "asterisk.disconnected")]


def _action_names(site: FaultSite) -> set[str]:
    return {action.name for tap in site.ami_taps.values() for action in tap.actions}
