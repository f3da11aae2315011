"""The record of how a call was decided, made once when the call has ended for us."""

from msgspec.structs import replace

from router.core.calls import Call, Choice
from router.core.decisions import Decision, Ending, LineTrace, LookupTrace
from router.core.display import shown
from router.core.evaluate import explain_lines


def report(call: Call, ending: Ending, place: str, why: str) -> Decision:
    """Everything needed to explain the call later; `place` and `why` are Asterisk's own last word."""
    choice, parked = call.choice, call.parked
    return Decision(
        call_id=parked.uniqueid,
        linkedid=parked.linkedid,
        parking=parked.parking,
        server=parked.server,
        channel=parked.channel,
        router=call.router,
        tenant=parked.tenant,
        parked_at=call.parked_at.epoch,
        called_received=parked.did,
        called=call.called,
        entry=parked.entry,
        caller=call.caller,
        digits=parked.digits,
        rule=call.rule_plan.name if call.rule_plan else None,
        plan=call.tenant_plan.digest if call.tenant_plan else "",
        outcome=choice.outcome if choice else None,
        lookup=_lookup(call),
        lines=_lines(call, choice),
        lines_walked=choice.ruling.lines_walked if choice and choice.ruling else 0,
        line_held=choice.ruling.line_held if choice and choice.ruling else None,
        value=_value(call, choice),
        asked_target=str(choice.target) if choice and not choice.is_greeting else "",
        asked_place=str(choice.place) if choice and choice.place else "",
        asked_why=choice.why if choice else "",
        problem="; ".join(text for text in (call.problem, choice.problem if choice else "") if text),
        ending=ending,
        defaulted_why=why,
        reached_place=place,
        won_claim=call.won_claim,
        steps_ms={name: round((at - call.parked_at.monotonic) * 1000, 2) for name, at in call.steps},
    )


def _lines(call: Call, choice: Choice | None) -> tuple[LineTrace, ...]:
    compiled = call.rule_plan.compiled if call.rule_plan else None
    if compiled is None or choice is None or choice.ruling is None:
        return ()
    values = choice.record.values if choice.record else None
    return explain_lines(compiled, values, call.facts, choice.ruling)


def _value(call: Call, choice: Choice | None) -> str:
    rule = call.rule_plan.rule if call.rule_plan else None
    if rule is None or not rule.field or choice is None or choice.record is None:
        return ""
    return shown(choice.record.values.get(rule.field))


def _lookup(call: Call) -> LookupTrace | None:
    if call.job is None:
        return None
    key, choice, answer = call.job.key, call.choice, call.answer
    trace = LookupTrace(integration=key.integration, by=key.by.value, subject=key.subject)
    if call.asked is not None:
        asked = call.asked
        age = round(asked.age_seconds, 3)
        trace = replace(trace, cache=asked.state, age_seconds=age, refused=asked.refused)
    if answer is None:
        return trace
    record = choice.record if choice else None
    return replace(
        trace,
        request=answer.request,
        attempts=answer.attempts,
        crm_seconds=answer.crm_seconds,
        records=len(answer.records),
        record_chosen=choice.record_number if choice else None,
        chosen_why=choice.chosen_why if choice else "",
        record_name=shown(record.name) if record else "",
        fields=tuple((name, shown(record.values.get(name))) for name in key.fields) if record else (),
        problem=answer.problem,
        worker=answer.worker,
        refused=answer.refused or trace.refused,
    )
