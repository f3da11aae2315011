"""What is installed in crmroute's own environment, and which of it crmroute runs with."""

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).resolve().parents[2]
ROOT = "crmroute"


def site_packages(environment: Path = PROJECT / ".venv") -> Path:
    (found,) = environment.glob("lib/python3.*/site-packages")
    return found


def folded(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(folder: Path) -> dict[str, Distribution]:
    """By folded name."""
    return {folded(one.metadata["Name"]): one for one in distributions(path=[str(folder)])}


def runtime_of(known: Mapping[str, Distribution], root: str = ROOT) -> dict[str, frozenset[str]]:
    """What the root runs with: each package with the extras that are asked of it; the root is not among them.

    Test tools are an extra of the root's, and stay out.
    """
    needed: dict[str, frozenset[str]] = {}
    waiting = list(_requirements(known[root], frozenset()))
    while waiting:
        requirement = waiting.pop()
        name, extras = folded(requirement.name), frozenset(requirement.extras)
        if name in needed and extras <= needed[name]:
            continue
        needed[name] = needed.get(name, frozenset()) | extras
        if name in known:
            waiting += _requirements(known[name], needed[name])
    return needed


def _requirements(distribution: Distribution, extras: frozenset[str]) -> Iterable[Requirement]:
    for text in distribution.requires or ():
        requirement = Requirement(text)
        wanted = [{"extra": extra} for extra in ("", *extras)]
        if requirement.marker is None or any(requirement.marker.evaluate(given) for given in wanted):
            yield requirement
