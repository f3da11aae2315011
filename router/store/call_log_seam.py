"""The CRM's call log, as the rest of the program sees it: calls that are not over yet, those that wait to be
written, and a person's view of them.

`router.store.call_log` has it on Redis, `router.store.memory_call_log` in memory.
"""

from typing import Protocol

from msgspec import Struct

from router.core.call_logs import FinishedCall
from router.core.identities import IntegrationName, TenantId, Uniqueid
from router.core.open_calls import KeptCall, OpenCall


class OpenCalls(Protocol):
    """A router's side of the CRM's call log: calls that are not over yet, and their end."""

    async def open(self, call: OpenCall) -> None:
        """Keep an account of a call for a day, beside those of its other parkings and other routers.

        One that comes after the call's end changes nothing. Raises `StoreError`.
        """

    async def find(self, tenant: TenantId, call_id: Uniqueid) -> KeptCall | None:
        """None for a call that nobody opened, or that is closed. Raises `StoreError`."""

    async def close(self, call: OpenCall, finished: FinishedCall | None) -> bool:
        """Close a call and put it on the queue, or drop it where there is nothing to write.

        True for the one router that did it; the others, and a second time, change nothing. Raises
        `StoreError`.
        """


class TakenCall(Struct, frozen=True):
    """A finished call in a worker's hands."""

    id: str
    """The queue's own name for it; opaque."""
    call: FinishedCall
    """`is_repeat` is set where an earlier attempt may have written it."""
    tries: int
    """This one counted, since it was put on the queue."""
    lost: int
    """How many of the last ones ended with their worker, and nobody knows how."""
    age_seconds: float
    """Since it was put on the queue, by the store's clock."""
    failures: int
    """Of its integration, in a row."""


class CallLogQueue(Protocol):
    """A worker's side of the CRM's call log. A call may be handed out twice: `is_repeat` says so."""

    async def take(self, most: int, lease_seconds: float) -> list[TakenCall]:
        """Up to `most` calls that are due, integrations in turn; returns at once. Raises `StoreError`.

        A call that is not settled within its lease is handed out again.
        """

    async def done(self, taken: TakenCall) -> None:
        """The CRM has it. Raises `StoreError`."""

    async def postpone(
        self, taken: TakenCall, problem: str, delay_seconds: float, pause_seconds: float = 0.0
    ) -> None:
        """Try it again later. With a pause all calls of its integration wait so long.

        What else of a paused integration has waited for two days is given up then. Raises `StoreError`.
        """

    async def fail(self, taken: TakenCall, problem: str) -> None:
        """Give it up, and keep it for a week for a person to see. Raises `StoreError`."""

    async def begin_record(self, call: FinishedCall, seconds: float) -> bool:
        """Become the call that makes a record for its caller, for so long; False while another one does.

        The same call may begin again, and its time with it. Raises `StoreError`.
        """


class IntegrationLog(Struct, frozen=True, kw_only=True):
    """How the calls of one integration fare."""

    integration: IntegrationName
    waiting: int
    in_hand: int
    failed: int
    """Given up, and kept."""
    failures: int = 0
    """In a row, because of the CRM or the integration as a whole."""
    paused_seconds: float = 0.0
    """Until it is tried again."""
    problem: str = ""
    """Why it failed last; empty when it works."""


class KeptLog(Struct, frozen=True, kw_only=True):
    """One call on the queue, or given up."""

    id: str
    call: FinishedCall
    tries: int
    problem: str
    age_seconds: float
    """Since it was put on the queue."""
    due_seconds: float = 0.0
    """Until it is tried, its integration's pause apart."""
    failed_seconds: float = 0.0
    """Since it was given up."""


class CallLogDesk(Protocol):
    """A person's side of the CRM's call log."""

    async def tenants(self) -> list[TenantId]:
        """Those with calls that wait or were given up. Raises `StoreError`."""

    async def overview(self, tenant: TenantId) -> list[IntegrationLog]:
        """Integrations with calls that wait or were given up, by name. Raises `StoreError`."""

    async def waiting(self, tenant: TenantId, most: int) -> list[KeptLog]:
        """Those that wait or are in hand, the next one first. Raises `StoreError`."""

    async def failed(self, tenant: TenantId, most: int) -> list[KeptLog]:
        """Those that were given up, newest first. Raises `StoreError`."""

    async def retry(
        self, tenant: TenantId, integration: IntegrationName | None = None, entry_id: str = ""
    ) -> int:
        """Put back what was given up, or the one with this id, and try its integrations at once; how many.

        Raises `StoreError`.
        """
