"""`crmroute run` and `crmroute worker`, with small programs in the router's and the worker's place."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import Crmroute
from tests.cli.site import write_site

LASTING = "import signal\nwhile True: signal.pause()"
STAND_INS = """
import sys
from router.cli import main, run
from router.cli.children import Command
run.router_command = lambda: Command("router", (sys.executable, "-c", {router!r}))
run.worker_command = lambda: Command("worker", (sys.executable, "-c", {worker!r}))
sys.exit(main(sys.argv[1:]))
"""


@contextmanager
def running(*words: str, router: str = LASTING, worker: str = LASTING) -> "Iterator[subprocess.Popen[str]]":
    program = STAND_INS.format(router=router, worker=worker)
    command = [sys.executable, "-c", program, "run", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        yield process
        process.kill()


def lines_until(process: "subprocess.Popen[str]", text: str) -> list[str]:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.strip())
        if text in line:
            break
    return lines


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_tells_what_it_starts_and_stops_it_all(site: Path, number: signal.Signals) -> None:
    with running("--config", str(site)) as process:
        begun = lines_until(process, "worker")
        process.send_signal(number)
        ended = lines_until(process, "has stopped")
        code = process.wait(20)

    assert code == 0
    assert begun[0].startswith("redis    is at unix://")
    assert "asterisk pbx-a at 127.0.0.1:1, as router-a" in begun
    assert any(line.startswith("router   started as process") for line in begun)
    assert sum("was asked to end" in line for line in ended) == 2


def test_run_json_is_one_object_a_line(site: Path) -> None:
    with running("--config", str(site), "--json") as process:
        started = [json.loads(line) for line in lines_until(process, "worker")]
        process.terminate()
        process.wait(20)

    assert [one["what"] for one in started] == ["started", "started"]
    assert all(one["pid"] > 0 for one in started)


def test_run_starts_redis_where_none_is_configured(tmp_path: Path) -> None:
    folder = write_site(tmp_path / "config", "")
    local = folder / "local.toml"
    local.write_text(local.read_text().replace("[redis]", f'[redis]\nembedded_folder = "{tmp_path}/r"'))

    with running("--config", str(folder)) as process:
        begun = lines_until(process, "worker")
        process.terminate()
        process.wait(20)

    assert any("embedded server" in line for line in begun)


def test_run_gives_up_when_a_child_says_its_configuration_is_wrong(site: Path) -> None:
    with running("--config", str(site), worker="raise SystemExit(2)") as process:
        _, said = process.communicate(timeout=20)

    assert process.returncode == 2
    assert "the worker cannot work with this configuration" in said


def test_run_with_wrong_settings_starts_nothing(crmroute: Crmroute, site: Path) -> None:
    (site / "local.toml").write_text("[router]\nhold_seconds = -1\n")

    ran = crmroute("run", "--config", str(site))

    assert ran.code == 2
    assert "hold_seconds" in ran.err
    assert ran.out == ""


def test_worker_becomes_the_workers_program_with_this_configuration(
    crmroute: Crmroute, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    became: list[tuple[str, ...]] = []
    monkeypatch.setenv("CRMROUTE_CONFIG", "elsewhere")
    monkeypatch.setattr(os, "execv", lambda program, words: became.append((program, *words)))

    crmroute("worker", "--config", str(site))

    assert became == [(sys.executable, sys.executable, "-m", "workers")]
    assert os.environ["CRMROUTE_CONFIG"] == str(site.absolute())
