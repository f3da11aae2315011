"""What CRMs answer: it decides between the lines of a rule, and does nothing else."""

from datetime import UTC
from typing import Any

import msgspec
import pytest

from router.core.lookups import Answer, Record
from router.core.plans import TenantPlan
from router.core.rules import Outcome, SeveralPolicy
from tests.core import makers
from tests.fuzz.mutations import write_json
from tests.hostile.promises import TEMPLATES, routed
from tests.hostile.records import RECORDS, SHAPES
from tests.hostile.texts import FORGED, TEXTS
from tests.workers.makers import answered, job
from workers.connectors.steps import Findings, Response
from workers.errors import LookupFailed

PLAN = TenantPlan(makers.tenant(makers.rule()), TEMPLATES, UTC)
OWN_PLACES = frozenset({"acme-queue,gold,1", "acme-queue,desk,1"})
OPTIONS: dict[str, Any] = {"id_field": "id", "name_field": "name", "link_field": "link"}
JSON = {"content-type": "application/json"}


def found(item: Any) -> Findings:
    """As a worker reads it of a custom URL."""
    return answered(Response(200, write_json(item), JSON), job("status", "tier"), **OPTIONS)


def answer_of(item: Any) -> Answer:
    """The look-up's answer, also where the CRM's cannot be used."""
    try:
        findings = found(item)
    except LookupFailed as failed:
        return Answer(Outcome.CRM_ERROR, problem=failed.problem)
    outcome = Outcome.FOUND if findings.records else Outcome.NOT_FOUND
    return Answer(outcome, findings.records, problem=findings.problem)


def test_there_are_five_hundred_of_them() -> None:
    assert len({msgspec.json.encode(str(one)) for one in RECORDS}) >= 500


def test_a_record_decides_between_the_rules_own_places() -> None:
    for item in RECORDS:
        try:
            records = found(item).records
        except LookupFailed:
            continue  # an answer that is none; the call takes its outcome for that
        decision = routed(makers.parked(), PLAN, Answer(Outcome.FOUND, records))
        assert decision.asked_place in OWN_PLACES
        assert decision.line_held == (1 if decision.asked_place == "acme-queue,gold,1" else None)


@pytest.mark.parametrize("policy", SeveralPolicy)
def test_several_records_decide_no_more_than_one(policy: SeveralPolicy) -> None:
    plan = TenantPlan(makers.tenant(makers.rule(several=policy)), TEMPLATES, UTC)
    for item in RECORDS[::5]:
        try:
            records = found([item, *RECORDS[:2]]).records
        except LookupFailed:
            continue
        assert routed(makers.parked(), plan, Answer(Outcome.FOUND, records)).asked_place in OWN_PLACES


def test_what_a_worker_says_besides_is_only_told() -> None:
    """A problem, a request and a worker's name, if a worker were not ours."""
    for text in (*TEXTS, *FORGED):
        text = text.encode("utf-8", "replace").decode()
        record = Record({"status": text}, text, text, text, text, text)
        answer = Answer(Outcome.FOUND, (record,), problem=text, request=text, worker=text)
        assert routed(makers.parked(), PLAN, answer).asked_place in OWN_PLACES
        failed = Answer(Outcome.CRM_ERROR, problem=text, request=text, worker=text)
        assert routed(makers.parked(), PLAN, failed).asked_place == "acme-queue,desk,1"


def test_an_answer_of_any_shape_ends_in_an_outcome() -> None:
    for shape in (*SHAPES, *RECORDS[::7]):
        for item in (shape, [shape], {"items": shape}):
            routed(makers.parked(), PLAN, answer_of(item))
