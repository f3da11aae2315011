"""`crmroute prove` and `doctor --call` on a real Asterisk: green with our dialplan, red with a broken one."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.rig.asterisk import SAMPLES, RunningAsterisk
from deploy.rig.sample_site import Site
from router.cli.prove.account import SECRET_VARIABLE
from router.cli.prove.scenarios import scenarios
from tests.cli.conftest import Crmroute, Ran
from tests.live.conftest import free_port

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("prove")]

HOLD, GRACE, BURST = 1, 1, 20
CALLS = sum(scenario.calls for scenario in scenarios(BURST))

On = Callable[..., Ran]


@pytest.fixture
def on(crmroute: Crmroute, monkeypatch: pytest.MonkeyPatch) -> On:
    """Runs a command as the site's operator does."""

    def run(site: Site, *words: str) -> Ran:
        for name, value in site.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv(SECRET_VARIABLE, site.servers[0].ami_secret)
        return crmroute(*words)

    return run


@pytest.fixture(scope="module")
def pbx(rig: None) -> Iterator[RunningAsterisk]:
    with RunningAsterisk("pbx-a", hold=HOLD, grace=GRACE) as server:
        yield server


@pytest.fixture(scope="module")
def routed(pbx: RunningAsterisk, site_folder: Callable[[], Path]) -> Iterator[Site]:
    with Site(site_folder(), [pbx], free_port()) as site:
        site.write_local_settings()
        site.start_router()
        yield site


@pytest.fixture(scope="module")
def unrouted(rig: None, site_folder: Callable[[], Path]) -> Iterator[Site]:
    with RunningAsterisk("pbx-a", hold=HOLD, grace=GRACE) as server:
        site = Site(site_folder(), [server], free_port())
        site.write_local_settings()
        yield site


def prove(on: On, site: Site) -> tuple[int, dict[str, dict[str, Any]], dict[str, Any]]:
    """The exit code, the rows by their keys, and the whole."""
    ran = on(site, "prove", "--yes", "--burst", str(BURST), "--json")
    return ran.code, {row["key"]: row for row in ran.json["scenarios"]}, ran.json


def calls_of_doctor(on: On, site: Site) -> dict[str, dict[str, Any]]:
    found = on(site, "doctor", "--call", "--json").json["findings"]
    return {one["what"]: one for one in found if one["area"] == "asterisk pbx-a"}


def test_site_that_keeps_the_promises_is_proven(on: On, routed: Site) -> None:
    before = len({line.uniqueid for line in routed.servers[0].ledger() if line.what == "parked"})

    code, rows, proof = prove(on, routed)

    assert (code, proof["is_proven"]) == (0, True), rows
    assert (proof["calls"], proof["lost"], proof["double"]) == (CALLS, 0, 0)
    assert (proof["hold_seconds"], proof["grace_seconds"]) == (HOLD, GRACE)
    assert [rows[key]["taken"] for key in ("routed", "hostile", "burst")] == [5, 12, BURST]
    assert [rows[key]["defaulted"] for key in ("paused", "claimed", "missing")] == [10, 5, 5]
    assert rows["raced"]["taken"] + rows["raced"]["defaulted"] == 10
    assert rows["abandoned"]["gone"] == 10
    assert rows["paused"]["parked_seconds"] > HOLD - 0.1
    assert rows["claimed"]["parked_seconds"] > HOLD + GRACE - 0.1
    # Asterisk's own log has the same account.
    fates = list(routed.servers[0].wait_fates(before + CALLS).values())[before:]
    assert len(fates) == CALLS
    assert all(len(fate) == 1 for fate in fates)
    assert {fate[0].split()[-1] for fate in fates} == {
        *("route-prove/landed/1", "route-prove/default/1", "gone"),
    }


def test_test_calls_leave_no_channel_and_no_dropped_link(on: On, routed: Site) -> None:
    on(routed, "prove", "--yes", "--burst", "1")

    assert routed.servers[0].channels() == 0
    assert "asterisk.disconnected" not in routed.processes["router-a"].text()
    assert "ami.message_dropped" not in routed.processes["router-a"].text()


