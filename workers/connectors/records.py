"""Reading a decoded JSON answer: paths, texts, links and moments. For every connector."""

from datetime import UTC, datetime
from typing import Any

from router.core.crm_catalog import Choice, CrmField, CrmFieldType
from router.core.problems import nearest
from workers.connectors.answers import one_line
from workers.errors import LookupRefused

KEYS_TOLD = 8


def at_path(raw: Any, path: str) -> Any:
    """What the dotted path leads to; None when it leads to where nothing was found.

    A key that is not there is an error: it is rather the path that is wrong than the caller unknown.
    """
    for part in path.split("."):
        if raw in (None, {}, []):
            return None
        if isinstance(raw, dict) and part in raw:
            raw = raw[part]
        elif isinstance(raw, list) and part.isdecimal():
            raw = raw[int(part)] if len(part) < 6 and int(part) < len(raw) else None
        else:
            raise LookupRefused(f"the answer has no `{one_line(path, 60)}`{keys_told(raw, part)}")
    return raw


def look_up(item: dict[str, Any], path: str) -> tuple[bool, Any]:
    """Whether the record has it, and what: by its own name first, else as a path into nested records.

    A path that ends at a null on the way is there, and empty: without a company there is no company name.
    """
    if path in item:
        return True, item[path]
    raw: Any = item
    for part in path.split("."):
        if raw is None:
            return True, None
        if isinstance(raw, dict) and part in raw:
            raw = raw[part]
        elif isinstance(raw, list) and part.isdecimal() and len(part) < 6 and int(part) < len(raw):
            raw = raw[int(part)]
        else:
            return False, None
    return True, raw


def rows(raw: Any) -> list[dict[str, Any]]:
    """The objects of a list; none when it is no list."""
    return [row for row in raw if isinstance(row, dict)] if isinstance(raw, list) else []


def items_of(raw: Any) -> list[Any]:
    """What a list holds; nothing when it is no list."""
    return raw if isinstance(raw, list) else []


def object_of(raw: Any) -> dict[str, Any]:
    """The object itself; an empty one when it is none."""
    return raw if isinstance(raw, dict) else {}


def field_of(
    row: dict[str, Any],
    name: str,
    label: str,
    type_: CrmFieldType,
    choices: tuple[Choice, ...] = (),
    *,
    is_custom: bool = False,
) -> CrmField:
    """A field for the picker, by the keys of its name and label in the CRM's own description of it."""
    shown = one_line(text_at(row, label), 120)
    return CrmField(str(row.get(name, "")), shown, type_, choices, is_custom)


def choices_of(raw: Any, value: str, label: str) -> tuple[Choice, ...]:
    """A picklist's values, by the keys of an item's value and label."""
    return tuple(Choice(text_at(item, value), text_at(item, label)) for item in rows(raw))


def text_at(item: dict[str, Any], path: str, most: int = 200) -> str:
    raw = look_up(item, path)[1] if path else None
    return (
        one_line(str(raw), most) if isinstance(raw, str | int | float) and not isinstance(raw, bool) else ""
    )


def link_of(text: str) -> str:
    """Only an address that a browser opens as a page."""
    return text if text.lower().startswith(("https://", "http://")) and " " not in text else ""


def moment_of(raw: Any) -> str | None:
    """A moment as ISO 8601; numbers are seconds or milliseconds since 1970."""
    if isinstance(raw, str) and raw.strip():
        return one_line(raw, 40)
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return None
    seconds = raw / 1000 if abs(raw) > 100_000_000_000 else raw
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def keys_told(raw: Any, wanted: str) -> str:
    """The names that are there instead, so that a slip of the pen is found at a glance."""
    if not isinstance(raw, dict):
        return ""
    meant = nearest(wanted, list(raw)[:200])
    if meant is not None:
        return f" (did you mean `{one_line(meant, 60)}`?)"
    names = [f"`{one_line(name, 40)}`" for name in list(raw)[:KEYS_TOLD]]
    more = ", …" if len(raw) > KEYS_TOLD else ""
    return f" (it has {', '.join(names)}{more})" if names else ""
