"""A decision in sentences, for an admin who is no engineer.

`explain` gives the steps of a decision in the order in which they happened, each with its moment where one is
known. Pure: the sentences are in `router.core.sentences`.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, tzinfo

from msgspec import Struct

from router.core.decisions import Decision, Ending, LineTrace, LookupTrace, TestTrace, Verdict
from router.core.display import one_line
from router.core.lookups import CacheState
from router.core.numbers import CallerKind
from router.core.refusals import Refused
from router.core.rules import OPERATORS_WITHOUT_VALUE, Outcome
from router.core.sentences import ENGLISH
from router.core.target_words import told_target

_TOLD_WITH_PROBLEM = frozenset({Outcome.CRM_ERROR, Outcome.TIMEOUT, Outcome.OVERLOADED})
_MOST_CHARACTERS = 2_000


class Step(Struct, frozen=True):
    """One thing that happened to a call."""

    key: str
    """Which sentence; stable, for programs."""
    text: str
    after_ms: float | None = None
    """Milliseconds after the call was parked."""


class Explainer:
    """Fills the sentences of one language. `told` tells in it what is recorded in English: problems."""

    def __init__(
        self,
        zone: tzinfo,
        sentences: Mapping[str, str] = ENGLISH,
        told: Callable[[str], str] = str,
    ) -> None:
        self._zone = zone
        self._sentences = sentences
        self._told = told

    def explain(self, decision: Decision) -> list[Step]:
        return [
            *self._arrival(decision),
            *self._question(decision),
            *self._lines(decision),
            *self._choice(decision),
            *self._ending(decision),
        ]

    def _step(self, key: str, after_ms: float | None = None, **values: object) -> Step:
        return Step(key, one_line(self._sentences[key].format(**values), _MOST_CHARACTERS), after_ms)

    def _word(self, key: str, **values: object) -> str:
        return self._sentences[f"word_{key}"].format(**values)

    def _arrival(self, decision: Decision) -> Iterator[Step]:
        time = datetime.fromtimestamp(decision.parked_at, self._zone).strftime("%Y-%m-%d %H:%M:%S %Z")
        received = decision.called_received or self._word("nothing")
        yield self._step(
            "parked", 0.0, call=decision.call_id, server=decision.server, time=time, received=received
        )
        if decision.called and decision.called != decision.called_received:
            yield self._step("called_as", called=decision.called)
        if decision.entry:
            yield self._step("entry", entry=decision.entry)
        yield self._caller(decision)
        if decision.digits:
            yield self._step("digits", digits=decision.digits)
        if not decision.plan:
            yield self._step("no_tenant", tenant=decision.tenant)
        elif decision.rule is None:
            yield self._step("no_rule", tenant=decision.tenant, plan=decision.plan)
        else:
            yield self._step("rule", tenant=decision.tenant, rule=decision.rule, plan=decision.plan)

    def _caller(self, decision: Decision) -> Step:
        caller = decision.caller
        if not decision.plan and caller.kind is not CallerKind.WITHHELD:
            return self._step("caller_as_came", received=caller.received)
        if caller.kind is not CallerKind.NUMBER:
            return self._step(f"caller_{caller.kind}", received=caller.received)
        key = "caller_number_of" if caller.country else "caller_number"
        return self._step(key, received=caller.received, number=caller.e164, country=caller.country)

    def _question(self, decision: Decision) -> Iterator[Step]:
        steps, lookup = decision.steps_ms, decision.lookup
        if lookup is None:
            if decision.outcome is Outcome.NO_LOOKUP and decision.rule is not None:
                yield self._step("no_lookup")
        else:
            yield self._asked(lookup, steps.get("asked"))
            yield from self._request(lookup)
        yield from self._outcome(decision, steps.get("answered", steps.get("decided")))

    def _asked(self, lookup: LookupTrace, at: float | None) -> Step:
        age = span(lookup.age_seconds)
        match lookup.cache:
            case CacheState.FRESH:
                key = "cache_fresh"
            case CacheState.STALE:
                key = "cache_stale_alone" if lookup.refused else "cache_stale"
            case _ if lookup.refused:
                key = "not_asked"
            case CacheState.JOINED:
                key = "joined"
            case _:
                key = "asked"
        subject = self._word("digits", subject=lookup.subject) if lookup.by == "digits" else lookup.subject
        why = self._refusal(lookup.refused) if lookup.refused else ""
        return self._step(key, at, integration=lookup.integration, subject=subject, age=age, why=why)

    def _refusal(self, refused: Refused) -> str:
        times = self._word("time" if refused.failures == 1 else "times", count=refused.failures)
        return self._word(f"refused_{refused.why}", times=times, wait=span(refused.wait_seconds))

    def _request(self, lookup: LookupTrace) -> Iterator[Step]:
        if not lookup.request:
            return
        is_cached = lookup.cache in (CacheState.FRESH, CacheState.STALE)
        yield self._step(
            "request_before" if is_cached else "request",
            request=lookup.request,
            attempts=self._word("attempt" if lookup.attempts == 1 else "attempts", count=lookup.attempts),
            crm=span(lookup.crm_seconds),
            worker=self._word("worker", worker=lookup.worker) if lookup.worker else "",
        )

    def _outcome(self, decision: Decision, at: float | None) -> Iterator[Step]:
        outcome, lookup = decision.outcome, decision.lookup
        if outcome is None or outcome is Outcome.NO_LOOKUP:
            return
        key = f"outcome_{outcome}"
        if outcome is Outcome.FOUND and lookup and lookup.records > 1:
            key = "outcome_found_several"
        records = lookup.records if lookup else 0
        problem = self._told(_problem_of_outcome(decision))
        if problem and lookup and lookup.refused:
            problem = self._refusal(lookup.refused)
        name = f" “{lookup.record_name}”" if lookup and lookup.record_name else ""
        if name and records > 1:
            name = self._word("namely", name=name)
        yield self._step(
            key,
            at,
            records=self._word("record" if records == 1 else "records", count=records),
            name=name,
            chosen=self._told(lookup.chosen_why) if lookup else "",
            problem=problem or self._word("no_reason"),
            because=self._word("because", problem=problem) if problem else "",
        )
        for name, value in lookup.fields if lookup and outcome is Outcome.FOUND else ():
            yield self._step("field" if value else "field_empty", name=name, value=value)

    def _lines(self, decision: Decision) -> Iterator[Step]:
        for line in decision.lines:
            key = "line_held" if line.held else "line_failed"
            yield self._step(key, number=line.number, tests=self._tests(line))
        hidden = decision.lines_walked - len(decision.lines)
        if hidden > 0:
            yield self._step("lines_hidden", count=hidden)

    def _tests(self, line: LineTrace) -> str:
        joint = self._word("or" if line.join == "any" else "and")
        return joint.join(self._test(test) for test in line.tests)

    def _test(self, test: TestTrace) -> str:
        if test.verdict is Verdict.NO_RECORD:
            return self._sentences["test_no_record"].format(name=test.left_name)
        why = test.why or self._word("types_differ")
        verdict = self._sentences[f"verdict_{test.verdict}"].format(why=why)
        key = "test_unary" if test.operator in OPERATORS_WITHOUT_VALUE else "test"
        return self._sentences[key].format(
            name=test.left_name, left=test.left, operator=test.operator, right=test.right, verdict=verdict
        )

    def _choice(self, decision: Decision) -> Iterator[Step]:
        at = decision.steps_ms.get("decided")
        if decision.asked_why == "greeting":
            yield self._step("greeting_first", at)
            return
        if not decision.asked_target:
            if at is None:
                yield self._step("undecided")
            return
        kind, _, rest = decision.asked_why.partition(" ")
        key = f"why_{kind}" if kind in ("line", "outcome") else "why_default"
        if key == "why_default" and not decision.lines_walked:
            key = "why_default_no_lines"
        place = f" ({decision.asked_place})" if decision.asked_place else ""
        target = told_target(decision.asked_target, self._sentences)
        yield self._step(key, at, target=target, number=rest, outcome=rest, place=place)

    def _ending(self, decision: Decision) -> Iterator[Step]:
        steps = decision.steps_ms
        if decision.ending is Ending.REHEARSED:
            yield from self._problems(decision)
            yield self._step("rehearsed")
            return
        if decision.won_claim:
            yield self._step("claim_won", steps.get("claimed"), router=decision.router)
        elif "yielded" in steps:
            yield self._step("claim_lost", steps["yielded"], router=decision.router)
        if "greeted" in steps:
            yield self._step("greeting", steps["greeted"])
        yield from self._problems(decision)
        key = f"defaulted_{decision.defaulted_why}" if decision.defaulted_why else str(decision.ending)
        place = decision.reached_place or self._word("its_default")
        yield self._step(key, steps.get("ended"), place=place)

    def _problems(self, decision: Decision) -> Iterator[Step]:
        """What the outcome's own sentence has not told."""
        of_lookup = decision.lookup.problem if decision.lookup else ""
        told = _problem_of_outcome(decision)
        for problem in (of_lookup, decision.problem):
            if problem and problem != told:
                yield self._step("problem", problem=self._told(problem))


def _problem_of_outcome(decision: Decision) -> str:
    """The problem that the outcome's own sentence tells; none for an outcome that is no problem."""
    if decision.outcome not in _TOLD_WITH_PROBLEM:
        return ""
    return (decision.lookup.problem if decision.lookup else "") or decision.problem


def span(seconds: float) -> str:
    """A span as people say it: `104 ms`, `3 s`, `12 min`, `5 h`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"
