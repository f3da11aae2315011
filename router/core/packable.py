"""Settings that have no type of their own, held to what can be kept and sent on.

A connector's manifest says what its settings mean; until then they are whatever a file or a request had. A
whole number beyond 64 bits, or tables nested without an end, could be read and then packed by nobody.
"""

from typing import Any

WHOLE_LEAST, WHOLE_MOST = -(2**63), 2**63 - 1
DEEPEST = 20


def require_packable(given: Any, depth: int = 0) -> None:
    """Raises ValueError."""
    if depth > DEEPEST:
        raise ValueError(f"lists and tables are nested deeper than {DEEPEST}")
    match given:
        case int() if not WHOLE_LEAST <= given <= WHOLE_MOST:
            raise ValueError("a whole number is larger than 64 bits: write it as a text")
        case dict():
            for item in given.values():
                require_packable(item, depth + 1)
        case list() | tuple():
            for item in given:
                require_packable(item, depth + 1)
