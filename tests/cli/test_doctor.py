"""`crmroute doctor`: each thing that can be wrong, what is said of it, and how long it takes."""

import re
import time
from pathlib import Path
from typing import Any

import pytest

from router.ami.inspection import Step
from router.cli.doctor.dialplan import sets_state
from router.cli.doctor.findings import Area, State
from router.cli.doctor.names import is_address, url_hosts
from router.cli.doctor.redis import examine_store
from router.store.memory import MemoryStore
from router.store.seams import StoreHealth
from tests.cli.asterisk import ALLOWED, CONTEXTS, EMPTY_START, Scripted, scripted_asterisk
from tests.cli.conftest import Crmroute, Ran
from tests.cli.site import write_site

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def doctor(crmroute: Crmroute, tmp_path: Path, redis_url: str) -> Any:
    def run(script: Scripted, *words: str) -> Ran:
        with scripted_asterisk(script) as port:
            folder = write_site(tmp_path / "config", redis_url, ami_port=port)
            return crmroute("doctor", "--config", str(folder), *words)

    return run


def findings(ran: Ran, area: str = "asterisk pbx-a") -> dict[str, Any]:
    return {one["what"]: one for one in ran.json["findings"] if one["area"] == area}


def test_sound_server_is_green(doctor: Any) -> None:
    found = findings(doctor(Scripted(), "--json"))

    assert {one["state"] for one in found.values()} == {"ok"}, found
    assert {
        "reachable",
        "login",
        "version",
        "systemname",
        "clock",
        "rights needed",
        "rights too many",
    } <= set(found)
    assert {"functions", "dialplan", "limits", "templates", "destinations"} <= set(found)
    assert found["reachable"]["ms"] > 0


def test_nothing_is_changed_on_asterisk(doctor: Any) -> None:
    script = Scripted(seen=[])

    doctor(script)

    asking = {"Login", "ListCommands", "CoreSettings", "Ping", "Getvar", "ShowDialPlan"}
    assert set(script.seen) <= asking


