"""`crmroute prove` where it cannot be run: exit code 2, no call placed, and the way to put it right."""

import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from router.cli.prove.account import SECRET_VARIABLE
from router.cli.prove.scenarios import CONTEXTS as NEEDED_CONTEXTS
from router.cli.prove.scenarios import HOSTILE_CALLERS
from tests.cli.asterisk import ALLOWED, CONTEXTS, EMPTY_START, PROVERS, Scripted, scripted_asterisk
from tests.cli.conftest import Crmroute, Ran
from tests.cli.site import write_site

DIALPLAN = Path(__file__).resolve().parents[2] / "deploy" / "asterisk" / "crmroute-prove.conf"
WITH_TEST_CALLS = {**CONTEXTS, **dict.fromkeys(NEEDED_CONTEXTS, EMPTY_START)}


@pytest.fixture
def prove(crmroute: Crmroute, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv(SECRET_VARIABLE, "a-secret")
    monkeypatch.setattr("sys.stdin", StringIO())

    def run(script: Scripted, *words: str) -> Ran:
        with scripted_asterisk(script) as port:
            folder = write_site(tmp_path / "config", redis_url, ami_port=port)
            return crmroute("prove", "--config", str(folder), *words)

    return run


UNFIT: dict[str, tuple[Scripted, tuple[str, ...], str, str]] = {
    "nobody to ask": (Scripted(), (), "prove places calls", "--yes"),
    "secret": (Scripted(secret="another"), ("--yes",), "refuses the account prove", "[prove]"),
    "a router's account": (
        Scripted(allowed=ALLOWED),
        ("--yes",),
        "may not Originate, CoreStatus",
        "write = originate,call,reporting",
    ),
    "no include": (
        Scripted(allowed=PROVERS),
        ("--yes",),
        "no context route-prove",
        "crmroute-prove.conf",
    ),
    "production": (
        Scripted(allowed=PROVERS, contexts=WITH_TEST_CALLS, live_calls=37),
        ("--yes",),
        "pbx-a carries 37 live calls",
        "--live-most 37",
    ),
    "another server": (Scripted(), ("--yes", "--server", "pbx-b"), "no Asterisk server pbx-b", "pbx-a"),
    "no burst": (Scripted(), ("--yes", "--burst", "0"), "--burst 0", "1 to 500"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_is_not_fit_is_told_and_no_call_is_placed(prove: Any, name: str) -> None:
    script, words, what, mend = UNFIT[name]
    script.seen = []

    ran = prove(script, *words)

    assert (ran.code, ran.out) == (2, "")
    assert what in ran.err
    assert mend in ran.err
    assert "Originate" not in script.seen


class Keyboard(StringIO):
    def isatty(self) -> bool:
        return True


def test_whoever_is_asked_and_does_not_agree_places_no_call(
    prove: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Keyboard("n\n"))
    script = Scripted(seen=[])

    ran = prove(script)

    assert (ran.code, script.seen) == (2, [])
    assert "prove places 107 test calls on pbx-a" in ran.err
    assert "no call was placed" in ran.err


def test_account_that_hears_nothing_is_told_what_it_lacks(
    prove: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside more live calls than usual, for that was allowed."""
    monkeypatch.setattr("router.cli.prove.stage.HEARD_SECONDS", 0.1)
    script = Scripted(allowed=PROVERS, contexts=WITH_TEST_CALLS, live_calls=37, seen=[])

    ran = prove(script, "--yes", "--live-most", "37")

    assert ran.code == 2
    assert "nothing was heard of them" in ran.err
    assert "[prove]: read = user" in ran.err
    assert script.seen.count("Originate") == 5  # the first act alone


def test_unreachable_server_could_not_be_proved(
    crmroute: Crmroute, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, "a-secret")

    ran = crmroute("prove", "--yes", "--config", str(site))

    assert ran.code == 2
    assert "pbx-a at 127.0.0.1:1" in ran.err
    assert "crmroute doctor" in ran.err


def test_secret_comes_from_a_file(prove: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET_VARIABLE)
    (tmp_path / "secret").write_text("a-secret\n")

    ran = prove(Scripted(), "--yes", "--secret-file", str(tmp_path / "secret"))

    assert "may not Originate" in ran.err  # so it was let in


@pytest.mark.parametrize("command", [("prove", "--yes"), ("doctor", "--call")])
def test_without_a_secret_nothing_is_begun(
    crmroute: Crmroute, site: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)
    monkeypatch.setattr("sys.stdin", StringIO())

    ran = crmroute(*command, "--config", str(site))

    assert ran.code == 2
    assert SECRET_VARIABLE in ran.err


def test_doctor_tells_why_it_cannot_call_beside_all_else(
    crmroute: Crmroute, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, "a-secret")
    script = Scripted(seen=[])
    with scripted_asterisk(script) as port:
        folder = write_site(tmp_path / "config", redis_url, ami_port=port)
        ran = crmroute("doctor", "--call", "--config", str(folder), "--json")

    found = {one["what"]: one for one in ran.json["findings"] if one["area"] == "asterisk pbx-a"}
    assert found["login"]["state"] == "ok"
    assert found["test calls"]["state"] == "wrong"
    assert "originate,call,reporting" in found["test calls"]["mend"]
    assert "Originate" not in script.seen


def test_contexts_that_are_needed_are_those_we_ship_with_a_caller_for_each_number() -> None:
    text = DIALPLAN.read_text()

    assert sorted(re.findall(r"(?m)^\[([a-z-]+)\]$", text)) == sorted(NEEDED_CONTEXTS)
    callers = text[text.index("[route-prove-callers]") : text.index("[route-prove-signs]")]
    assert re.findall(r"(?m)^exten => (\d+),1,", callers) == [f"{at:02d}" for at in range(HOSTILE_CALLERS)]
