"""Deciding: news of a call in; its new state and our wishes out. Pure: moments are arguments.

`park` begins a call, `decide` takes every later event. The engine performs the actions and reports how they
went as further events. What follows what is the table in `router.core.calls`. Whether a parking is ours to
work on or to watch is its server's lease's to say (`router.core.leases`), at the moment it begins.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from router.core import events
from router.core.actions import (
    Action,
    ArmFallback,
    Claim,
    CloseCall,
    Move,
    Report,
    StartLookup,
    StartTimer,
)
from router.core.allowances import allowance_of
from router.core.calls import Call, CallState, Choice, Moment, check_transition
from router.core.choices import choose, choose_by_answer, choose_by_ruling, choose_without_integration
from router.core.decisions import Ending
from router.core.evaluate import call_facts, leading
from router.core.events import AskedFor, CallParked, Event, TimerName
from router.core.identities import RouterName
from router.core.leases import Duty
from router.core.lookups import Answer, AskedBy, LookupJob, LookupKey
from router.core.manifests import Manifest
from router.core.moves import asking_move, channel_option, landing_move
from router.core.numbers import CallerKind, understand_called, understand_caller
from router.core.plans import RulePlan, TenantPlan
from router.core.reports import report
from router.core.rules import Greeting, Outcome

Decided = tuple[Call, list[Action]]

WITNESS_SECONDS = 2.0
"""A router that only watched a call tells its end so much later; the store keeps what it is told first."""
CLOSING_SECONDS = 0.1
"""And closes the call after that, for its account comes before its end."""
ASK_AGAIN_SECONDS = 0.5
"""A question that could not be put is put again so much later, while the call is left to other routers."""
UNKNOWN_SHARE = 0.75
"""Of HOLD, for which an unknown tenant's call is left to others; a watching router begins at half of it."""


class Limits(Struct, frozen=True):
    """The operator's time limits, in seconds, and what may be asked of each kind of CRM."""

    hold_seconds: float
    hold_margin_seconds: float
    lookup_seconds: float
    settle_seconds: float
    manifests: Mapping[str, Manifest] = {}
    """Of the connectors, by slug: how much each CRM may be asked."""


def park(
    event: CallParked,
    plan: TenantPlan | None,
    moment: Moment,
    limits: Limits,
    router: RouterName,
    duty: Duty = Duty.WORK,
) -> Decided:
    """Begin a call: watch it, or arm its fallback and then decide at once, greet, or ask the CRM."""
    call = _begin(event, plan, moment, router)
    if duty is Duty.WATCH:
        watched = replace(_step(call, "watched", moment), state=CallState.WATCHING)
        return watched, [StartTimer(TimerName.WATCH, _hold_seconds(call, limits) / 2)]
    return _work(call, moment, limits)


def _work(call: Call, moment: Moment, limits: Limits) -> Decided:
    rule_plan = call.rule_plan
    if rule_plan is None:
        # Another router may already know the tenant and decide better, so it has most of the time.
        left = call.parked.hold_seconds - call.waited_seconds
        return call, [StartTimer(TimerName.LOOKUP, max(left, 0.0) * UNKNOWN_SHARE)]
    actions = _arm(rule_plan)
    choice = _choose_at_once(call, rule_plan)
    if choice is not None:
        call, claiming = _claim(call, choice, moment, limits)
        return call, actions + claiming
    job = lookup_job(call, rule_plan, limits)
    # The time runs before the question is put, so that a slow store is part of it.
    actions += [StartTimer(TimerName.LOOKUP, job.budget_seconds), StartLookup(job)]
    return replace(_step(call, "asked", moment), job=job), actions


def decide(call: Call, event: Event, moment: Moment, limits: Limits, duty: Duty = Duty.WORK) -> Decided:
    """Take one event. News of an earlier parking, or of a call that has ended, changes nothing.

    `duty` is what a next parking begins with. Raises ImpossibleEvent for a pair that the state table does not
    list.
    """
    if call.is_ended or _is_of_earlier_parking(call, event):
        return call, []
    after, actions = _follow(call, event, moment, limits, duty)
    check_transition(call.state, event, after.state)
    return after, actions