WRONG: dict[str, tuple[Scripted, str, State, str]] = {
    "secret": (Scripted(secret="another"), "login", State.WRONG, "Authentication failed"),
    "not AMI": (Scripted(banner="SSH-2.0-OpenSSH"), "reachable", State.WRONG, "SSH-2.0"),
    "too old": (Scripted(version="18.26.4"), "version", State.WRONG, "18.26.4"),
    "loses redirects": (Scripted(version="22.5.0"), "version", State.WARNING, "22.5.0"),
    "no systemname": (Scripted(system_name=""), "systemname", State.WRONG, "not set"),
    "another systemname": (Scripted(system_name="pbx-b"), "systemname", State.WARNING, "pbx-b"),
    "clock behind": (Scripted(ahead_seconds=-90.0), "clock", State.WARNING, "90.0 s behind"),
    "no call right": (
        Scripted(allowed={name: by for name, by in ALLOWED.items() if "call" not in by}),
        "rights needed",
        State.WRONG,
        "Getvar, Setvar, Redirect",
    ),
    "originate right": (
        Scripted(allowed={**ALLOWED, "Originate": "originate,all", "Command": "command,all"}),
        "rights too many",
        State.WARNING,
        "command, originate",
    ),
    "no INC": (
        Scripted(functions=frozenset({"DIALPLAN_EXISTS"})),
        "functions",
        State.WRONG,
        "INC (func_math.so)",
    ),
    "no include": (Scripted(contexts={}), "dialplan", State.WRONG, "not included"),
    "part of the include": (
        Scripted(contexts={name: steps for name, steps in CONTEXTS.items() if name != "route-then"}),
        "dialplan",
        State.WRONG,
        "missing: route-then",
    ),
    "no empty priorities": (
        Scripted(contexts={**CONTEXTS, "route-land": (("s", 1, "Goto", "x"), ("s", 2, "Goto", "y"))}),
        "dialplan",
        State.WRONG,
        "route-land: priorities 1 and 2",
    ),
    "older include": (
        Scripted(contexts={**CONTEXTS, "route-hold": EMPTY_START}),
        "dialplan",
        State.WRONG,
        "route-hold sets no ROUTE_STATE",
    ),
    "short hold": (
        Scripted(contexts={**CONTEXTS, "route-settings": (("hold", 1, "Return", "3"),)}),
        "limits",
        State.WARNING,
        "the dialplan leaves first",
    ),
    "short grace": (
        Scripted(contexts={**CONTEXTS, "route-settings": (("grace", 1, "Return", "1"),)}),
        "limits",
        State.WARNING,
        "GRACE 1 s",
    ),
    "no template's context": (
        Scripted(contexts={name: steps for name, steps in CONTEXTS.items() if name != "route-conference"}),
        "templates",
        State.WARNING,
        "route-conference (conference)",
    ),
    "destination missing": (
        Scripted(missing=frozenset({"route-queue,gold,1"})),
        "destinations",
        State.WRONG,
        "route-queue,gold,1 (acme, “Loyalty”: queue gold)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_with_its_mend(doctor: Any, name: str) -> None:
    script, what, state, said = WRONG[name]

    ran = doctor(script, "--json")

    found = findings(ran)[what]
    assert (found["state"], said in found["found"]) == (state.value, True), found
    assert found["mend"]
    if state is State.WRONG:
        assert ran.code == 1


def test_silent_server_costs_seconds_only(doctor: Any) -> None:
    started = time.monotonic()

    ran = doctor(Scripted(is_silent=True), "--json")

    assert time.monotonic() - started < 5
    assert findings(ran)["reachable"]["state"] == "wrong"
    assert findings(ran, "redis")["reachable"]["state"] == "ok"


def test_unreachable_servers_are_red_and_the_rest_is_told(crmroute: Crmroute, tmp_path: Path) -> None:
    folder = write_site(tmp_path / "config", "redis://127.0.0.1:1/0")

    ran = crmroute("doctor", "--config", str(folder), "--json")

    assert ran.code == 1
    assert findings(ran)["reachable"]["state"] == "wrong"
    assert findings(ran, "redis")["reachable"]["state"] == "wrong"
    assert findings(ran, "configuration")["settings"]["state"] == "ok"


def test_table_is_for_people(doctor: Any) -> None:
    ran = doctor(Scripted(system_name=""))

    assert ran.code == 1
    assert re.search(r"✗\s+systemname\s+not set", ran.out)
    assert "→ Set systemname = pbx-a in asterisk.conf" in ran.out
    assert re.search(r"must be mended", ran.out)


def test_unusable_settings_are_the_only_thing_looked_at(crmroute: Crmroute, site: Path) -> None:
    (site / "local.toml").write_text("[router]\nhold_seconds = 'six'\n")

    ran = crmroute("doctor", "--config", str(site), "--json")

    assert ran.code == 1
    assert findings(ran, "configuration")["settings"]["state"] == "wrong"
    assert findings(ran, "everything else")["servers"]["state"] == "unknown"


def test_names_of_crms_are_resolved(doctor: Any) -> None:
    found = findings(doctor(Scripted(), "--json"), "names")

    assert found["crm.invalid"]["state"] == "wrong"
    assert "resolve" in found["crm.invalid"]["found"]


def test_hosts_are_found_in_any_setting() -> None:
    settings = {
        "url": "https://user:secret@crm.example:8443/x",
        "more": [{"token_url": "http://[::1]/"}, 5, "text"],
    }

    hosts = list(url_hosts(settings))

    assert hosts == ["crm.example", "::1"]
    assert [is_address(host) for host in hosts] == [False, True]


class HealthyAs(MemoryStore):
    def __init__(self, **changes: Any) -> None:
        super().__init__()
        self._changes = changes

    async def health(self) -> StoreHealth:
        usual: dict[str, Any] = {
            "server": "valkey",
            "version": "9.1.2",
            "mode": "standalone",
            "role": "master",
            "nodes": 1,
            "appends_only": True,
            "memory_policy": "noeviction",
            "time": time.time(),
            "round_trip_ms": 0.4,
        }
        return StoreHealth(**(usual | self._changes))


@pytest.mark.parametrize(
    ("changes", "what", "state"),
    [
        ({}, "role", State.OK),
        ({"version": "6.2.14"}, "version", State.WRONG),
        ({"role": "slave"}, "role", State.WRONG),
        ({"appends_only": False}, "persistence", State.WARNING),
        ({"memory_policy": "allkeys-lru"}, "memory policy", State.WRONG),
        ({"memory_policy": "volatile-ttl"}, "memory policy", State.OK),
        ({"round_trip_ms": 80.0}, "reachable", State.WARNING),
        ({"time": 0.0}, "clock", State.WARNING),
    ],
)
async def test_store_is_judged(changes: dict[str, Any], what: str, state: State) -> None:
    area = Area("redis")

    await examine_store(area, HealthyAs(**changes))

    assert {one.what: one.state for one in area.findings}[what] is state


def test_state_that_is_looked_for_is_the_one_that_the_dialplan_we_ship_sets() -> None:
    text = (PROJECT / "deploy" / "asterisk" / "crmroute.conf").read_text()
    hold = text[text.index("\n[route-hold]\n") : text.index("\n[route-land]\n")]
    shipped = [Step("s", 1, *found) for found in re.findall(r"(?m)^ same => n,(\w+)\((.*)\)$", hold)]

    assert sets_state(shipped)
    assert not sets_state(step for step in shipped if "ROUTE_STATE" not in step.data)


def test_contexts_of_the_script_are_those_we_ship() -> None:
    text = (PROJECT / "deploy" / "asterisk" / "crmroute.conf").read_text()

    for name in CONTEXTS:
        if CONTEXTS[name] is EMPTY_START and name in ("route-ask", "route-land"):
            begins = re.search(rf"(?ms)^\[{name}\]\nexten => s,1,NoOp\(\)\n same => n,NoOp\(\)$", text)
            assert begins is not None, name
