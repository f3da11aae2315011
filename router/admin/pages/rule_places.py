"""Where in the rule form a problem stands. Pure."""

from router.core.problems import Path


def field_at(path: Path) -> str:
    """The form's field for a place within a rule, as `router.core.check` tells it: ("lines", 0, "value")."""
    parts = [str(part) for part in path]
    if parts[:1] == ["source"]:
        return _source_field(parts[1:])
    if parts[:1] == ["lines"] and len(parts) < 3:
        return ".".join([*parts, "value"])
    if parts[:1] in (["default"], ["outcomes"]):
        is_whole = len(parts) == (1 if parts[0] == "default" else 2)
        return ".".join([*parts, "destination"] if is_whole else parts)
    return ".".join(parts[:3])


def _source_field(parts: list[str]) -> str:
    match parts:
        case ["custom"]:
            return "custom.url"
        case ["custom", setting, *_]:
            return f"custom.{setting}"
        case ["credentials", "password", *_]:
            return "user.password"
        case ["credentials", *_]:
            return "user.name"
        case [name, *_]:
            return name
    return "source"


def field_told(place: str) -> str:
    """As msgspec names a place: `.lines[0].value`."""
    parts = place.replace("[", ".").replace("]", "").split(".")
    return field_at(tuple(part for part in parts if part))
