"""Connectors that other packages bring, by the entry points of the group `crmroute.connectors`.

An entry point's name is the connector's slug; its value leads to the code, and beside that code's module lies
`<slug>.toml`, the manifest. Nothing of such a package is imported here: the router reads the manifest, only a
worker loads the code. What cannot be used is told and left out; a connector of our own is never replaced.
"""

import importlib.util
import re
from collections.abc import Container
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from router.core.problems import Problem, warning
from router.settings.errors import FileProblem

GROUP = "crmroute.connectors"
_SLUG = re.compile(r"[a-z][a-z0-9_]{0,39}")
_VALUE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def added_connectors(built_in: Container[str]) -> tuple[dict[str, EntryPoint], list[FileProblem]]:
    """The entry points by slug, and what is wrong with those that were left out.

    Of two packages that bring the same slug the first by its own name is taken.
    """
    added: dict[str, EntryPoint] = {}
    problems: list[FileProblem] = []
    try:
        points = sorted(entry_points(group=GROUP), key=lambda one: (one.name, _package(one)))
    except (TypeError, ValueError, OSError) as error:
        told = warning((), f"they cannot be read ({error})", "Remove the package that was installed last.")
        return {}, [FileProblem("the installed packages' entry points", None, told)]
    for point in points:
        problem = _clash(point, built_in, added)
        if problem is None:
            added[point.name] = point
        else:
            problems.append(problem_of(point, problem))
    return added, problems


def manifest_path(point: EntryPoint) -> Path | None:
    """`<slug>.toml` beside the module of the entry point, which is found without being imported."""
    top, *rest = point.module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    roots = list(spec.submodule_search_locations or ())
    if not roots and spec.origin is not None:
        roots = [str(Path(spec.origin).parent)]
    likely = (Path(root, *parts, f"{point.name}.toml") for root in roots for parts in (rest, rest[:-1]))
    return next((path for path in likely if path.is_file()), None)


def problem_of(point: EntryPoint, problem: Problem) -> FileProblem:
    return FileProblem(f"the connector `{point.name}` of {_package(point)}", None, problem)


def _clash(point: EntryPoint, built_in: Container[str], added: dict[str, EntryPoint]) -> Problem | None:
    if _SLUG.fullmatch(point.name) is None:
        return warning((), "this name cannot be a connector's", "Small letters, digits and _, at most 40.")
    if _VALUE.fullmatch(point.value) is None:
        return warning((), f"`{point.value[:60]}` leads nowhere", "Write it as `package.module:CONNECTOR`.")
    if point.name in built_in:
        return warning((), "crmroute has a connector of this name, which is used", "Give it another name.")
    if point.name in added:
        first = _package(added[point.name])
        return warning((), f"{first} brings a connector of this name, which is used", "Remove one of them.")
    return None


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "an unnamed package"
