"""The loop: bend an input of the corpus, try it, keep it when it reaches lines that none reached before.

It is guided by coverage as AFL and libFuzzer are, but bends trees where inputs are trees, needs nothing but
Python, and so runs wherever the product does. The same seed gives the same inputs.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tests.fuzz.places import found, kept
from tests.fuzz.shrinking import shrink
from tests.fuzz.targets import Target
from tests.fuzz.trying import Failure, try_input
from tests.fuzz.watching import LineWatch


@dataclass(frozen=True)
class Crash:
    data: bytes
    """As small as it could be made."""
    failure: Failure


@dataclass
class Run:
    """What came of fuzzing one target."""

    executions: int = 0
    seconds: float = 0.0
    seeds: int = 0
    lines: int = 0
    """Of the product, reached by any input."""
    lines_of_seeds: int = 0
    fresh: list[bytes] = field(default_factory=list)
    """Inputs that reached new lines."""
    crashes: list[Crash] = field(default_factory=list)


def fuzz(
    target: Target, seconds: float, seed: int = 0, announce: Callable[[bytes], None] = lambda _: None
) -> Run:
    """`announce` is told each input before it is tried: an input may end the whole process."""
    return _Fuzzing(target, Random(seed), announce).run(seconds)


class _Fuzzing:
    def __init__(self, target: Target, random: Random, announce: Callable[[bytes], None]) -> None:
        self._target = target
        self._random = random
        self._announce = announce
        self._watch = LineWatch()
        self._corpus: list[bytes] = []
        self._fresh_at = 0
        self._run = Run()

    def run(self, seconds: float) -> Run:
        started_at = time.monotonic()
        ends_at = started_at + seconds
        self._take_seeds()
        while time.monotonic() < ends_at:
            data = self._next()
            before = self._watch.lines
            self._try(data)
            if self._watch.lines > before:
                self._corpus.append(data)
                self._run.fresh.append(data)
        self._run.lines = self._watch.lines
        self._run.seconds = time.monotonic() - started_at
        return self._run

    def _take_seeds(self) -> None:
        name = self._target.name
        for data in (*self._target.seeds(), *found(name)):
            self._try(data)
            self._corpus.append(data)
        self._run.seeds = len(self._corpus)
        self._run.lines_of_seeds = self._watch.lines
        for data in kept(name):
            self._try(data)
            self._corpus.append(data)
        self._fresh_at = self._run.seeds

    def _next(self) -> bytes:
        """Bent out of any input, or of one that was new itself."""
        fresh = self._corpus[self._fresh_at :]
        source = fresh if fresh and self._random.random() < 0.5 else self._corpus
        data = self._random.choice(source)
        made = self._target.mutate(self._random, data, self._random.choice(self._corpus))
        return made[: self._target.most_bytes]

    def _try(self, data: bytes) -> None:
        self._run.executions += 1
        self._announce(data)
        with self._watch:
            failure = try_input(self._target, data)
        if failure is None or any(one.failure.place == failure.place for one in self._run.crashes):
            return
        small = shrink(data, lambda shorter: self._fails_at(shorter, failure.place))
        again = try_input(self._target, small)
        self._run.crashes.append(Crash(small, again or failure))

    def _fails_at(self, data: bytes, place: str) -> bool:
        self._announce(data)
        failure = try_input(self._target, data)
        return failure is not None and failure.place == place
