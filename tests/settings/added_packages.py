"""Packages as an installer leaves them: a module or a package, and its entry points in a `.dist-info`."""

from pathlib import Path

MANIFEST = 'label = "{label}"\n[[settings]]\nname = "url"\ntype = "url"\nrequired = true\n'


def install(folder: Path, name: str, points: dict[str, str], files: dict[str, str]) -> None:
    """`points` are slugs and values, such as `tiny = tiny_crm:CONNECTOR`; `files` are paths and texts."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    listed = "".join(f"{slug} = {value}\n" for slug, value in points.items())
    (info / "entry_points.txt").write_text(f"[crmroute.connectors]\n{listed}")


def manifest(label: str) -> str:
    return MANIFEST.format(label=label)
