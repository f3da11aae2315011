"""The running system, as its routers tell of it: each call once, each server once, and what is silent."""

from msgspec.structs import replace

from router.core.identities import RouterName, RuleName, ServerName, TenantId, Uniqueid
from router.core.installation import parked_now, routers_seen, servers_seen
from router.core.parked_lists import ParkedTally
from router.core.statuses import (
    LISTED_MOST,
    LISTED_OF_TENANT,
    ParkedCall,
    RouterStatus,
    ServerStatus,
    ToldStatus,
)
from tests.core.makers import at, begin, parked, plan

ACME, OTHER = TenantId("acme"), TenantId("other")
PBX1, PBX2 = ServerName("pbx1"), ServerName("pbx2")


def call(number: int, seconds: float = 1.0, tenant: TenantId = ACME, server: ServerName = PBX1) -> ParkedCall:
    return ParkedCall(
        server=server,
        call=Uniqueid(f"{server}-{number}"),
        parking=1,
        tenant=tenant,
        caller="+33612345678",
        called="+33142345001",
        rule=RuleName("Loyalty"),
        parked_seconds=seconds,
    )


def server(name: ServerName = PBX1, **changes: object) -> ServerStatus:
    known = ServerStatus(server=name, is_connected=True, since_seconds=60.0, version="22.10.1")
    return replace(known, **changes)


def told(
    name: str, *calls: ParkedCall, age: float = 0.0, servers: tuple[ServerStatus, ...] = ()
) -> ToldStatus:
    router = RouterName(name)
    status = RouterStatus(router=router, version="1", up_seconds=10.0, servers=servers, parked=calls)
    return ToldStatus(router, age, status)


SILENT = ToldStatus(RouterName("router-9"), 75.0, None)


def test_a_call_that_two_routers_hold_is_shown_once() -> None:
    both = server(parked=2, parked_of={ACME: 1, OTHER: 1})
    calls = (call(1, 2.0), call(2, 5.0, OTHER))

    now = parked_now([told("a", *calls, servers=(both,)), told("b", *calls, age=0.5, servers=(both,))])

    assert now.count == 2
    assert [(one.call, one.parked_seconds) for one in now.calls] == [("pbx1-2", 5.0), ("pbx1-1", 2.0)]


def test_a_call_ages_with_its_status() -> None:
    (only,) = parked_now([told("a", call(1, 2.0), age=1.5)]).calls

    assert only.parked_seconds == 3.5


def test_a_tenant_s_calls_are_its_own() -> None:
    both = server(parked=3, parked_of={ACME: 1, OTHER: 2})
    status = told("a", call(1), call(2, tenant=OTHER), call(3, tenant=OTHER), servers=(both,))

    assert [one.call for one in parked_now([status], ACME).calls] == ["pbx1-1"]
    assert parked_now([status], ACME).count == 1
    assert parked_now([status], TenantId("nobody")).count == 0


def test_calls_beyond_the_list_are_counted_over_all_servers() -> None:
    first = told("a", call(1), servers=(server(parked=700, parked_of={ACME: 700}),))
    second = told("b", servers=(server(PBX2, parked=40, parked_of={ACME: 40}),))

    assert parked_now([first, second, SILENT], ACME).count == 740


def test_a_server_is_told_by_each_router_that_watches_it() -> None:
    down = server(is_connected=False, since_seconds=5.0, problem="connection refused", version="")
    (view,) = servers_seen([told("b", servers=(server(parked=3),)), told("a", servers=(down,), age=1.0)])

    assert [(link.router, link.is_connected, link.since_seconds) for link in view.links] == [
        ("a", False, 6.0),
        ("b", True, 60.0),
    ]
    assert (view.version, view.parked, view.is_reached, view.has_trouble) == ("22.10.1", 3, True, True)


def test_servers_that_nobody_reaches_come_first_and_one_that_nobody_tells_of_is_missed() -> None:
    down = server(PBX2, is_connected=False, problem="login refused")
    views = servers_seen([told("a", servers=(server(), down))], known=(PBX1, PBX2, ServerName("pbx0")))

    assert [(view.server, view.is_reached, len(view.links)) for view in views] == [
        ("pbx0", False, 0),
        ("pbx2", False, 1),
        ("pbx1", True, 1),
    ]


def test_a_silent_router_is_missed_and_tells_nothing() -> None:
    views = routers_seen(
        [told("a", call(1), servers=(server(parked=1), server(PBX2, is_connected=False))), SILENT]
    )

    assert [(view.router, view.silent_seconds, view.connected, view.servers) for view in views] == [
        ("router-9", 75.0, 0, 0),
        ("a", 0.0, 1, 2),
    ]
    assert parked_now([SILENT]).calls == ()


# What a router lists of its own


def test_a_tally_lists_the_oldest_of_each_tenant_and_counts_all() -> None:
    made, _ = begin(plan())
    many = [replace(made, parked=parked(uniqueid=Uniqueid(f"a-{n}"))) for n in range(LISTED_OF_TENANT + 5)]
    tally = ParkedTally(at(3).monotonic)
    tally.add(many)
    tally.add([replace(made, parked=parked(tenant=OTHER))])

    assert [one.call for one in tally.calls[:2]] == ["a-0", "a-1"]
    assert len(tally.calls) == LISTED_OF_TENANT + 1
    assert tally.counts(PBX1) == {ACME: LISTED_OF_TENANT + 5, OTHER: 1}
    assert tally.count(PBX1) == LISTED_OF_TENANT + 6
    assert tally.calls[0].parked_seconds == 3.0
    assert tally.calls[0].rule == "Sales"


def test_a_tally_is_bounded() -> None:
    made, _ = begin(plan())
    tally = ParkedTally(at(0).monotonic)
    tally.add(replace(made, parked=parked(tenant=TenantId(f"t{n}"), did="9" * 500)) for n in range(5_000))

    assert len(tally.calls) == LISTED_MOST
    assert len(tally.counts(PBX1)) == 1_000
    assert tally.count(PBX1) == 5_000


def test_a_withheld_number_is_not_told() -> None:
    made, _ = begin(plan(), parked(presentation="prohib"))
    tally = ParkedTally(at(0).monotonic)
    tally.add([made])

    assert tally.calls[0].caller == ""
