"""The last hour in figures, and the last minute's decisions."""

from msgspec.structs import replace

from router.core.decisions import Decision
from router.core.hours import TenantHour, hour, hour_began_at, tenant_hours
from router.core.identities import ServerName, TenantId, Uniqueid
from router.core.last_minute import KEPT_OF_TENANT, LastMinute
from tests.store.rigs import a_decision

NOW = 1_777_626_030.0
"""Half a minute after a whole one."""
THIS = 1_777_626_000.0
ACME, OTHER, QUIET = TenantId("acme"), TenantId("other"), TenantId("quiet")


def test_an_hour_has_sixty_minutes_and_ends_with_the_present_one() -> None:
    told = hour([(THIS, "found", 3), (THIS, "timeout", 1), (THIS - 59 * 60, "found", 2)], NOW)

    assert len(told.minutes) == 60
    assert hour_began_at(NOW) == told.minutes[0].begins_at == THIS - 59 * 60
    assert [(one.calls, one.failed) for one in (told.minutes[0], told.minutes[1], told.minutes[-1])] == [
        (2, 0),
        (0, 0),
        (4, 1),
    ]
    assert (told.calls, told.failed, told.busiest) == (6, 1, 4)
    assert told.outcomes == (("found", 5), ("timeout", 1))


def test_what_is_out_of_the_hour_is_not_in_it() -> None:
    told = hour([(THIS - 3600, "found", 3), (THIS + 60, "found", 3)], NOW)

    assert (told.calls, told.outcomes, told.busiest) == (0, (), 0)


def test_tenants_with_trouble_come_first_and_those_without_a_call_are_there() -> None:
    counted = [(ACME, "found", 90), (OTHER, "found", 1), (OTHER, "crm_error", 2)]

    assert tenant_hours([ACME, OTHER, QUIET], counted, {QUIET: (4, "401")}) == (
        TenantHour(tenant=OTHER, calls=3, failed=2),
        TenantHour(tenant=QUIET, calls=0, unwritten=4, problem="401"),
        TenantHour(tenant=ACME, calls=90),
    )


# The last minute


def of(call: str, tenant: TenantId = ACME, server: str = "pbx") -> Decision:
    return replace(a_decision(call), tenant=tenant, server=ServerName(server), call_id=Uniqueid(call))


def calls(minute: LastMinute, tenant: TenantId | None) -> list[str]:
    return [call.call for call in minute.decided(tenant, 100).calls]


def test_decisions_are_told_newest_first_to_their_tenant_and_go_after_a_minute() -> None:
    minute = LastMinute()
    minute.add([(50.0, of("a")), (20.0, of("b", OTHER, "pbx2")), (0.0, of("c"))], now=1_000.0)

    assert calls(minute, None) == ["c", "b", "a"]
    assert calls(minute, ACME) == ["c", "a"]
    assert calls(minute, OTHER) == ["b"]
    assert calls(minute, QUIET) == []
    assert (minute.of_server(ServerName("pbx")), minute.of_server(ServerName("pbx2"))) == (2, 1)

    minute.forget(1_015.0)
    assert calls(minute, ACME) == ["c"]
    minute.forget(1_060.0)
    assert (calls(minute, None), calls(minute, ACME), calls(minute, OTHER)) == ([], [], [])
    assert minute.of_server(ServerName("pbx")) == 0


def test_a_decision_that_was_recorded_twice_counts_once() -> None:
    minute = LastMinute()
    minute.add([(2.0, of("a")), (1.0, of("a"))], now=10.0)
    minute.add([(0.0, of("a"))], now=11.0)

    assert minute.decided(ACME, 100).count == 1


def test_all_of_a_minute_are_counted_and_the_newest_listed() -> None:
    minute = LastMinute()
    many = KEPT_OF_TENANT + 20
    minute.add([(30.0, of(f"a-{number}")) for number in range(many)], now=100.0)
    minute.add([(0.0, of("last"))], now=110.0)

    told = minute.decided(ACME, 10)
    assert (told.count, len(told.calls), told.calls[0].call) == (many + 1, 10, "last")
    minute.forget(150.0)
    assert calls(minute, ACME) == ["last"]
