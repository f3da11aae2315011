"""`make audit`: whether anything that is installed has a known vulnerability.

Two databases are asked in turn, PyPI's and OSV's, until one answers. Ends with 0 when none is known, with 1
when one is, and with 3 when no database could be asked: then nothing is known either way, and it says so.
pip-audit itself calls that "no known vulnerabilities".
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from deploy.supply.installed import ROOT, folded, installed, runtime_of, site_packages

SERVICES = ("pypi", "osv")
TIMEOUT_SECONDS = 15
SOUND, VULNERABLE, NOT_ASKED = 0, 1, 3


@dataclass(frozen=True)
class Vulnerability:
    package: str
    version: str
    id: str
    fixed_in: str


@dataclass(frozen=True)
class Judgement:
    """What a database said."""

    asked: int
    """Packages that it knows."""
    unknown: tuple[str, ...]
    vulnerabilities: tuple[Vulnerability, ...]


def judged(document: Mapping[str, Any]) -> Judgement:
    """pip-audit's JSON. The project itself is published nowhere, and not asked for."""
    listed = [one for one in document["dependencies"] if folded(one["name"]) != ROOT]
    known = [one for one in listed if "skip_reason" not in one]
    found = [
        Vulnerability(one["name"], one["version"], _names(each), ", ".join(each["fix_versions"]))
        for one in known
        for each in one["vulns"]
    ]
    unknown = tuple(sorted(one["name"] for one in listed if "skip_reason" in one))
    return Judgement(len(known), unknown, tuple(found))


def _names(vulnerability: Mapping[str, Any]) -> str:
    return ", ".join([vulnerability["id"], *vulnerability.get("aliases", ())][:2])


def ask(service: str, folder: Path) -> Judgement | None:
    """None where the database did not answer."""
    command = [sys.executable, "-m", "pip_audit", "--path", str(folder), "-s", service, "-f", "json"]
    command += ["--progress-spinner", "off", "--timeout", str(TIMEOUT_SECONDS)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        judgement = judged(json.loads(ended.stdout))
    except (ValueError, KeyError):
        return None
    return judgement if judgement.asked else None


def table(found: Sequence[Vulnerability], runtime: Mapping[str, object]) -> Table:
    made = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0))
    for name in ("package", "version", "used by", "vulnerability", "fixed in"):
        made.add_column(name)
    for one in found:
        user = "crmroute" if folded(one.package) in runtime else "tests only"
        made.add_row(one.package, one.version, user, one.id, one.fixed_in or "no release yet")
    return made


def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    folder = site_packages()
    judgement = None
    for service in SERVICES:
        with console.status(f"asking {service}'s database"):
            judgement = ask(service, folder)
        if judgement is not None:
            break
    if judgement is None:
        console.print(
            "[bold yellow]Not audited:[/] neither PyPI's database of vulnerabilities nor OSV's could be"
        )
        console.print(
            "asked from here. What is installed may be vulnerable or not; run it where they can be reached."
        )
        return NOT_ASKED
    return _tell(judgement, service, folder, console)


def _tell(judgement: Judgement, service: str, folder: Path, console: Console) -> int:
    if judgement.vulnerabilities:
        console.print(table(judgement.vulnerabilities, runtime_of(installed(folder))))
    if judgement.unknown:
        console.print(f"Not known to {service}'s database: {', '.join(judgement.unknown)}")
    count = len(judgement.vulnerabilities)
    verdict = f"[bold red]{count} known vulnerabilities[/]" if count else "[green]no known vulnerability[/]"
    console.print(f"{judgement.asked} packages asked for in {service}'s database: {verdict}")
    return VULNERABLE if count else SOUND


if __name__ == "__main__":
    sys.exit(main())
