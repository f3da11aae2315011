"""A finished call into each CRM, as a worker writes it: the caller's record, and the call that hangs on it."""

import pytest
from msgspec.structs import replace

from router.core.call_logs import CallEnd, FinishedCall
from router.core.identities import Uniqueid
from tests.crms import people
from tests.crms.product import ACME, CRM, Product
from tests.crms.rig import CrmRig
from tests.crms.rigs import ALL
from tests.crms.test_conformance import has
from workers.call_log_writer import CallLogWriter
from workers.errors import RecordAwaited

WRITING = [rig for rig in ALL if has(rig, "log_call") and has(rig, "create")]
every_writing_crm = pytest.mark.parametrize("rig", WRITING, ids=lambda rig: rig.name)


def call_of(rig: CrmRig, number: int, caller: str = people.NOBODY) -> FinishedCall:
    return FinishedCall(
        tenant=ACME,
        integration=CRM,
        call_id=Uniqueid(f"pbx-a:{number}.7"),
        ending=CallEnd.ANSWERED,
        started_at=1_777_626_000.0,
        seconds=70,
        talk_seconds=63,
        caller=caller,
        caller_name="Nina Neuve",
        called="+33142345999",
        create_in=rig.leads or rig.contacts,
        subject=f"Call {number}",
        decision="queue gold, because line 1 holds",
    )


def kind_of(rig: CrmRig) -> str:
    return "lead" if rig.leads else "contact"


def writer_of(product: Product, making_seconds: float = 0.0) -> CallLogWriter:
    return CallLogWriter(product.store.call_log, product.catalogue(), product.abilities, making_seconds)


@every_writing_crm
async def test_the_calls_of_an_unknown_caller_hang_on_one_new_record(product: Product) -> None:
    kind = kind_of(product.rig)
    known = product.crm.count(kind)
    writer = writer_of(product)

    for number in (1, 2):
        await writer.write(call_of(product.rig, number))

    assert product.crm.count(kind) == known + 1
    assert {kept.person for kept in product.crm.logged()} == {900}
    assert {kept.subject for kept in product.crm.logged()} == {"Call 1", "Call 2"}


@every_writing_crm
async def test_a_caller_whom_somebody_entered_meanwhile_gets_no_second_record(product: Product) -> None:
    kind = kind_of(product.rig)
    known = product.crm.count(kind)
    caller = people.LUC if product.rig.leads else people.ALICE

    await writer_of(product).write(call_of(product.rig, 1, caller))

    assert product.crm.count(kind) == known
    assert [kept.person for kept in product.crm.logged()] == [20 if product.rig.leads else 1]


@pytest.mark.parametrize("rig", WRITING[:1], ids=lambda rig: rig.name)
async def test_while_one_call_makes_the_record_the_callers_other_calls_wait(product: Product) -> None:
    writer = writer_of(product, making_seconds=60.0)
    first, second = call_of(product.rig, 1), call_of(product.rig, 2)
    other = call_of(product.rig, 3, people.JANE)
    known = product.crm.count(kind_of(product.rig))

    await writer.write(first)
    with pytest.raises(RecordAwaited):
        await writer.write(second)
    await writer.write(replace(first, is_repeat=True))
    await writer.write(other)

    assert product.crm.count(kind_of(product.rig)) == known + 2