def _follow(call: Call, event: Event, moment: Moment, limits: Limits, duty: Duty) -> Decided:
    match event:
        case CallParked():
            return _on_parked(call, event, moment, limits, duty)
        case events.CallAsking():
            asking = replace(_step(call, "greeted", moment), state=CallState.ASKING)
            return asking, [_settle(_asking_seconds(call))]
        case events.CallTaken() | events.CallDefaulted() | events.CallerHungUp() | events.CallVanished():
            return _on_left(call, event, moment)
        case events.LookupAnswered():
            return _on_answered(call, event, moment, limits)
        case events.LookupUnavailable():
            return _on_unavailable(call, event, moment, limits)
        case events.LeaseGained():
            return _step_in(call, moment, limits)
        case events.TimerEnded():
            return _on_timer(call, event.timer, moment, limits)
        case events.ClaimAnswered():
            return _on_claim(call, event, moment)
        case events.MoveAnswered():
            return _on_move(call, event)


def _on_timer(call: Call, timer: TimerName, moment: Moment, limits: Limits) -> Decided:
    match timer:
        case TimerName.WATCH:
            return _step_in(call, moment, limits)
        case TimerName.ASK:
            return _ask_again(call, moment, limits)
        case TimerName.LOOKUP if call.unasked:
            return _on_no_answer(call, Outcome.OVERLOADED, call.unasked, moment, limits)
        case TimerName.LOOKUP:
            return _on_no_answer(call, Outcome.TIMEOUT, _waited(call), moment, limits)
        case TimerName.SETTLE:
            return _on_settled(call, moment)


def _step_in(call: Call, moment: Moment, limits: Limits) -> Decided:
    """Work on a call that was watched, as whoever has the lease does, in what is left of its HOLD."""
    if call.state is not CallState.WATCHING:
        return call, []  # late: it is worked on already
    waited = max(0.0, moment.monotonic - call.parked_at.monotonic)
    call = replace(_step(call, "stepped_in", moment), state=CallState.PARKED, waited_seconds=waited)
    return _work(call, moment, limits)


def _on_parked(call: Call, event: CallParked, moment: Moment, limits: Limits, duty: Duty) -> Decided:
    if event.parking == call.parking:
        return call, []  # the same parking told twice: by its event and by a resync
    if event.tenant != call.parked.tenant:
        # It left us unseen, and is now another tenant's: nothing of this call's plan may decide for it.
        return _end(call, CallState.LOST, Ending.UNCONFIRMED, moment)
    return park(event, call.tenant_plan, moment, limits, call.router, duty)


_Left = events.CallTaken | events.CallDefaulted | events.CallerHungUp | events.CallVanished


def _on_left(call: Call, event: _Left, moment: Moment) -> Decided:
    match event:
        case events.CallTaken():
            landed, reports = _end(call, CallState.LANDED, Ending.TAKEN, moment, place=event.place)
            # Only the winner reports a landing: the other routers know less about it.
            return landed, reports if call.won_claim else []
        case events.CallDefaulted():
            return _end(call, CallState.DEFAULTED, Ending.DEFAULTED, moment, place=event.place, why=event.why)
        case events.CallerHungUp():
            gone, reports = _end(call, CallState.GONE, Ending.ABANDONED, moment)
            if event.summary is None:
                return gone, reports
            delay = WITNESS_SECONDS + CLOSING_SECONDS if _is_watched(call) else 0.0
            return gone, [*reports, CloseCall(event.summary, delay)]
        case events.CallVanished():
            return _end(call, CallState.LOST, Ending.VANISHED, moment)


def _begin(event: CallParked, plan: TenantPlan | None, moment: Moment, router: RouterName) -> Call:
    country = plan.tenant.country if plan else ""
    caller = understand_caller(event.caller_number, event.presentation, country, event.caller_name)
    called = understand_called(event.did, country)
    zone = plan.zone if plan else UTC
    at = datetime.fromtimestamp(moment.epoch, UTC)
    return Call(
        parked=event,
        router=router,
        tenant_plan=plan,
        rule_plan=plan.rule_for(called, event.entry) if plan else None,
        caller=caller,
        called=called,
        facts=call_facts(caller, called, event.digits, at, zone),
        parked_at=moment,
    )


def _arm(plan: RulePlan) -> list[Action]:
    if plan.fallback is None or plan.fallback_target is None:
        return []
    return [ArmFallback(plan.fallback, channel_option(plan.fallback_target))]