def test_without_a_router_the_calls_are_safe_and_the_site_is_not_proven(on: On, unrouted: Site) -> None:
    code, rows, proof = prove(on, unrouted)

    assert (code, proof["is_proven"], proof["lost"]) == (1, False, 0)
    assert [key for key, row in rows.items() if row["problems"]] == ["routed"]
    assert rows["routed"]["problems"] == ["5 calls ended otherwise: 5 at the default (hold)"]
    assert "Start a router" in rows["routed"]["mend"]


# What is changed in crmroute.conf, and the scenario that must tell of it.
SABOTAGE = {
    "waits too long": (
        "n,Wait(${ROUTE_HOLD_SECONDS})",
        "n,Wait($[${ROUTE_HOLD_SECONDS} + 2])",
        "paused",
        "10 calls parked up to ",
    ),
    "leaves without a claim": (
        "Set(ROUTE_GOT=${INC(ROUTE_CLAIM_${ROUTE_N})})",
        "Set(ROUTE_GOT=1)",
        "claimed",
        "ended otherwise: 5 at the default (hold)",
    ),
    "hangs up": (
        'GotoIf($["${ROUTE_GOT}" = "1"]?route-default,s,1)',
        'GotoIf($["${ROUTE_GOT}" = "1"]?route-nowhere,s,1)',
        "paused",
        "10 calls reached no destination",
    ),
    "believes that all destinations exist": (
        'GotoIf($["${ROUTE_EXISTS}" = "1"]?found)',
        "Goto(found)",
        "missing",
        "5 calls ended otherwise: 5 taken",
    ),
    "lets callers write headers": (
        "same => n,Set(CALLERID(num)=${ROUTE_TIDY})",
        "same => n,NoOp()",
        "hostile",
        "callers wrote headers of AMI",
    ),
}


@pytest.mark.parametrize("name", SABOTAGE)
def test_dialplan_that_breaks_a_promise_is_found_out(
    on: On, rig: None, site_folder: Callable[[], Path], name: str
) -> None:
    former, changed, key, said = SABOTAGE[name]
    text = (SAMPLES / "crmroute.conf").read_text()
    assert former in text
    files = {"crmroute.conf": text.replace(former, changed)}
    with RunningAsterisk("pbx-a", hold=HOLD, grace=GRACE, files=files) as server:
        site = Site(site_folder(), [server], free_port())
        site.write_local_settings()

        code, rows, _ = prove(on, site)

    assert code == 1
    assert any(said in problem for problem in rows[key]["problems"]), rows[key]
    assert "crmroute.conf" in rows[key]["mend"]


def test_doctor_measures_fail_open_with_the_router_paused(on: On, routed: Site) -> None:
    found = calls_of_doctor(on, routed)

    states = {what: found[what]["state"] for what in ("test call", "hears calls", "fail-open")}
    assert set(states.values()) == {"ok"}, found
    assert found["test call"]["ms"] < HOLD * 1000
    assert "at its default after 1." in found["fail-open"]["found"]
    assert "(HOLD 1 s)" in found["fail-open"]["found"]


def test_doctor_warns_when_no_router_takes_its_call(on: On, unrouted: Site) -> None:
    found = calls_of_doctor(on, unrouted)

    assert found["test call"]["state"] == "warning"
    assert "Start a router" in found["test call"]["mend"]
    assert (found["hears calls"]["state"], found["fail-open"]["state"]) == ("ok", "ok")


def test_doctor_places_no_call_unless_it_is_told_to(on: On, unrouted: Site) -> None:
    before = len(unrouted.servers[0].ledger())

    ran = on(unrouted, "doctor", "--json")

    assert not {"test call", "fail-open"} & {one["what"] for one in ran.json["findings"]}
    assert len(unrouted.servers[0].ledger()) == before


def test_doctor_tells_a_routers_account_that_hears_no_calls(
    on: On, rig: None, site_folder: Callable[[], Path]
) -> None:
    with RunningAsterisk("pbx-a", hold=HOLD, grace=GRACE) as server:
        manager = server.directory / "etc" / "manager.conf"
        manager.write_text(manager.read_text().replace("read = user,system", "read = system"))
        server.command("manager reload")
        site = Site(site_folder(), [server], free_port())
        site.write_local_settings()

        found = calls_of_doctor(on, site)

    assert found["hears calls"]["state"] == "wrong"
    assert "[router-a]: read = user,system" in found["hears calls"]["mend"]
