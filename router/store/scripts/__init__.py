"""The Lua scripts, each in a file of its own, and how they are run.

Each script is one step that must not be seen half done. All keys of one call lie in one slot
(`router.store.keys`), so the same scripts serve a single server and Cluster. They use what Redis 7.0 has.
"""

from hashlib import sha1
from importlib.resources import files
from typing import Any

from redis.exceptions import NoScriptError

from router.store.batches import Batcher
from router.store.errors import FOREIGN_ERRORS, translated

NAMES = (
    "ask",
    "take",
    "settle",
    "reclaim",
    "attend",
    "record",
    "grant_read",
    "grant_write",
    "grant_problem",
    "grant_end",
    "health_note",
    "health_read",
    "begin_record",
    "plan_put",
    "status_put",
    "status_read",
    "lease_keep",
    "lease_end",
    "decisions_recent",
    "log_open",
    "log_close",
    "log_take",
    "log_done",
    "log_postpone",
    "log_fail",
    "log_overview",
    "log_list",
    "log_retry",
)


class Scripts:
    """The scripts, by name. A server that does not know one yet is sent its text."""

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher
        folder = files(__name__)
        preludes = {"": (folder / "prelude.lua").read_text()}
        preludes["log_"] = preludes[""] + (folder / "log_prelude.lua").read_text()
        self._texts = {
            name: preludes["log_" if name.startswith("log_") else ""] + (folder / f"{name}.lua").read_text()
            for name in NAMES
        }
        # Redis itself names scripts by SHA-1.
        self._digests = {
            name: sha1(text.encode(), usedforsecurity=False).hexdigest() for name, text in self._texts.items()
        }

    async def run(self, name: str, keys: tuple[str, ...], *args: str | bytes | int) -> Any:
        """What the script returns. Raises `StoreError`."""
        try:
            try:
                return await self._submit("EVALSHA", self._digests[name], keys, args)
            except NoScriptError:
                return await self._submit("EVAL", self._texts[name], keys, args)
        except FOREIGN_ERRORS as error:
            raise translated(error, f"the store's script {name}") from error

    async def _submit(
        self, command: str, script: str, keys: tuple[str, ...], args: tuple[str | bytes | int, ...]
    ) -> Any:
        return await self._batcher.submit(keys[0], command, script, len(keys), *keys, *args)
