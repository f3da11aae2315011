"""What is packed in Redis: a target for each kind of entry.

Another version wrote it, or nobody of ours. What cannot be unpacked is told as `Unreadable`, and what can be
unpacked is put to the use that it is kept for.
"""

from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Any

import msgspec

from router.core.call_ends import CallStage, CallSummary
from router.core.call_logs import CallEnd, FinishedCall, LogOptions
from router.core.decisions import Decision
from router.core.errands import (
    AnyErrand,
    CheckConnection,
    ErrandFailed,
    FinishSignIn,
    ListFields,
    Reply,
    SignInState,
    Tried,
    TryDraft,
    TryLookup,
    crm_state_of,
)
from router.core.faults import Fault
from router.core.identities import IntegrationName, RouterName, RuleName, ServerName, TenantId, Uniqueid
from router.core.installation import parked_now, routers_seen, servers_seen
from router.core.lookups import Answer, LookupJob, Waiter
from router.core.open_calls import KeptCall, OpenCall, finished_call
from router.core.plans import TenantPlan
from router.core.statuses import ParkedCall, RouterStatus, ServerStatus, ToldStatus
from router.store import packing
from router.store.plan_seam import PublishedPlan
from tests.core import makers
from tests.crms.driving import finished
from tests.fuzz.mutations import bend_msgpack
from tests.fuzz.targets import Target
from tests.hostile.promises import TEMPLATES, require_told, routed
from tests.store import rigs
from tests.workers.makers import settings
from workers.connectors import custom
from workers.connectors.steps import Account, Question
from workers.masks import shown

Samples = Callable[[], Sequence[Any]]


def _target(
    kind: str, reads: str, unpack: Callable[[bytes], Any], use: Callable[[Any], object], samples: Samples
) -> Target:
    def run(data: bytes) -> None:
        try:
            read = unpack(data)
        except packing.Unreadable:
            return
        use(read)

    def seeds() -> Sequence[bytes]:
        return [packing.pack(sample) for sample in samples()]

    return Target(f"redis-{kind}", reads, run, seeds, bend_msgpack)


def _ask(job: LookupJob) -> None:
    """A worker makes the request of it."""
    made = settings(parameters={name: name for name in custom.CARRIED})
    shown(next(custom.find(Account(made), Question(job, "FR"))))
    job.key.digest()


def _answer_a_call(answer: Answer) -> None:
    plan = TenantPlan(makers.tenant(makers.rule()), TEMPLATES, UTC)
    routed(makers.parked(), plan, answer)


def _finish(call: OpenCall) -> None:
    summary = CallSummary(tenant=call.tenant, stage=CallStage.LANDED, seconds=90, dial_status="ANSWER")
    made = finished_call(KeptCall(call, call, call.started_at), summary, LogOptions(tuple(CallEnd)), 1.7e9)
    assert made is not None
    assert packing.pack(packing.unpack_finished_call(packing.pack(made))) == packing.pack(made)


def _take_over(plan: PublishedPlan) -> None:
    if plan.document is not None:
        tenant_plan = TenantPlan(plan.document, TEMPLATES, UTC)
        tenant_plan.digest  # noqa: B018 - made when it is first asked for
        routed(makers.parked(), tenant_plan, rigs.FOUND)


def _tell(status: RouterStatus) -> None:
    told = [ToldStatus(status.router, 0.5, status)]
    parked_now(told)
    servers_seen(told)
    routers_seen(told)


def _keep(read: Any) -> None:
    assert msgspec.msgpack.encode(read)


def _understand(reply: Reply) -> None:
    crm_state_of(reply)


def _keep_decision(decision: Decision) -> None:
    require_told(decision)


def _answers() -> Sequence[Answer]:
    return [rigs.FOUND, rigs.NOT_FOUND, rigs.CRM_ERROR, makers.found(makers.record(), makers.record("x"))]


def _decisions() -> Sequence[Decision]:
    plan = TenantPlan(makers.tenant(makers.rule()), TEMPLATES, UTC)
    return [rigs.a_decision(), *(routed(makers.parked(), plan, answer) for answer in _answers())]


