"""`make sbom`: the bill of materials of what crmroute runs with, as CycloneDX JSON in `dist/`.

cyclonedx-py describes the environment, licences included; what only the tests need is taken out, and the hash
of each package's file, as the index has it for this machine, is put in. The same packages give the same file,
byte by byte: it holds no moment, no random number and no path.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from deploy.supply.installed import PROJECT, folded, installed, runtime_of, site_packages

Bill = dict[str, Any]
PYTHON = PROJECT / ".venv" / "bin" / "python"


def described() -> Bill:
    """All of the environment."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible"]
    command += ["--pyproject", "pyproject.toml", "--mc-type", "application", "--sv", "1.6", str(PYTHON)]
    written = subprocess.run(command, capture_output=True, check=True, cwd=PROJECT).stdout
    bill: Bill = json.loads(written)
    return bill


def only(bill: Bill, runtime: Collection[str]) -> Bill:
    """Without what is not needed at run time."""
    kept = [one for one in bill["components"] if folded(one["name"]) in runtime]
    root = bill["metadata"]["component"]["bom-ref"]
    references = {one["bom-ref"] for one in kept} | {root}
    dependencies = [
        one | {"dependsOn": [name for name in one.get("dependsOn", ()) if name in references]}
        for one in bill["dependencies"]
        if one["ref"] in references
    ]
    return bill | {"components": kept, "dependencies": dependencies}


def with_hashes(bill: Bill, hashes: Mapping[str, str]) -> Bill:
    """`hashes`: SHA-256 of each package's file, by folded name."""
    components = [
        one | {"hashes": [{"alg": "SHA-256", "content": hashes[folded(one["name"])]}]}
        if folded(one["name"]) in hashes
        else one
        for one in bill["components"]
    ]
    return bill | {"components": components}


def hashes_of(pinned: Sequence[str]) -> dict[str, str]:
    """As the index has them; empty where it cannot be asked."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            str(PYTHON),
            "-m",
            "pip",
            "install",
            "--dry-run",
            "--ignore-installed",
            "--no-deps",
            "--quiet",
        ]
        command += ["--disable-pip-version-check", "--report", str(report), *pinned]
        ended = subprocess.run(command, capture_output=True, check=False, cwd=PROJECT)
        return hashes_in(json.loads(report.read_bytes())) if ended.returncode == 0 else {}


def hashes_in(report: Mapping[str, Any]) -> dict[str, str]:
    """Of pip's report of an installation."""
    found = {}
    for one in report["install"]:
        sha256 = one["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256")
        if sha256:
            found[folded(one["metadata"]["name"])] = sha256
    return found


def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    known = installed(site_packages())
    runtime = runtime_of(known)
    with console.status("describing what is installed"):
        bill = only(described(), runtime)
        pinned = [f"{one['name']}=={one['version']}" for one in bill["components"]]
        bill = with_hashes(bill, hashes_of(pinned))
    text = json.dumps(bill, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    problem = problem_of(text)
    if problem:
        console.print(f"this is no CycloneDX: {problem}", style="bold red")
        return 1
    path = _written(text)
    console.print(*told(bill, path, sorted(set(runtime) - set(known))), sep="\n")
    return 0


def problem_of(text: str) -> str:
    """Why it is not what CycloneDX's schema says; empty when it is."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    return "" if problem is None else str(problem)


def _written(text: str) -> Path:
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    path = PROJECT / "dist" / f"crmroute-{version}.cdx.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path.relative_to(PROJECT)


def told(bill: Bill, path: Path, elsewhere: Sequence[str]) -> list[str]:
    """What it holds, and what it lacks."""
    components = bill["components"]
    lines = [
        f"{path}: {len(components)} packages that crmroute runs with, as CycloneDX {bill['specVersion']}"
    ]
    for part, what in (("licenses", "licence"), ("hashes", "hash")):
        lacking = [one["name"] for one in components if not one.get(part)]
        end = f"; it is not told of {', '.join(lacking)}" if lacking else ""
        lines.append(f"  {what:<8} of {len(components) - len(lacking)}{end}")
    if elsewhere:
        lines.append(f"  needed on other systems only: {', '.join(elsewhere)}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
