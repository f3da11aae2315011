"""Values as a person reads them: one line, never too long, whatever the CRM sent."""

from router.core.lookups import Value

_MOST_CHARACTERS = 120


def shown(value: Value) -> str:
    """A value as the trace and the channel show it; nothing for null, `yes` and `no` for booleans."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return one_line(", ".join(shown(item) for item in value[:20]))
        case int() if value.bit_length() > 4_000:
            return "a number too large to show"
        case _:
            return one_line(str(value))


def one_line(text: str, most: int = _MOST_CHARACTERS) -> str:
    """Control signs become spaces, unpaired surrogates go, and a long text is cut with an ellipsis."""
    clean = "".join(sign if sign.isprintable() else " " for sign in text[: most * 4])
    joined = " ".join(clean.split())
    return joined if len(joined) <= most else joined[: most - 1] + "…"
