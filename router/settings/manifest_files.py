"""Reading the connectors' manifests: `<folder>/connectors/*.toml`, else those that came with the program."""

from pathlib import Path

import msgspec

from router.core.manifests import Manifest
from router.settings.documents import Unreadable, read_document
from router.settings.errors import FileProblem, SettingsError
from router.settings.shapes import find_problems


def manifests_folder(folder: Path) -> Path:
    here = Path(__file__).resolve()
    candidates = (folder, here.parent, here.parents[2] / "config")
    return next(
        (path / "connectors" for path in candidates if (path / "connectors").is_dir()), folder / "connectors"
    )


def load_manifests(folder: Path) -> dict[str, Manifest]:
    """By slug. Raises SettingsError with every problem of every manifest."""
    manifests: dict[str, Manifest] = {}
    problems: list[FileProblem] = []
    for path in sorted(manifests_folder(folder).glob("*.toml")):
        try:
            manifests[path.stem] = _load_manifest(path)
        except SettingsError as error:
            problems += error.problems
    if problems:
        raise SettingsError(problems)
    return manifests


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