def _choose_at_once(call: Call, plan: RulePlan) -> Choice | None:
    """The choice that needs no CRM, or None when the CRM must be asked."""
    greeting = plan.rule.greeting if plan.rule else None
    if greeting and call.parked.entry and call.parked.asked is AskedFor.NOT_ASKED:
        return Choice(plan.default, None, "greeting", is_greeting=True)
    if plan.compiled is not None:
        ruling = leading(plan.compiled, call.facts)
        if ruling is not None and ruling.target is not None:
            return choose_by_ruling(plan, ruling, ruling.target)
    if _lacks_digits(call, greeting):
        return choose(plan, Outcome.NO_DIGITS, None, call.facts)
    is_nameless = call.caller.kind in (CallerKind.WITHHELD, CallerKind.UNUSABLE)
    if is_nameless and not _asks_by_digits(call, plan):
        return choose(plan, Outcome.WITHHELD, None, call.facts)
    if not plan.needs_lookup:
        return choose(plan, Outcome.NO_LOOKUP, None, call.facts)
    if plan.integration is None:
        return choose_without_integration(plan, call.facts)
    return None


def _asks_by_digits(call: Call, plan: RulePlan) -> bool:
    """Only a rule with a greeting sends digits; another's caller may have keyed some in an earlier menu."""
    return bool(call.parked.digits) and plan.sends_digits


def _lacks_digits(call: Call, greeting: Greeting | None) -> bool:
    if greeting is None or call.parked.asked not in (AskedFor.NONE, AskedFor.LONG):
        return False
    return greeting.without_digits == "no_digits"


def lookup_job(call: Call, plan: RulePlan, limits: Limits) -> LookupJob:
    """The question for this call. `plan.needs_lookup` must hold."""
    tenant_plan, integration, rule = call.tenant_plan, plan.integration, plan.rule
    if tenant_plan is None or integration is None or rule is None or rule.source is None:
        raise ValueError("this rule asks nothing")
    by, subject = _subject(call, plan)
    key = LookupKey(
        tenant=tenant_plan.id,
        integration=integration.name,
        revision=plan.revision,
        modules=rule.source.modules,
        fields=plan.fields,
        by=by,
        subject=subject,
        digits_field=rule.greeting.digits_field if rule.greeting else None,
        called=call.called if "called" in plan.varies_by else None,
        call_id=call.parked.uniqueid if "call_id" in plan.varies_by else None,
    )
    return LookupJob(
        key=key,
        caller=call.caller,
        called=call.called,
        digits=call.parked.digits,
        call_id=call.parked.uniqueid,
        budget_seconds=min(rule.lookup_seconds or limits.lookup_seconds, _hold_seconds(call, limits)),
        cache=integration.cache,
        credentials_of=rule.name if rule.source.credentials else None,
        sends_digits=plan.sends_digits,
        allowance=allowance_of(integration, limits.manifests.get(integration.connector)),
    )


def _subject(call: Call, plan: RulePlan) -> tuple[AskedBy, str]:
    if _asks_by_digits(call, plan):
        return AskedBy.DIGITS, call.parked.digits
    return AskedBy.NUMBER, call.caller.e164 or call.caller.received


def _hold_seconds(call: Call, limits: Limits) -> float:
    """How long this call may still wait: the tenant's hold, never past the dialplan's own less a margin."""
    own = call.tenant_plan.tenant.hold_seconds if call.tenant_plan else None
    hold = min(own or limits.hold_seconds, call.parked.hold_seconds - limits.hold_margin_seconds)
    return max(hold - call.waited_seconds, 0.05)


def _left_seconds(call: Call, moment: Moment, limits: Limits) -> float:
    """How long this call may wait from this moment on."""
    worked = moment.monotonic - call.parked_at.monotonic - call.waited_seconds
    return max(_hold_seconds(call, limits) - worked, 0.0)


def _on_answered(call: Call, event: events.LookupAnswered, moment: Moment, limits: Limits) -> Decided:
    plan, answer = call.rule_plan, event.asked.answer
    if call.state is not CallState.PARKED or plan is None:
        return call, []  # late: the decision is made; the answer serves the next call from the cache
    if answer is None:
        return replace(call, asked=event.asked, unasked=""), []
    # A worker's answer keeps what the cache said when the question was put: missing, or joined.
    asked = call.asked or event.asked
    call = _step(replace(call, asked=asked, answer=answer), "answered", moment)
    return _claim(call, choose_by_answer(plan, answer, call.facts), moment, limits)


