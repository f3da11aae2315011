"""What holds for every command: help, version, wrong usage, the configuration folder, completion."""

import subprocess
import sys
from pathlib import Path

import pytest

from router.cli.output import plain
from tests.cli.conftest import Crmroute

COMMANDS = ("run", "router", "worker", "check", "route", "calls", "why", "crm", "doctor", "completion")


def test_help_names_every_command_and_the_exit_codes(crmroute: Crmroute) -> None:
    ran = crmroute("--help")

    assert ran.code == 0
    for command in COMMANDS:
        assert f" {command} " in ran.out
    assert "Exit codes:" in ran.out


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_the_options_of_all(crmroute: Crmroute, command: str) -> None:
    ran = crmroute(command, "--help")

    assert ran.code == 0
    assert "--config" in ran.out
    assert "--json" in ran.out


def test_unknown_command_is_wrong_usage_and_names_the_likely_one(crmroute: Crmroute) -> None:
    ran = crmroute("chek")

    assert ran.code == 2
    assert 'Did you mean "check"?' in ran.err
    assert ran.out == ""


def test_missing_option_is_wrong_usage(crmroute: Crmroute) -> None:
    ran = crmroute("route", "--tenant", "acme", "--to", "1")

    assert ran.code == 2
    assert "--from" in ran.err


def test_missing_folder_is_named_with_the_way_to_name_another(crmroute: Crmroute, tmp_path: Path) -> None:
    ran = crmroute("calls", "--config", str(tmp_path / "nowhere"))

    assert ran.code == 2
    assert "nowhere" in ran.err
    assert "CRMROUTE_CONFIG" in ran.err


def test_folder_may_come_from_the_environment(
    crmroute: Crmroute, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRMROUTE_CONFIG", str(site))

    assert crmroute("calls").code == 0


def test_options_of_all_may_stand_before_the_command(crmroute: Crmroute, site: Path) -> None:
    assert crmroute("--config", str(site), "--json", "why", "nobody").code == 1


def test_wrong_settings_are_wrong_usage_with_file_and_line(crmroute: Crmroute, site: Path) -> None:
    (site / "local.toml").write_text("[router]\nhold_second = 5\n")

    ran = crmroute("calls", "--config", str(site))

    assert ran.code == 2
    assert "local.toml:2" in ran.err.replace("\n", "")
    assert "hold_seconds" in ran.err


def test_store_out_of_reach_is_said_without_a_traceback(crmroute: Crmroute, site: Path) -> None:
    local = site / "local.toml"
    local.write_text(local.read_text().replace("unix:///tmp", "unix:///tmp/nowhere"))

    ran = crmroute("calls", "--config", str(site))

    assert ran.code == 3
    assert "store" in ran.err
    assert "Traceback" not in ran.err


def test_version_is_told(crmroute: Crmroute) -> None:
    assert crmroute("--version").out.startswith("crmroute ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_commands(crmroute: Crmroute, shell: str) -> None:
    ran = crmroute("completion", shell)

    assert ran.code == 0
    assert "doctor" in ran.out
    assert "--config" in ran.out or "config" in ran.out


def test_module_is_the_same_program() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "router", "chek"], capture_output=True, text=True, check=False
    )

    assert ran.returncode == 2
    assert ran.stderr.startswith("crmroute: ")


def test_reader_that_leaves_early_is_no_error(site: Path) -> None:
    command = f"{sys.executable} -m router check --json --config {site} | true"

    ran = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )

    assert "Traceback" not in ran.stderr
    assert "BrokenPipe" not in ran.stderr


def test_control_signs_of_a_caller_do_not_reach_the_terminal() -> None:
    assert plain("a\x1b[31mb\ud800c\td") == "a [31mb c d"
