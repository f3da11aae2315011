"""Choosing a destination: from what a look-up came to, to one target and the reason for it.

The lines are walked whatever the look-up came to: a line that tests only the call holds also when the CRM is
down. Then comes the outcome's own destination, then the rule's default. Exactly one target always results.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from router.core.calls import Choice
from router.core.destinations import Target
from router.core.evaluate import CallFacts, Ruling, evaluate
from router.core.lookups import Answer, Record, Value
from router.core.plans import RulePlan
from router.core.rules import Outcome, SeveralPolicy


def choose(plan: RulePlan, outcome: Outcome, record: Record | None, facts: CallFacts) -> Choice:
    """Walk the lines, else take the outcome's destination, else the default."""
    if plan.compiled is None or plan.rule is None:
        return _checked(plan, Choice(plan.default, None, "default", outcome))
    ruling = evaluate(plan.compiled, record.values if record else None, facts)
    if ruling.target is not None:
        why = f"line {ruling.line_held}"
        return _checked(plan, Choice(ruling.target, None, why, outcome, ruling, record))
    own = plan.rule.outcomes.get(outcome)
    if own is not None:
        return _checked(plan, Choice(own, None, f"outcome {outcome}", outcome, ruling, record))
    return _checked(plan, Choice(plan.default, None, "default", outcome, ruling, record))


def choose_by_ruling(plan: RulePlan, ruling: Ruling, target: Target) -> Choice:
    """A line that tests only the call held before anything was asked."""
    return _checked(plan, Choice(target, None, f"line {ruling.line_held}", Outcome.NO_LOOKUP, ruling))


def choose_without_integration(plan: RulePlan, facts: CallFacts) -> Choice:
    """The rule names an integration that the tenant has not: nobody can be asked."""
    choice = choose(plan, Outcome.CRM_ERROR, None, facts)
    return replace(choice, problem="the integration that the rule asks is not configured")


def choose_by_answer(plan: RulePlan, answer: Answer, facts: CallFacts) -> Choice:
    """Settle which record speaks, then choose."""
    if answer.outcome is not Outcome.FOUND or not answer.records:
        outcome = Outcome.NOT_FOUND if answer.outcome is Outcome.FOUND else answer.outcome
        return choose(plan, outcome, None, facts)
    number, why = which_record(answer.records, plan)
    if number is None:
        return replace(choose(plan, Outcome.SEVERAL, None, facts), chosen_why=why)
    choice = choose(plan, Outcome.FOUND, answer.records[number], facts)
    return replace(choice, record_number=number + 1, chosen_why=why)


def which_record(records: Sequence[Record], plan: RulePlan) -> tuple[int | None, str]:
    """The index of the record that speaks for the caller, or None for the outcome `several`; and why."""
    if len(records) == 1:
        return 0, ""
    policy = plan.rule.several if plan.rule else SeveralPolicy.OUTCOME
    if policy is SeveralPolicy.FIRST:
        return 0, "the first is taken, as the rule says"
    if policy is SeveralPolicy.MOST_RECENT:
        return _most_recent(records)
    if policy is SeveralPolicy.AGREEING:
        if _agree(records, plan.fields):
            return 0, "they agree on every field tested, so the first is taken"
        return None, "they do not agree on the fields tested"
    return None, "the rule has a destination for several records"


def _agree(records: Sequence[Record], fields: tuple[str, ...]) -> bool:
    first = [_comparable(records[0].values.get(field)) for field in fields]
    return all([_comparable(record.values.get(field)) for field in fields] == first for record in records[1:])


def _comparable(value: Value) -> tuple[bool, object]:
    """Text agrees regardless of case and surrounding space, 5 agrees with 5.0; True and 1 do not agree."""
    folded = value.strip().casefold() if isinstance(value, str) else value
    return isinstance(value, bool), folded


def _most_recent(records: Sequence[Record]) -> tuple[int | None, str]:
    """One record without a moment leaves the question open: it may be the one that changed last."""
    moments = [_moment(record.modified_at) for record in records]
    known = [moment for moment in moments if moment is not None]
    if len(known) < len(records) or known.count(max(known)) > 1:
        return None, "the CRM does not say which record changed last"
    index = known.index(max(known))
    return index, f"record {index + 1} changed last, at {records[index].modified_at}"


def _moment(text: str | None) -> datetime | None:
    """An ISO 8601 moment; one without an offset counts as UTC, as all of one CRM then do."""
    try:
        moment = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _checked(plan: RulePlan, choice: Choice) -> Choice:
    """Find the target's place; a target that no template reaches gives way to the default."""
    place = plan.place(choice.target)
    if place is not None:
        return replace(choice, place=place)
    problem = f"{choice.target} is not a destination this system reaches, so the default serves"
    return replace(choice, place=plan.fallback, stand_in=plan.fallback_target, problem=problem)
