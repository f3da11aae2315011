"""Hearing of changes in a folder, by watchfiles (inotify and its kin)."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

from watchfiles import awatch

FolderEvents = Callable[[Path, float], AsyncIterator[set[str]]]
"""Yields names of entries of the folder that changed; the empty set when nothing was heard for that many
seconds, and once soon after the start. Raises OSError or RuntimeError where changes cannot be followed."""

BEAT_SECONDS = 1.0


async def watch_folder(folder: Path, quiet_seconds: float) -> AsyncIterator[set[str]]:
    """Names are told once nothing more happened for 50 ms, so that an editor's rename is one change.

    The first quiet second is told as well: what changed just before the watch began was not heard.
    """
    changes = awatch(
        folder,
        watch_filter=None,
        debounce=500,
        step=50,
        recursive=False,
        yield_on_timeout=True,
        rust_timeout=int(BEAT_SECONDS * 1000),
    )
    quiet_until = 0.0
    quiet = 0.0
    async for batch in changes:
        quiet = 0.0 if batch else quiet + BEAT_SECONDS
        if batch or quiet >= quiet_until:
            yield {Path(path).name for _, path in batch}
            quiet, quiet_until = 0.0, quiet_until if batch else quiet_seconds
