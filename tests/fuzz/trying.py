"""One input put to a target: whether it failed, where, and whether in time."""

import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from tests.fuzz.places import PROJECT
from tests.fuzz.targets import Target

SLOW_SECONDS = 2.0
"""Of processor time. A decoder that takes so long holds up every other call of its process."""


class TooSlow(Exception):
    pass


@dataclass(frozen=True)
class Failure:
    place: str
    """The error's kind and the line of ours it came from: the same mistake has the same place."""
    story: str


def try_input(target: Target, data: bytes) -> Failure | None:
    try:
        with _limited(SLOW_SECONDS):
            target.run(data)
    except Exception as error:
        return Failure(_place(error), "".join(traceback.format_exception(error)))
    return None


def _place(error: Exception) -> str:
    """The innermost frame of the product's; of the target's own where there is none."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [
        frame for frame in frames if frame.filename.startswith(str(PROJECT)) and ".venv" not in frame.filename
    ]
    product = [frame for frame in ours if "/tests/" not in frame.filename]
    # An assertion of a target is told by the target's line: the product's lines above it are innocent.
    chosen = (ours if isinstance(error, AssertionError) else product or ours)[-1]
    name = chosen.filename.removeprefix(f"{PROJECT}/")
    return f"{type(error).__name__} at {name}:{chosen.lineno}"


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raises TooSlow in what runs within; in a main thread only."""
    former = signal.signal(signal.SIGVTALRM, _too_slow)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, former)


def _too_slow(_signal: int, _frame: FrameType | None) -> None:
    raise TooSlow(f"more than {SLOW_SECONDS:g} s of processor time")
