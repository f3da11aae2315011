"""Faults 9 to 11 and 21: CRMs that are silent, broken, slow or hostile."""

import statistics

from deploy.rig.accounts import Account
from tests.faults.links import OURS
from tests.faults.memory import MemoryWatch
from tests.faults.placing import Placed, new_callers
from tests.faults.rows import Finding, Row, Scale
from tests.faults.site import FaultSite
from tests.faults.tenants import ERROR, LATE, OTHER, TAKEN, name_of

BUDGET_SECONDS = 2.5
"""`router.lookup_seconds`."""
MISBEHAVIOUR = (
    "failed",
    "throttled",
    "throttled_briefly",
    "broken_json",
    "huge",
    "drip",
    "redirect_loop",
    "tls",
)


def misbehaving(site: FaultSite, scale: Scale) -> Row:
    """10: whatever a CRM sends, its callers go where their rule says for an error, in time."""
    finding = Finding(10, "CRM: 500, 429, malformed, huge, drip, loop, TLS")
    site.ready()
    for number, what in enumerate(MISBEHAVIOUR):
        if what != "tls":
            site.crm.behave(what, tenant=name_of(number))
    count, rate = scale.of(20, 4), scale.of(4, 2)
    mark, pids = site.mark(), site.pids(*site.workers)

    with MemoryWatch(pids) as memory:
        placed = [site.call(count, rate, tenant=number) for number in range(len(MISBEHAVIOUR))]
        account = site.account(mark, *placed)

    as_error = [one for one in account.having("taken") if one.to in (ERROR, LATE)]
    finding.least("at the rule's error outcome", 100 * len(as_error) / account.calls, 100, " %")
    finding.most("decided after", account.longest_parked(), BUDGET_SECONDS + 0.2)
    finding.most("a worker's memory grew by", memory.grown_mb(), 50, " MB")
    finding.expect(pids == site.pids(*site.workers) and site.all_alive, "a worker died")
    for number in range(len(MISBEHAVIOUR)):
        site.crm.behave(tenant=name_of(number))
    return finding.row(account)


def around_the_deadline(site: FaultSite, scale: Scale) -> Row:
    """11: answers come just before and just after their deadline; the late ones move nobody, and are kept."""
    finding = Finding(11, "CRM answers around the deadline")
    count, rate = scale.of(2000, 100), scale.of(30, 15)
    site.ready()
    budget_ms = site.plan.budget_seconds * 1000
    site.crm.behave(low_ms=10, high_ms=2 * budget_ms)
    mark = site.mark()
    callers = new_callers(count)
    account = site.account(mark, site.call(count, rate, callers=callers))
    site.wait_decided(account)

    own = {parking.uniqueid for parking in account.parkings}
    decided = [one for one in site.decisions(2 * count) if one["call_id"] in own]
    late = {one["caller"]["received"] for one in decided if one["outcome"] == "timeout"}
    # Whoever is asked for again, and is not kept, meets an error.
    site.crm.behave("failed")
    second_mark = site.mark()
    again = [caller for caller in callers if caller.number in late]
    second = site.account(second_mark, site.call(len(again), rate, callers=again)) if again else Account(())
    site.ready()

    finding.expect(bool(account.having("taken")) and bool(late), "nothing came around the deadline")
    finding.most("decided after", account.longest_parked(), site.plan.budget_seconds + 0.2)
    finding.figures.append(f"{100 * account.share_taken(TAKEN):.3g} % in time, {len(late)} late")
    finding.least("late answers kept", 100 * second.share_taken(TAKEN), 90, " %")
    return finding.row(account)


HOSTILE_VALUES = (
    "GOLD\r\nAction: Hangup\r\nChannel: all\r\n\r\n",
    "GOLD\x00",
    "GOLD)",
    "GOLD&Hangup()",
    "G" * 10_000,
    "${SHELL(id)}",
    "$[1+1],s,1",
    "fault-land,gold,1",
    "queue gold",
    f"{name_of(1)}/queue/gold",
    "route-hangup,s,1",
)


def hostile_values(site: FaultSite, scale: Scale) -> Row:
    """21: what a CRM says is compared, and never obeyed."""
    finding = Finding(21, "hostile CRM values")
    site.ready()
    sent = {name: len(tap.actions) for name, tap in site.ami_taps.items()}
    mark = site.mark()
    placed = []
    for value in HOSTILE_VALUES:
        site.crm.behave("text", text=value)
        one = site.call(scale.of(10, 2), 10)
        one.wait()
        placed.append(one)
    account = site.account(mark, *placed)
    site.wait_decided(account)

    actions = [action for name, tap in site.ami_taps.items() for action in tap.actions[sent[name] :]]
    strange = {action.name for action in actions} - OURS
    places = {action.fields.get("Context", "") for action in actions if action.name == "Redirect"}
    decided = [one for one in site.decisions(2 * account.calls) if one["ending"] == "taken"]
    finding.expect(not strange, f"actions that nobody meant: {sorted(strange)}")
    finding.expect(places == {"route-land"}, f"redirected to {sorted(places)}")
    finding.least("at the tenant's default", 100 * account.share_taken(OTHER), 100, " %")
    told = {one["call_id"] for one in decided}
    missing = sum(one.uniqueid not in told for one in account.parkings)
    finding.most("calls without a line in the history", missing, 0, "")
    return finding.row(account)


def silent(site: FaultSite, scale: Scale) -> Row:
    """9: one tenant's CRM accepts and never answers; it is left alone, and the others notice nothing."""
    finding = Finding(9, "one tenant's CRM never answers")
    seconds, rate = scale.of(30, 8), scale.of(20, 10)
    quiet = range(1, site.plan.tenants)
    site.ready()
    site.crm.behave(low_ms=20, high_ms=20)

    first_mark = site.mark()
    usual = site.account(first_mark, *_quiet_calls(site, quiet, seconds, rate))
    site.crm.behave("silent", tenant=name_of(0))
    mark = site.mark()
    failing = site.call(10, 10)
    failing.wait()
    later_mark = site.mark()
    others = _quiet_calls(site, quiet, seconds, rate)
    noisy = site.call(seconds * 5, 5)
    account = site.account(mark, failing, noisy, *others)
    site.crm.behave(tenant=name_of(0))

    own = {line.uniqueid for line in site.pbx.ledger()[mark:] if line.tenant == name_of(0)}
    of_silent = account.only(lambda one: one.uniqueid in own)
    of_others = account.only(lambda one: one.uniqueid not in own)
    later = {line.uniqueid for line in site.pbx.ledger()[later_mark:] if line.what == "parked"}
    after_ten = [one.parked_seconds or 99 for one in of_silent.parkings if one.uniqueid in later]
    finding.most("its calls decided after", of_silent.longest_parked(), BUDGET_SECONDS + 0.2)
    finding.most("after 10 failures", statistics.median(after_ten), 0.5)
    added = percentile(of_others) - percentile(usual)
    finding.most("others' p99 rose by", 1000 * added, 100, " ms")
    return finding.row(account)


def _quiet_calls(site: FaultSite, tenants: range, seconds: int, rate: int) -> list[Placed]:
    share = rate / len(tenants)
    return [site.call(round(seconds * share), share, tenant=tenant) for tenant in tenants]


def percentile(account: Account, of_100: int = 99) -> float:
    """Of the seconds that taken calls were parked."""
    held = sorted(one.parked_seconds or 0.0 for one in account.having("taken"))
    return held[min(len(held) - 1, len(held) * of_100 // 100)] if held else 0.0
