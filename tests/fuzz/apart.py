"""Fuzzing a target in a process of its own, so that an input that ends the process is found and told too.

The input that is tried stands in memory that both processes see: a process that was killed leaves it there.
"""

import mmap
import multiprocessing
import signal
import struct
from multiprocessing.connection import Connection

from tests.fuzz.engine import Crash, Run, fuzz
from tests.fuzz.targets import Target
from tests.fuzz.trying import Failure

SPARE_SECONDS = 30.0
"""For seeds and shrinking. A process that goes on longer hangs where no Python signal reaches it."""
LARGEST = 1 << 20
_length = struct.Struct("<I")


class Announcement:
    """The input that is tried at this moment."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, LARGEST)

    def put(self, data: bytes) -> None:
        short = data[: LARGEST - _length.size]
        self._memory[: _length.size + len(short)] = _length.pack(len(short)) + short

    def get(self) -> bytes:
        (length,) = _length.unpack(self._memory[: _length.size])
        return self._memory[_length.size : _length.size + length]


def fuzz_apart(target: Target, seconds: float, seed: int) -> Run:
    announced = Announcement()
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(target, seconds, seed, announced, theirs))
    process.start()
    theirs.close()
    run = _received(ours, seconds)
    if run is None and ours.poll(0) is False:
        process.kill()
    process.join()
    return run or _died(announced.get(), process.exitcode, seconds)


def _work(target: Target, seconds: float, seed: int, announced: Announcement, result: Connection) -> None:
    result.send(fuzz(target, seconds, seed, announced.put))


def _received(result: Connection, seconds: float) -> Run | None:
    """None from a process that died, or that does not end."""
    try:
        if result.poll(seconds + SPARE_SECONDS):
            run: Run = result.recv()
            return run
    except EOFError:
        return None
    return None


def _died(data: bytes, code: int | None, seconds: float) -> Run:
    how = f"exit code {code}"
    if code is not None and code < 0:
        how = f"signal {signal.Signals(-code).name}" if -code != signal.SIGKILL else "it hung, or was killed"
    failure = Failure(f"the process ended: {how}", f"The process that tried this input ended: {how}.\n")
    return Run(seconds=seconds, crashes=[Crash(data, failure)])