def _on_unavailable(call: Call, event: events.LookupUnavailable, moment: Moment, limits: Limits) -> Decided:
    if call.state is not CallState.PARKED or call.job is None or not (event.is_left or call.unasked):
        return _on_no_answer(call, Outcome.OVERLOADED, event.problem, moment, limits)
    actions: list[Action] = [StartTimer(TimerName.ASK, ASK_AGAIN_SECONDS)]
    if not call.unasked:
        # Whoever has an answer has all of HOLD to move the call; this router has only the default for it.
        call = _step(call, "left_to_others", moment)
        actions.append(StartTimer(TimerName.LOOKUP, _left_seconds(call, moment, limits)))
    return replace(call, unasked=event.problem), actions


def _ask_again(call: Call, moment: Moment, limits: Limits) -> Decided:
    if call.state is not CallState.PARKED or not call.unasked or call.job is None:
        return call, []
    budget = min(call.job.budget_seconds, _left_seconds(call, moment, limits))
    return call, [StartLookup(replace(call.job, budget_seconds=budget))]


def _on_no_answer(call: Call, outcome: Outcome, problem: str, moment: Moment, limits: Limits) -> Decided:
    if call.state is not CallState.PARKED:
        return call, []  # late: the decision is made
    if call.rule_plan is None:
        return _claim(call, None, moment, limits)
    answer = Answer(outcome, problem=problem)
    choice = choose_by_answer(call.rule_plan, answer, call.facts)
    return _claim(replace(call, answer=answer), choice, moment, limits)


def _waited(call: Call) -> str:
    return f"no answer came within {call.job.budget_seconds:g} s" if call.job else ""


def _claim(call: Call, choice: Choice | None, moment: Moment, limits: Limits) -> Decided:
    call = replace(_step(call, "decided", moment), state=CallState.CLAIMING, choice=choice)
    return call, [Claim(), _settle(call.parked.hold_seconds + limits.settle_seconds)]


def _on_claim(call: Call, event: events.ClaimAnswered, moment: Moment) -> Decided:
    if call.state is not CallState.CLAIMING:
        return call, []
    if not event.is_won:
        # Another router or the dialplan has it, or Asterisk did not say: in doubt we move nobody.
        if event.problem:
            return replace(call, state=CallState.YIELDED, problem=f"the claim failed: {event.problem}"), []
        return replace(_step(call, "yielded", moment), state=CallState.YIELDED), []
    call = replace(_step(call, "claimed", moment), state=CallState.MOVING, won_claim=True)
    return call, [_move(call)]


def _move(call: Call) -> Move:
    greeting = _greeting(call)
    if call.choice is not None and call.choice.is_greeting and greeting is not None:
        return asking_move(greeting)
    return landing_move(call)


def _on_move(call: Call, event: events.MoveAnswered) -> Decided:
    if call.state is not CallState.MOVING or event.is_accepted:
        return call, []
    # Refused or unanswered: the dialplan's GRACE takes the caller to the armed fallback.
    problem = f"the redirect failed: {event.problem or 'Asterisk refused it'}"
    return replace(call, state=CallState.YIELDED, problem=problem), []


def _on_settled(call: Call, moment: Moment) -> Decided:
    if call.state in (CallState.PARKED, CallState.WATCHING):
        return call, []
    return _end(call, CallState.LOST, Ending.UNCONFIRMED, moment)


def _end(
    call: Call, state: CallState, ending: Ending, moment: Moment, *, place: str = "", why: str = ""
) -> Decided:
    ended = replace(_step(call, "ended", moment), state=state)
    return ended, [Report(report(ended, ending, place, why), WITNESS_SECONDS if _is_watched(call) else 0.0)]


def _is_watched(call: Call) -> bool:
    return call.state is CallState.WATCHING


def _settle(seconds: float) -> StartTimer:
    return StartTimer(TimerName.SETTLE, seconds)


def _asking_seconds(call: Call) -> float:
    """Longer than any greeting: the caller is heard again when parked once more, or when hung up."""
    greeting = _greeting(call) or Greeting(sound="none")
    return greeting.tries * (greeting.digit_seconds * (greeting.max_digits + 1) + 120.0)


def _greeting(call: Call) -> Greeting | None:
    return call.rule_plan.rule.greeting if call.rule_plan and call.rule_plan.rule else None


def _step(call: Call, name: str, moment: Moment) -> Call:
    return replace(call, steps=(*call.steps, (name, moment.monotonic)))


def _is_of_earlier_parking(call: Call, event: Event) -> bool:
    return not isinstance(event, events.CallVanished) and event.parking < call.parking
