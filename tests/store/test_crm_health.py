"""How CRMs did when they were asked last, in every form of the store."""

from router.core.crm_states import AskedFor
from router.core.identities import IntegrationName, TenantId
from tests.store.rigs import Rig

ACME, OTHER = TenantId("acme"), TenantId("other")
CRM = IntegrationName("crm {of} mine")


async def test_it_is_told_as_it_was_noted_to_its_own_tenant_alone(rig: Rig) -> None:
    health = rig.store.crm_health
    assert await health.read(ACME, CRM, "r1") is None

    await health.note(ACME, CRM, "r1", AskedFor.LOOKUP, "é" * 600)

    told = await health.read(ACME, CRM, "r1")
    assert told is not None
    assert (told.purpose, set(told.problem)) == (AskedFor.LOOKUP, {"é"})
    assert 0 <= told.age_seconds <= told.since_seconds < 5
    assert await health.read(OTHER, CRM, "r1") is None
    assert await health.read(ACME, CRM, "r2") is None, "learnt with other settings"


async def test_since_when_it_fails_stays_until_it_does_well(rig: Rig) -> None:
    health = rig.store.crm_health
    await health.note(ACME, CRM, "r1", AskedFor.LOOKUP, "down")
    while (first := await health.read(ACME, CRM, "r1")) is None or first.since_seconds < 0.02:
        pass

    await health.note(ACME, CRM, "r1", AskedFor.TEST, "still down")
    failing = await health.read(ACME, CRM, "r1")
    await health.note(ACME, CRM, "r1", AskedFor.TEST, "")
    well = await health.read(ACME, CRM, "r1")
    await health.note(ACME, CRM, "r2", AskedFor.TEST, "")
    renamed = await health.read(ACME, CRM, "r2")

    assert failing is not None
    assert well is not None
    assert renamed is not None
    assert (failing.problem, failing.since_seconds >= first.since_seconds) == ("still down", True)
    assert failing.age_seconds < failing.since_seconds
    assert (well.problem, well.since_seconds) == ("", well.age_seconds)
    assert renamed.since_seconds == renamed.age_seconds


async def test_since_when_a_sign_in_fails_is_kept_for_its_identity(rig: Rig) -> None:
    grants = rig.store.grants
    await grants.note_problem(ACME, "g1", "me|sign_in|dead")
    while (first := await grants.read(ACME, "g1")) is None or first.problem_since_seconds < 0.02:
        pass

    await grants.note_problem(ACME, "g1", "me|sign_in|dead again")
    again = await grants.read(ACME, "g1")
    await grants.note_problem(ACME, "g1", "another|sign_in|dead")
    other = await grants.read(ACME, "g1")

    assert again is not None
    assert other is not None
    assert again.problem_since_seconds >= first.problem_since_seconds > again.problem_age_seconds
    assert other.problem_since_seconds == other.problem_age_seconds
