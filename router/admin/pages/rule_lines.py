"""The lines of the rule form: added, removed and moved with all that is typed in them. Pure."""

from collections.abc import Iterable, Mapping

LINES_MOST = 200
BLANK_LINE: Mapping[str, str] = {"operator": "=", "destination": "queue"}


def line_count(fields: Mapping[str, str]) -> int:
    return min(_number(fields.get("lines", "0")) or 0, LINES_MOST)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def with_lines(fields: Mapping[str, str], order: Iterable[int | None]) -> dict[str, str]:
    """The form with its lines in this order; None is a new one."""
    arranged = {name: value for name, value in fields.items() if not name.startswith("lines.")}
    wanted = list(order)[:LINES_MOST]
    for number, former in enumerate(wanted):
        if former is None:
            arranged |= {f"lines.{number}.{name}": value for name, value in BLANK_LINE.items()}
            continue
        old = f"lines.{former}."
        arranged |= {
            f"lines.{number}.{name.removeprefix(old)}": value
            for name, value in fields.items()
            if name.startswith(old)
        }
    arranged["lines"] = str(len(wanted))
    return arranged


def arranged(fields: Mapping[str, str], intent: str) -> tuple[dict[str, str], str] | None:
    """What a button for lines does: `add`, `remove-2`, `up-2`, `down-2`; and the field to be in then.

    None for every other button.
    """
    order: list[int | None] = list(range(line_count(fields)))
    verb, _, text = intent.partition("-")
    number = _number(text)
    if verb == "add":
        return with_lines(fields, [*order, None]), f"lines.{len(order)}.value"
    if verb not in ("remove", "up", "down") or number is None or number not in order:
        return None
    if verb == "remove":
        del order[number]
        return with_lines(fields, order), f"lines.{min(number, len(order) - 1)}.value"
    to = max(0, min(len(order) - 1, number + (1 if verb == "down" else -1)))
    order.insert(to, order.pop(number))
    is_at_end = to == (0 if verb == "up" else len(order) - 1)  # its own button does nothing there
    other = "down" if verb == "up" else "up"
    return with_lines(fields, order), f"lines.{to}.{other if is_at_end else verb}"
