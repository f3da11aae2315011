"""Reading the connectors' manifests.

Three layers, the later ones win: those that came with the program; those of connectors that other packages
bring (`router.settings.entry_points`), which never replace the former; and the operator's own,
`<folder>/connectors/*.toml`.
"""

from pathlib import Path

import msgspec
import structlog
from msgspec.structs import replace

from router.core.manifests import Manifest
from router.core.problems import warning
from router.settings.documents import Unreadable, read_document
from router.settings.entry_points import added_connectors, manifest_path, problem_of
from router.settings.errors import FileProblem, SettingsError
from router.settings.shapes import find_problems

log = structlog.get_logger(__name__)


def load_manifests(folder: Path) -> dict[str, Manifest]:
    """By slug. Raises SettingsError with every problem of every manifest but another package's."""
    manifests, skipped = find_manifests(folder)
    for problem in skipped:
        log.warning("connector.skipped", problem=str(problem))
    return manifests


def find_manifests(folder: Path) -> tuple[dict[str, Manifest], list[FileProblem]]:
    """The manifests by slug, and why some that other packages bring are left out. Raises SettingsError."""
    built_in = _load_folder(_built_in_folder())
    added, skipped = _load_added(built_in)
    own = folder / "connectors"
    return built_in | added | (_load_folder(own) if not _is_built_in(own) else {}), skipped


def _built_in_folder() -> Path:
    """Beside this module where the program is installed, else in the checkout."""
    here = Path(__file__).resolve()
    installed = here.parent / "connectors"
    return installed if installed.is_dir() else here.parents[2] / "config" / "connectors"


def _is_built_in(folder: Path) -> bool:
    return folder.resolve() == _built_in_folder()


def _load_folder(folder: Path) -> dict[str, Manifest]:
    manifests: dict[str, Manifest] = {}
    problems: list[FileProblem] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            manifests[path.stem] = _load_manifest(path)
        except SettingsError as error:
            problems += error.problems
    if problems:
        raise SettingsError(problems)
    return manifests


def _load_added(built_in: dict[str, Manifest]) -> tuple[dict[str, Manifest], list[FileProblem]]:
    points, problems = added_connectors(built_in)
    manifests: dict[str, Manifest] = {}
    for slug, point in points.items():
        path = manifest_path(point)
        if path is None:
            mend = f"The package must bring `{slug}.toml` in the folder of `{point.module}`."
            problems.append(problem_of(point, warning((), "its manifest is missing", mend)))
            continue
        try:
            manifests[slug] = _load_manifest(path)
        except SettingsError as error:
            problems += map(_as_warning, error.problems)
    return manifests, problems


def _as_warning(problem: FileProblem) -> FileProblem:
    return replace(problem, problem=replace(problem.problem, level="warning"))


def _load_manifest(path: Path) -> Manifest:
    try:
        document = read_document(path)
    except Unreadable as unreadable:
        raise SettingsError([unreadable.problem]) from unreadable
    data = {"slug": path.stem, **document.data}
    try:
        return msgspec.convert(data, type=Manifest, strict=True)
    except msgspec.ValidationError as refused:
        raise SettingsError(
            [document.locate(problem) for problem in find_problems(data, Manifest)]
        ) from refused
