"""Making a failing input smaller while it fails at the same place, so that a person sees what matters."""

from collections.abc import Callable

ATTEMPTS_MOST = 400


def shrink(data: bytes, still_fails: Callable[[bytes], bool]) -> bytes:
    """Cut out ever smaller pieces. At most `ATTEMPTS_MOST` tries."""
    attempts = 0
    size = max(len(data) // 2, 1)
    while size and attempts < ATTEMPTS_MOST:
        at = 0
        while at < len(data) and attempts < ATTEMPTS_MOST:
            shorter = data[:at] + data[at + size :]
            attempts += 1
            if still_fails(shorter):
                data = shorter
            else:
                at += size
        size //= 2
    return data