def _open_calls() -> Sequence[OpenCall]:
    made = OpenCall(
        tenant=TenantId("acme"),
        call_id=Uniqueid("pbx-1.1"),
        parking=1,
        integration=IntegrationName("crm"),
        credentials_of=RuleName("Sales"),
        started_at=1.7e9,
        reached_at=1.7e9 + 1,
        caller="+33142345001",
        called="+33199",
        module="contacts",
        record_id="7",
        destination="queue gold",
        rule="Sales",
        decision="To queue gold, because line 1 holds",
    )
    return [made]


def _statuses() -> Sequence[RouterStatus]:
    server = ServerStatus(
        server=ServerName("pbx"), is_connected=True, since_seconds=9.5, parked_of={TenantId("acme"): 1}
    )
    call = ParkedCall(
        server=ServerName("pbx"), call=Uniqueid("pbx-1.1"), parking=1, tenant=TenantId("acme"),
        caller="+33142345001", called="+33199", rule=RuleName("Sales"), parked_seconds=0.5,
    )  # fmt: skip
    return [
        RouterStatus(
            router=RouterName("router-1"), version="0.1", up_seconds=5, servers=(server,), parked=(call,)
        )
    ]


def _errands() -> Sequence[tuple[str, AnyErrand]]:
    of: Any = {"tenant": TenantId("acme"), "integration": IntegrationName("crm")}
    job = rigs.a_job()
    draft = TryDraft(**of, job=job, connector="custom", settings={"url": "https://crm.example"})
    listed: list[AnyErrand] = [CheckConnection(**of), ListFields(**of, module="contacts"), draft]
    return [("a1", one) for one in (*listed, TryLookup(**of, number="+33"), FinishSignIn(**of, state="s"))]


def _replies() -> Sequence[Reply]:
    tried = Tried(rigs.FOUND, ("+33142345001", "0142345001"), 1, 0.2)
    return [tried, ErrandFailed(Fault.DOWN, "away"), SignInState(needs_sign_in=True, is_signed_in=False)]


def _plans() -> Sequence[PublishedPlan]:
    tenant = makers.tenant(makers.rule())
    return [PublishedPlan(tenant.id, 3, tenant), PublishedPlan(tenant.id, 4, None)]


def _jobs() -> Sequence[LookupJob]:
    return [rigs.a_job(), rigs.a_job(call_id="pbx-1.1")]


def _cached() -> Sequence[bytes]:
    return [packing.pack_cached(answer, 60_000) for answer in _answers()]


def _read_cached(data: bytes) -> None:
    try:
        _answer_a_call(packing.unpack_cached(data))
    except packing.Unreadable:
        return


def _bend_cached(random: Any, data: bytes, other: bytes) -> bytes:
    return data[:5] + bend_msgpack(random, data[5:], other[5:])


def _finished() -> Sequence[FinishedCall]:
    return [finished(), finished(record_id="7", module="Contacts", create_in="Leads", is_repeat=True)]


TARGETS = (
    _target("job", "a look-up for a worker", packing.unpack_job, _ask, _jobs),
    _target(
        "waiter", "who waits for an answer", packing.unpack_waiter, _keep, lambda: [Waiter(rigs.ROUTER, "t")]
    ),
    _target("tokens", "whose answer it is", packing.unpack_tokens, _keep, lambda: [["a:1", "b:2"]]),
    _target("answer", "a worker's answer, to a call", packing.unpack_answer, _answer_a_call, _answers),
    Target("redis-cached", "a cached answer, to a call", _read_cached, _cached, _bend_cached),
    _target("decision", "a decision, to its sentences", packing.unpack_decision, _keep_decision, _decisions),
    _target("open-call", "a call that goes on", packing.unpack_open_call, _finish, _open_calls),
    _target("finished-call", "a call for a CRM's log", packing.unpack_finished_call, _keep, _finished),
    _target("plan", "a tenant's plan, to a call", packing.unpack_plan, _take_over, _plans),
    _target("status", "a router's status", packing.unpack_status, _tell, _statuses),
    _target("errand", "what a person asks of a CRM", packing.unpack_errand, _keep, _errands),
    _target("reply", "what a worker replies", packing.unpack_reply, _understand, _replies),
)
