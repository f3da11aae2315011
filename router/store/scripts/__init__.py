"""The Lua scripts, each in a file of its own, and how they are run.

Each script is one step that must not be seen half done. All keys of one call lie in one slot
(`router.store.keys`), so the same scripts serve a single server and Cluster. They use what Redis 7.0 has.
"""

from hashlib import sha1
from importlib.resources import files
from typing import Any

from redis.exceptions import NoScriptError

from router.core import breakers
from router.core.allowances import BURST_SECONDS
from router.store import limits
from router.store.batches import Batcher
from router.store.errors import FOREIGN_ERRORS, translated

QUEUE_NAMES = ("ask", "take", "settle", "reclaim", "lane_pause", "lane_spend", "lane_state")
"""Those of look-ups: they share `queue_prelude.lua`."""
NAMES = (
    *QUEUE_NAMES,
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


def _constants() -> str:
    """The numbers that the scripts share with the functions of `router.core`, as Lua."""
    values: dict[str, float] = {
        "FAILURES_MOST": breakers.FAILURES_MOST,
        "WINDOW_MS": breakers.WINDOW_SECONDS * 1000,
        "WINDOW_LEAST": breakers.WINDOW_LEAST,
        "SHARE_MOST": breakers.SHARE_MOST,
        "OPEN_FIRST_MS": breakers.OPEN_FIRST_SECONDS * 1000,
        "OPEN_MOST_MS": breakers.OPEN_MOST_SECONDS * 1000,
        "JITTER": breakers.JITTER,
        "PROBE_SLACK_MS": breakers.PROBE_SLACK_SECONDS * 1000,
        "BURST_MS": BURST_SECONDS * 1000,
        "BEHIND_MS": limits.BEHIND_SECONDS * 1000,
        "HOPELESS_MS": limits.HOPELESS_SECONDS * 1000,
        "STATE_MS": limits.STATE_SECONDS * 1000,
        "WAITERS_MOST": limits.WAITERS_MOST,
        "LANES_MOST": limits.LANES_MOST,
        "SWEEP_MOST": limits.SWEEP_MOST,
        "REFUSED_MOST": limits.REFUSED_MOST,
    }
    return "".join(f"local {name} = {value:g}\n" for name, value in values.items())


class Scripts:
    """The scripts, by name. A server that does not know one yet is sent its text."""

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher
        folder = files(__name__)

        def text(name: str) -> str:
            return (folder / f"{name}.lua").read_text()

        prelude = text("prelude")
        queue_prelude = prelude + _constants() + text("queue_prelude")
        log_prelude = prelude + text("log_prelude")
        self._texts = {
            name: (
                queue_prelude if name in QUEUE_NAMES else log_prelude if name.startswith("log_") else prelude
            )
            + text(name)
            for name in NAMES
        }
        # Redis itself names scripts by SHA-1.
        self._digests = {
            name: sha1(text.encode(), usedforsecurity=False).hexdigest() for name, text in self._texts.items()
        }

    async def run(self, name: str, keys: tuple[str, ...], *args: str | bytes | float) -> Any:
        """What the script returns. Raises `StoreError`."""
        try:
            try:
                return await self._submit("EVALSHA", self._digests[name], keys, args)
            except NoScriptError:
                return await self._submit("EVAL", self._texts[name], keys, args)
        except FOREIGN_ERRORS as error:
            raise translated(error, f"the store's script {name}") from error

    async def _submit(
        self, command: str, script: str, keys: tuple[str, ...], args: tuple[str | bytes | float, ...]
    ) -> Any:
        return await self._batcher.submit(keys[0], command, script, len(keys), *keys, *args)
