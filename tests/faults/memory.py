"""How much memory processes have, and by how much it grew while somebody looked."""

import contextlib
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self


class MemoryWatch:
    """Looks at processes' memory while its `with` block lasts: how much each grew at the most."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._began = {name: resident_mb(pid) for name, pid in pids.items()}
        self._most = dict(self._began)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join(10)

    def grown_mb(self) -> float:
        return max(most - self._began[name] for name, most in self._most.items())

    def _look(self) -> None:
        while not self._is_over.wait(0.1):
            for name, pid in self._pids.items():
                with contextlib.suppress(OSError):
                    self._most[name] = max(self._most[name], resident_mb(pid))


def resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
