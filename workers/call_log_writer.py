"""One finished call into its CRM: the caller's record first, where one is to be made, and then the call.

A caller whom the CRM did not know is looked for again before a record is made, for somebody may have entered
them meanwhile. Of several calls of one caller, over all workers, one at a time makes a record. The others
wait for a minute and look again: a CRM's search takes a while to find what was just made.
"""

from msgspec.structs import replace

from router.core.call_logs import FinishedCall, Logged, NewContact
from router.core.lookups import Record
from router.store.call_log_seam import CallLogQueue
from workers.abilities import Abilities
from workers.accounts import Subject
from workers.catalogue import Catalogue
from workers.errors import RecordAwaited

MAKING_SECONDS = 60.0
"""How long the calls of one caller wait for the first of them to make its record."""


class CallLogWriter:
    def __init__(
        self,
        queue: CallLogQueue,
        catalogue: Catalogue,
        abilities: Abilities,
        making_seconds: float = MAKING_SECONDS,
    ) -> None:
        self._queue = queue
        self._making_seconds = making_seconds
        self._catalogue = catalogue
        self._abilities = abilities

    async def write(self, call: FinishedCall) -> Logged:
        """Raises LookupFailed, IntegrationUnusable, RecordAwaited, StoreError."""
        subject = self._catalogue.integration(call.tenant, call.integration, call.credentials_of).subject
        contact = call.new_contact
        if contact is not None:
            record = await self._record_of(subject, call, contact)
            call = replace(call, module=record.module, record_id=record.id, record_name=record.name)
        return await self._abilities.log_call(subject, call)

    async def _record_of(self, subject: Subject, call: FinishedCall, contact: NewContact) -> Record:
        if not await self._queue.begin_record(call, self._making_seconds):
            raise RecordAwaited(self._making_seconds)
        found = await self._abilities.records_of(subject, contact.number, contact.module)
        return found[0] if found else await self._abilities.create(subject, contact)
