"""Every connector against its strict local server: the cases that are the same for all of them."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from router.core.call_logs import CallEnd, FinishedCall, NewContact
from router.core.errands import StepState
from router.core.faults import Fault, Step
from router.core.identities import Uniqueid
from router.core.lookups import Answer
from router.core.rules import Outcome
from router.settings.manifest_files import load_manifests
from tests.crms import people
from tests.crms.product import ACME, CRM, Product
from tests.crms.rig import CrmRig
from tests.crms.rigs import ALL
from tests.crms.server import Mood
from tests.workers.test_manifests import CONFIG
from workers.connectors.steps import Account
from workers.errors import LookupFailed

MANIFESTS = load_manifests(CONFIG)
every_crm = pytest.mark.parametrize("rig", ALL, ids=lambda rig: rig.name)
HOSTILE_NUMBERS = (
    "'", "''", "\\", "\\'", "' OR '1'='1", "') OR 1=1 --", "%", "*", "+*", "_", "${INC(X)}", "\r\nAction: Originate",
    "\x00", "(", ")", "{}", "[]", "x" * 300, "+33' OR ''='", "0639980001'", "\"", "&a=b", "#", "/../", "é", "\u202e1",
)  # fmt: skip
HOSTILE_DIGITS = (
    "'",
    "4711' OR '1'='1",
    "4711\\",
    "*",
    "%",
    "4711 OR 1=1",
    "47_1",
    '4711"',
    "4711)",
    "\x00",
    "47*",
)
HOSTILE_NAMES = (
    "Id FROM Task", "x'; --", "a b", "a,b", "a)(b", "", "x" * 300, "../x", "a\nb", "*", "a:b OR c", "$top", "é",
)  # fmt: skip


def names(answer: Answer) -> list[str]:
    return [record.name for record in answer.records]


def has(rig: CrmRig, ability: str) -> bool:
    return ability in MANIFESTS[rig.slug].abilities and ability not in rig.lacks


# Looking up


@every_crm
async def test_nobody(product: Product) -> None:
    answer = await product.find(people.NOBODY)

    assert (answer.outcome, answer.problem) == (Outcome.NOT_FOUND, "")
    assert len(product.crm.data_requests) <= product.rig.requests_unknown


@every_crm
@pytest.mark.parametrize(
    ("number", "key", "tier"),
    [
        (people.ALICE, 1, "Gold"),
        (people.BRUNO, 2, "Silver"),
        (people.CHLOE, 3, "Bronze"),
        (people.JANE, 6, "Silver"),
    ],
    ids=["national", "trunk-prefix-in-brackets", "with-00", "foreign-with-extension"],
)
async def test_one_however_the_number_was_typed(product: Product, number: str, key: int, tier: str) -> None:
    answer = await product.find(number)

    assert (answer.outcome, answer.problem) == (Outcome.FOUND, "")
    assert names(answer) == [product.crm.person(key).name]
    assert [record.values for record in answer.records] == [{product.rig.tier: product.rig.tier_value(tier)}]


@every_crm
async def test_a_known_caller_costs_what_the_manifest_says(product: Product) -> None:
    await product.find(people.ALICE)

    asked = len(product.crm.data_requests)
    assert asked == product.rig.requests_known <= MANIFESTS[product.rig.slug].requests_per_lookup


@every_crm
async def test_several_fields_in_the_same_requests_with_their_types(product: Product) -> None:
    rig = product.rig
    fields = {key: getattr(rig, key) for key in rig.values}

    answer = await product.find(people.ALICE, *fields.values())

    assert answer.problem == ""
    assert answer.records[0].values == {fields[key]: value for key, value in rig.values.items()}
    assert [type(answer.records[0].values[fields[key]]) for key in rig.values] == list(
        map(type, rig.values.values())
    )
    assert len(product.crm.data_requests) == rig.requests_known


@every_crm
async def test_an_empty_field_is_there_and_empty(product: Product) -> None:
    answer = await product.find(people.DAVID)

    assert (answer.outcome, answer.problem) == (Outcome.FOUND, "")
    assert answer.records[0].values[product.rig.tier] in (None, "")


@every_crm
async def test_several_are_all_returned(product: Product) -> None:
    answer = await product.find(people.EMMA_AND_ENZO)

    assert sorted(names(answer)) == ["Emma Roux", "Enzo Roux"]
    tiers = {record.values[product.rig.tier] for record in answer.records}
    assert tiers == set(map(product.rig.tier_value, ("Gold", "Bronze")))
    assert len({record.id for record in answer.records}) == 2


@every_crm
async def test_modules_are_searched_in_their_order(product: Product) -> None:
    rig = product.rig
    if not rig.leads:
        pytest.skip("this CRM has one module of people")

    answer = await product.find(people.LUC, modules=(rig.contacts, rig.leads))
    only_contacts = await product.find(people.LUC, modules=(rig.contacts,))

    assert (names(answer), answer.records[0].module) == (["Luc Prospect"], rig.leads)
    assert only_contacts.outcome is Outcome.NOT_FOUND


@every_crm
async def test_a_company_by_its_number(product: Product) -> None:
    if not product.rig.companies:
        pytest.skip("this CRM finds no companies by number")

    answer = await product.find(people.GARAGE, modules=(product.rig.companies,))

    assert names(answer) == ["Garage Dupont & Fils"]


@every_crm
async def test_digits_match_exactly(product: Product) -> None:
    answer = await product.find(digits="4711")

    assert names(answer) == ["Alice Martin"]
    assert (await product.find(digits="471")).outcome is Outcome.NOT_FOUND
    assert (await product.find(digits="0815")).records[0].name == "Bruno Petit"


@every_crm
async def test_the_record_has_a_link_an_id_and_a_module(product: Product) -> None:
    record = (await product.find(people.ALICE)).records[0]

    assert record.id
    assert record.module == product.rig.contacts
    if product.rig.link is not None:
        assert record.link == product.rig.link(product.crm)


@every_crm
async def test_which_record_changed_last_is_known_to_the_rule(product: Product) -> None:
    records = (await product.find(people.EMMA_AND_ENZO)).records

    assert all(record.modified_at for record in records)
    assert max(records, key=lambda record: record.modified_at or "").name == "Emma Roux"


# What goes wrong


@every_crm
async def test_refused_credentials(product: Product) -> None:
    subject = product.subject(product.rig.refused(product.crm))

    answer = await product.find(people.ALICE, subject=subject)
    asked = len(product.crm.seen)
    again = await product.find(people.ALICE, subject=subject)

    assert (answer.outcome, again.outcome) == (Outcome.CRM_ERROR, Outcome.CRM_ERROR)
    assert answer.problem
    if product.rig.signs_in:
        assert len(product.crm.seen) == asked, "a refused sign-in is not tried again at once"


@every_crm
async def test_an_expired_token_is_renewed_once(product: Product) -> None:
    if not product.rig.signs_in:
        pytest.skip("nothing expires")
    await product.find(people.ALICE)
    issued = product.crm.tokens.issued

    product.crm.tokens.expire_all()
    answers = await asyncio.gather(*(product.find(people.ALICE) for _ in range(5)))

    assert [answer.outcome for answer in answers] == [Outcome.FOUND] * 5
    assert product.crm.tokens.issued == issued + 1


@every_crm
async def test_throttled(product: Product) -> None:
    await product.find(people.ALICE)
    product.crm.mood = Mood.THROTTLED

    answer = await product.find(people.BRUNO, seconds=0.6)

    assert answer.outcome is Outcome.CRM_ERROR
    assert "too often" in answer.problem or "quota" in answer.problem


@every_crm
async def test_down_and_up_again(product: Product) -> None:
    await product.find(people.ALICE)
    product.crm.mood = Mood.DOWN

    answer = await product.find(people.BRUNO, seconds=0.6)
    product.crm.mood = Mood.WELL
    later = await product.find(people.BRUNO)

    assert (answer.outcome, later.outcome) == (Outcome.CRM_ERROR, Outcome.FOUND)


@every_crm
async def test_slow(product: Product) -> None:
    await product.find(people.ALICE)
    product.crm.mood = Mood.SLOW

    answer = await product.find(people.BRUNO, seconds=0.4)

    assert answer.outcome is Outcome.TIMEOUT
    assert "did not answer" in answer.problem


@every_crm
@pytest.mark.parametrize("mood", [Mood.NOT_JSON, Mood.WEB_PAGE, Mood.HUGE], ids=lambda mood: mood.value)
async def test_an_answer_that_is_none(product: Product, mood: Mood) -> None:
    await product.find(people.ALICE)
    product.crm.mood = mood

    answer = await product.find(people.BRUNO)

    assert answer.outcome is Outcome.CRM_ERROR
    assert answer.problem


@every_crm
async def test_an_unknown_field_is_told(product: Product) -> None:
    answer = await product.find(people.ALICE, product.rig.unknown_field)

    if product.rig.refuses_unknown_field:
        assert answer.outcome is Outcome.CRM_ERROR
    else:
        assert product.rig.unknown_field not in answer.records[0].values
    assert "field" in answer.problem


@every_crm
async def test_an_unknown_module_is_told(product: Product) -> None:
    answer = await product.find(people.ALICE, modules=("Spaceships",))

    assert answer.outcome is Outcome.CRM_ERROR
    assert "module" in answer.problem


@every_crm
@pytest.mark.parametrize("number", HOSTILE_NUMBERS)
async def test_a_hostile_number_finds_nobody(product: Product, number: str) -> None:
    answer = await product.find(number)

    assert (answer.outcome, answer.problem) == (Outcome.NOT_FOUND, "")
    assert product.crm.data_requests == []


@every_crm
@pytest.mark.parametrize("digits", HOSTILE_DIGITS)
async def test_hostile_digits_find_nobody(product: Product, digits: str) -> None:
    answer = await product.find(digits=digits)

    assert answer.records == ()
    assert "mistake of its own" not in answer.problem


@every_crm
@pytest.mark.parametrize("name", HOSTILE_NAMES)
async def test_hostile_names_are_refused_before_anything_is_sent(product: Product, name: str) -> None:
    await product.find(people.ALICE)
    asked = len(product.crm.data_requests)

    by_field = await product.find(people.BRUNO, name)
    by_module = await product.find(people.BRUNO, modules=(name,))
    by_digits = await product.find(digits="4711", digits_field=name or "a b")

    for answer in (by_field, by_module, by_digits):
        assert answer.outcome is Outcome.CRM_ERROR
        assert "cannot be the name of" in answer.problem
    assert len(product.crm.data_requests) == asked


@every_crm
async def test_cancelled_while_the_crm_is_slow(product: Product) -> None:
    await product.find(people.ALICE)
    product.crm.mood = Mood.SLOW
    product.crm.is_asked.clear()

    asking = asyncio.create_task(product.find(people.BRUNO))
    await product.crm.is_asked.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    product.crm.mood = Mood.WELL

    assert (await product.find(people.BRUNO)).outcome is Outcome.FOUND


# What the CRM tells of itself


@every_crm
async def test_modules_are_listed(product: Product) -> None:
    if not has(product.rig, "modules"):
        pytest.skip("this CRM has no list of modules")

    listed = await product.abilities.modules(product.subject())

    assert {product.rig.contacts} <= {module.name for module in listed}
    assert all(module.label for module in listed)


@every_crm
async def test_fields_are_listed_with_labels_and_choices(product: Product) -> None:
    if not has(product.rig, "fields"):
        pytest.skip("this CRM has no list of fields")

    listed = {
        field.name: field for field in await product.abilities.fields(product.subject(), product.rig.contacts)
    }

    tier = listed[product.rig.tier]
    assert tier.label
    if tier.choices:
        spelt = [product.rig.tier_value(value) for value in ("Gold", "Silver", "Bronze")]
        assert [choice.value for choice in tier.choices] == spelt


@every_crm
async def test_the_fields_of_an_unknown_module(product: Product) -> None:
    if not has(product.rig, "fields"):
        pytest.skip("this CRM has no list of fields")

    with pytest.raises(LookupFailed) as failed:
        await product.abilities.fields(product.subject(), "Spaceships")

    assert failed.value.fault is Fault.MODULE


# The connection test


@every_crm
async def test_check_passes_every_step(product: Product) -> None:
    checked = await product.check(product.subject(), product.rig.tier)

    assert checked.is_well, checked.steps


@every_crm
async def test_check_names_refused_credentials(product: Product) -> None:
    checked = await product.check(product.subject(product.rig.refused(product.crm)))

    assert failing(checked.steps) in (Step.CREDENTIALS, Step.RIGHTS)


@every_crm
async def test_check_names_an_address_where_nothing_listens(product: Product) -> None:
    subject = product.subject()
    await product.crm.stop()

    checked = await product.check(subject)

    assert failing(checked.steps) is Step.ADDRESS


@every_crm
@pytest.mark.parametrize("mood", [Mood.DOWN, Mood.THROTTLED, Mood.WEB_PAGE, Mood.NOT_JSON])
async def test_check_of_a_crm_that_does_not_work_blames_neither_name_nor_encryption(
    product: Product, mood: Mood
) -> None:
    product.crm.mood, product.crm.retry_after = mood, "0"

    checked = await product.check(product.subject())

    assert failing(checked.steps) not in (Step.SETTINGS, Step.DNS, Step.TLS)


@every_crm
async def test_check_names_an_unknown_module(product: Product) -> None:
    checked = await product.check(product.subject(), modules=("Spaceships",))

    assert failing(checked.steps) is Step.MODULE


@every_crm
async def test_check_names_an_unknown_field(product: Product) -> None:
    checked = await product.check(product.subject(), product.rig.unknown_field)

    if has(product.rig, "fields"):
        assert failing(checked.steps) is Step.FIELD


def failing(steps: Any) -> Step:
    (failed,) = [step for step in steps if step.state is StepState.FAILED]
    assert failed.told
    assert failed.mend
    step: Step = failed.step
    return step


# Writing


def finished(product: Product, **changes: Any) -> FinishedCall:
    made = FinishedCall(
        tenant=ACME,
        integration=CRM,
        call_id=Uniqueid("pbx-a-1795473674.29"),
        ending=CallEnd.ANSWERED,
        started_at=1_777_626_000.0,  # 2026-05-01T09:00:00Z
        seconds=90,
        talk_seconds=63,
        caller=people.ALICE,
        called="+33142345001",
        module=product.rig.contacts,
        record_name="Alice Martin",
        subject="Inbound call from +33639980001 (answered)",
        decision="To queue gold, because line 1 holds: tier Gold = Gold <b>&'\"",
    )
    return replace(made, **changes)


async def alice(product: Product) -> str:
    return (await product.find(people.ALICE)).records[0].id


@pytest.fixture
def writes(rig: CrmRig) -> None:
    if not has(rig, "log_call"):
        pytest.skip("this CRM keeps no calls")


@every_crm
async def test_an_answered_call_is_logged_once(product: Product, writes: None) -> None:
    call = finished(product, record_id=await alice(product))

    logged = await product.abilities.log_call(product.subject(), call)
    if product.rig.knows_repeats:
        repeated = await product.abilities.log_call(product.subject(), replace(call, is_repeat=True))
        assert repeated.was_there
    else:
        with pytest.raises(LookupFailed, match="an earlier attempt"):
            await product.abilities.log_call(product.subject(), replace(call, is_repeat=True))

    (kept,) = product.crm.logged()
    assert not logged.was_there
    assert kept.subject == call.subject
    assert "line 1 holds" in kept.text
    assert kept.person == 1
    assert kept.seconds in (63, 120, None), "in the CRM's own unit: seconds, or whole minutes"
    assert kept.started.startswith("2026-05-01")
    assert kept.is_answered in (True, None)


@every_crm
@pytest.mark.parametrize("ending", [CallEnd.MISSED, CallEnd.ABANDONED, CallEnd.VOICEMAIL])
async def test_a_call_that_nobody_answered(product: Product, writes: None, ending: CallEnd) -> None:
    call = finished(product, ending=ending, talk_seconds=0, record_id=await alice(product))

    await product.abilities.log_call(product.subject(), call)

    (kept,) = product.crm.logged()
    assert kept.is_answered in (False, None)
    assert ending.value in kept.text


@every_crm
async def test_a_call_of_an_unknown_caller(product: Product, writes: None) -> None:
    call = finished(product, module="", record_name="", caller=people.NOBODY)

    await product.abilities.log_call(product.subject(), call)

    if not product.rig.logs_unknown_callers:
        assert product.crm.logged() == []
        return
    (kept,) = product.crm.logged()
    assert kept.person is None
    assert people.NOBODY in kept.text or people.NOBODY in kept.subject


@every_crm
async def test_a_record_is_made_for_an_unknown_caller(product: Product) -> None:
    if not has(product.rig, "create"):
        pytest.skip("this connector makes no records")
    module = product.rig.leads or product.rig.contacts

    made = await product.abilities.create(product.subject(), NewContact(module, people.NOBODY, "Nina Neuve"))

    assert made.id
    assert made.module == module


# Secrets


@every_crm
async def test_no_secret_is_told(product: Product, capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever happens: in answers, traces, errors, reports, logs and what the store keeps."""
    told: list[Any] = []
    for given in (product.rig.settings(product.crm), product.rig.refused(product.crm)):
        subject = product.subject(given)
        told += [repr(subject), repr(Account(subject.settings)), repr(subject.settings)]
        for mood in (Mood.WELL, Mood.THROTTLED, Mood.DOWN, Mood.NOT_JSON, Mood.WEB_PAGE):
            product.crm.mood = mood
            told.append(await product.find(people.ALICE, subject=subject, seconds=0.3))
            told.append(await product.check(subject))
    told.append(vars(product.store.grants))
    printed = capfd.readouterr()

    everything = f"{told} {printed.out} {printed.err}"
    assert "canary" not in everything
    for token in product.crm.tokens._alive:
        assert token not in everything
