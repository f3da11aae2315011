"""Changing the configuration: each change is one transaction with its check, its audit row and its
publication.

What an admin saves of numbers, IVR entries, integrations and the tenant's profile is in force at once. A rule
is saved as a draft, and is in force when it is published. What cannot work is never put in force: the check
that `crmroute check` runs refuses it with every place that is wrong. Somebody else's change is never
overwritten unseen, for who has a revision in hand shows it.

A tenant that files manage is changed by `apply` only, until somebody hands it to the page.
"""

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.differences import Difference, differences
from router.core.identities import RuleName, TenantId
from router.core.number_undo import NumberUndo, undo_of
from router.core.problems import Problem, error
from router.core.rules import Rule
from router.core.tenants import TENANT_ID, Integration, IvrEntry, Number, Tenant
from router.records import audit, integrations, numbers, publications, rules, tenants
from router.records.audit import Actor, Deed
from router.records.database import Database
from router.records.errors import Conflict, NotFound, Outdated
from router.records.publications import Publication

Check = Callable[[Tenant], Sequence[Problem]]
PAGE, FILES = "page", "files"


class Invalid(Conflict):
    """It cannot work as written; nothing was changed."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = str(problems[0])
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"{first}{more}")
        self.problems = tuple(problems)


class ManagedByFiles(Conflict):
    """It is changed where its files are."""


class Applied(Struct, frozen=True):
    """What putting a whole tenant in force changed; without a publication it was in force already."""

    differences: tuple[Difference, ...]
    publication: Publication | None


class Change:
    """A transaction of one tenant under way."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId, actor: Actor, at: float) -> None:
        self.connection = connection
        self.tenant = tenant
        self.actor = actor
        self.at = at
        self.publication: Publication | None = None

    async def note(self, action: str, kind: str, name: str, before: Any = None, after: Any = None) -> None:
        deed = Deed(action=action, kind=kind, name=name, before=before, after=after)
        await audit.note(self.connection, self.at, self.actor, self.tenant, deed)


class Configuration:
    """`clock` is the time of day, in seconds since the epoch; `check` tells what is wrong with a tenant."""

    def __init__(self, database: Database, clock: Callable[[], float], check: Check) -> None:
        self.database = database
        self._clock = clock
        self._check = check

    # Tenants

    async def create_tenant(self, tenant: Tenant, actor: Actor) -> Publication | None:
        """Its profile, without rules yet. Raises Conflict, Invalid."""
        if TENANT_ID.fullmatch(tenant.id) is None:
            what = "a tenant's short name has small letters, digits and hyphens, 40 at the most"
            raise Invalid([error(("id",), what, "It begins with a letter or a digit.")])
        profile = tenants.profile_of(tenant)
        async with self.database.writing() as connection:
            await tenants.create(connection, profile, PAGE, actor.who, self._clock())
            change = Change(connection, tenant.id, actor, self._clock())
            await change.note("create", "tenant", tenant.id, after=profile)
            await self._put_in_force(change, "tenant created")
        return change.publication

    async def change_tenant(self, profile: Tenant, revision: int | None, actor: Actor) -> Publication | None:
        """Raises NotFound, Outdated, Invalid."""
        async with self._changing(profile.id, actor) as change:
            former = await tenants.one(change.connection, profile.id)
            await tenants.change(change.connection, profile, revision, actor.who, change.at)
            await change.note("change", "tenant", profile.id, former.profile, tenants.profile_of(profile))
            await self._put_in_force(change, "tenant changed")
        return change.publication

    async def remove_tenant(self, tenant: TenantId, actor: Actor) -> Publication | None:
        """With all that is in it; what was in force stays in its publications. Raises NotFound."""
        async with self._changing(tenant, actor, even_files=True) as change:
            before, _ = await publications.assemble(change.connection, tenant)
            change.publication = await publications.withdraw(change.connection, tenant, actor, change.at)
            await tenants.remove(change.connection, tenant)
            await change.note("remove", "tenant", tenant, before=before)
        return change.publication

    async def manage(self, tenant: TenantId, managed_by: str, actor: Actor) -> None:
        """Say where the tenant is changed from now on: `page` or `files`. Raises NotFound."""
        async with self._changing(tenant, actor, even_files=True) as change:
            await tenants.manage(change.connection, tenant, managed_by)
            await change.note("manage", "tenant", tenant, after=managed_by)

    # Rules

    async def create_rule(self, tenant: TenantId, rule: Rule, actor: Actor) -> int:
        """The draft's id. Raises NotFound, Conflict."""
        async with self._changing(tenant, actor) as change:
            id_ = await rules.create(change.connection, tenant, rule, actor.who, change.at)
            await change.note("create", "rule", rule.name, after=rule)
        return id_

    async def change_rule(
        self, tenant: TenantId, id_: int, rule: Rule, revision: int | None, actor: Actor
    ) -> None:
        """Of its draft. Raises NotFound, Outdated, Conflict."""
        async with self._changing(tenant, actor) as change:
            row = await rules.one(change.connection, tenant, id_)
            rules.require_latest(row, revision)
            await rules.change(change.connection, row, tenant, rule, actor.who, change.at)
            await change.note("change", "rule", rule.name, row.draft, rule)

    async def duplicate_rule(
        self, tenant: TenantId, id_: int, actor: Actor, copied: Callable[[Rule, RuleName], Rule]
    ) -> int:
        """The new draft's id. `copied` gives a rule another name. Raises NotFound."""
        async with self._changing(tenant, actor) as change:
            row = await rules.one(change.connection, tenant, id_)
            taken = [one.name for one in await rules.every(change.connection, tenant)]
            copy = copied(row.draft, rules.free_name(row.name, taken))
            new_id = await rules.create(change.connection, tenant, copy, actor.who, change.at)
            await change.note("create", "rule", copy.name, after=copy)
        return new_id

    async def remove_rule(self, tenant: TenantId, id_: int, actor: Actor) -> Publication | None:
        """Raises NotFound, StillUsed."""
        async with self._changing(tenant, actor) as change:
            row = await rules.one(change.connection, tenant, id_)
            await rules.remove(change.connection, row)
            await change.note("remove", "rule", row.name, before=row.draft)
            await self._put_in_force(change, f"rule {row.name} removed")
        return change.publication

    async def arrange_rules(self, tenant: TenantId, ids: Sequence[int], actor: Actor) -> Publication | None:
        """Raises Conflict when these are not all of the tenant's rules."""
        async with self._changing(tenant, actor) as change:
            known = await rules.every(change.connection, tenant)
            if sorted(ids) != sorted(row.id for row in known):
                raise Conflict("the list of rules changed meanwhile")
            await rules.arrange(change.connection, tenant, ids)
            names = {row.id: row.name for row in known}
            await change.note("arrange", "rule", "", list(names.values()), [names[id_] for id_ in ids])
            await self._put_in_force(change, "rules arranged")
        return change.publication

    async def publish_rule(
        self, tenant: TenantId, id_: int, comment: str, revision: int | None, actor: Actor
    ) -> Publication | None:
        """Put the draft in force. Raises NotFound, Outdated, Invalid."""
        async with self._changing(tenant, actor) as change:
            row = await rules.one(change.connection, tenant, id_)
            rules.require_latest(row, revision)
            if row.is_changed:
                await self._make_live(change, row, row.draft, comment)
            await self._put_in_force(change, comment or f"rule {row.draft.name} published")
        return change.publication

    async def roll_back_rule(
        self, tenant: TenantId, id_: int, number: int, comment: str, actor: Actor
    ) -> Publication | None:
        """Put an old version in force again, as a new one, and as the draft. Raises NotFound, Invalid."""
        async with self._changing(tenant, actor) as change:
            row = await rules.one(change.connection, tenant, id_)
            old = await rules.version(change.connection, row, number)
            comment = comment or f"back to version {number}"
            await rules.change(change.connection, row, tenant, old.document, actor.who, change.at)
            await self._make_live(change, row, old.document, comment)
            await self._put_in_force(change, comment)
        return change.publication

    # Numbers and IVR entries

    async def put_numbers(
        self,
        tenant: TenantId,
        listed: Sequence[Number],
        comment: str,
        actor: Actor,
        formers: Mapping[str, Number | None] | None = None,
    ) -> Publication | None:
        """Add or change these; others stay. `formers`: what each DID was shown to be, None for none;
        without them whatever is there is changed. Raises NotFound for an unknown rule, Outdated, Invalid.
        """
        async with self._changing(tenant, actor) as change:
            known = {row.did: row for row in await numbers.every_number(change.connection, tenant)}
            for number in listed:
                await numbers.put_number(change.connection, tenant, number)
                former = known.get(number.did)
                before = Number(former.did, former.rule_name, former.note) if former else None
                if formers is not None and formers.get(number.did) != before:
                    raise Outdated(f"{number.did} was changed meanwhile")
                if before != number:
                    action = "change" if before else "create"
                    await change.note(action, "number", number.did, before, number)
            await self._put_in_force(change, comment)
        return change.publication

    async def remove_numbers(
        self, tenant: TenantId, dids: Sequence[str], comment: str, actor: Actor, seen: str | None = None
    ) -> Publication | None:
        """`seen` is the id of the rule that they were seen to lead to. Raises NotFound, Outdated."""
        async with self._changing(tenant, actor) as change:
            for did in dids:
                await numbers.remove_number(change.connection, tenant, did, seen)
                await change.note("remove", "number", did)
            await self._put_in_force(change, comment)
        return change.publication

    async def undo_numbers(
        self, tenant: TenantId, number: int, actor: Actor
    ) -> tuple[NumberUndo, Publication | None]:
        """Take back what a publication did to numbers; what was changed since stays.

        Raises NotFound, Invalid.
        """
        async with self._changing(tenant, actor) as change:
            made = await publications.numbered(change.connection, tenant, number)
            listed = await publications.history(change.connection, tenant, 1, number)
            before = listed[0].document if listed else None
            now, _ = await publications.assemble(change.connection, tenant)
            undo = undo_of(_numbers_of(before), _numbers_of(made.document), now.numbers)
            await self._undo(change, undo)
            if undo.put or undo.removed:
                await self._put_in_force(change, f"numbers of publication {number} taken back")
        return undo, change.publication

    async def _undo(self, change: Change, undo: NumberUndo) -> None:
        """Raises NotFound where a rule that a number had is gone."""
        for did in undo.removed:
            await numbers.remove_number(change.connection, change.tenant, did)
            await change.note("remove", "number", did)
        for number in undo.put:
            await numbers.put_number(change.connection, change.tenant, number)
            await change.note("change", "number", number.did, after=number)

    async def put_entry(self, tenant: TenantId, entry: IvrEntry, actor: Actor) -> Publication | None:
        """Raises NotFound for an unknown rule, Invalid."""
        async with self._changing(tenant, actor) as change:
            await numbers.put_entry(change.connection, tenant, entry)
            await change.note("put", "IVR entry", entry.name, after=entry)
            await self._put_in_force(change, f"IVR entry {entry.name}")
        return change.publication

    async def remove_entry(
        self, tenant: TenantId, name: str, actor: Actor, seen: str | None = None
    ) -> Publication | None:
        """`seen` as for numbers. Raises NotFound, Outdated."""
        async with self._changing(tenant, actor) as change:
            await numbers.remove_entry(change.connection, tenant, name, seen)
            await change.note("remove", "IVR entry", name)
            await self._put_in_force(change, f"IVR entry {name} removed")
        return change.publication

    # Integrations

    async def create_integration(
        self, tenant: TenantId, document: Integration, actor: Actor
    ) -> Publication | None:
        """Raises Conflict, Invalid."""
        async with self._changing(tenant, actor) as change:
            await integrations.create(change.connection, tenant, document, actor.who, change.at)
            await change.note("create", "integration", document.name, after=document)
            await self._put_in_force(change, f"integration {document.name} added")
        return change.publication

    async def change_integration(
        self, tenant: TenantId, name: str, document: Integration, revision: int | None, actor: Actor
    ) -> Publication | None:
        """Raises NotFound, Outdated, Conflict, Invalid."""
        async with self._changing(tenant, actor) as change:
            row = await integrations.one(change.connection, tenant, name)
            integrations.require_latest(row, revision)
            await integrations.change(change.connection, tenant, row, document, actor.who, change.at)
            await change.note("change", "integration", document.name, row.document, document)
            await self._put_in_force(change, f"integration {document.name} changed")
        return change.publication

    async def remove_integration(self, tenant: TenantId, name: str, actor: Actor) -> Publication | None:
        """Raises NotFound, StillUsed."""
        async with self._changing(tenant, actor) as change:
            row = await integrations.one(change.connection, tenant, name)
            await integrations.remove(change.connection, row)
            await change.note("remove", "integration", name, before=row.document)
            await self._put_in_force(change, f"integration {name} removed")
        return change.publication

    # Whole tenants

    async def plan(self, tenant: Tenant) -> list[Difference]:
        """What `apply` would change of what is in force."""
        async with self.database.reading() as connection:
            former = await publications.in_force(connection, tenant.id)
        return differences(former.document if former else None, tenant)

    async def apply(self, tenant: Tenant, comment: str, actor: Actor, managed_by: str = FILES) -> Applied:
        """Make the tenant exactly this, drafts and all, and put it in force. Raises Conflict, Invalid."""
        async with self.database.writing() as connection:
            change = Change(connection, tenant.id, actor, self._clock())
            former = await publications.in_force(connection, tenant.id)
            before = former.document if former else None
            await self._require_tenant(change, tenant, managed_by)
            await self._replace_all(change, tenant, comment)
            found = differences(before, tenant)
            if found:
                await change.note("apply", "tenant", tenant.id, after=[str(one) for one in found])
            await self._put_in_force(change, comment)
        return Applied(tuple(found), change.publication)

    async def roll_back(self, tenant: TenantId, number: int, actor: Actor) -> Publication | None:
        """Make the tenant what it was at a publication, drafts and all. Raises NotFound, Conflict."""
        async with self.database.reading() as connection:
            row = await tenants.one(connection, tenant)
            old = await publications.numbered(connection, tenant, number)
        if row.managed_by == FILES:
            raise ManagedByFiles(f"tenant {tenant} is managed by files: change it there, and apply them")
        if old.document is None:
            raise Conflict(f"the tenant was removed by publication {number}")
        applied = await self.apply(old.document, f"back to publication {number}", actor, managed_by=PAGE)
        return applied.publication

    async def _require_tenant(self, change: Change, tenant: Tenant, managed_by: str) -> None:
        try:
            row = await tenants.lock(change.connection, tenant.id)
        except NotFound:
            await tenants.create(
                change.connection, tenants.profile_of(tenant), managed_by, change.actor.who, change.at
            )
            return
        if row.profile != tenants.profile_of(tenant):
            await tenants.change(change.connection, tenant, None, change.actor.who, change.at)
        await tenants.manage(change.connection, tenant.id, managed_by)

    async def _replace_all(self, change: Change, tenant: Tenant, comment: str) -> None:
        connection, at, who = change.connection, change.at, change.actor.who
        names = [rule.name for rule in tenant.rules]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise Conflict(f"the rule {twice} stands there twice")
        await integrations.replace_all(connection, tenant.id, tenant.integrations, who, at)
        await numbers.replace_all(connection, tenant.id, (), (), {})
        known = {row.name: row for row in await rules.every(connection, tenant.id)}
        for name, row in known.items():
            if name not in names:
                await rules.remove(connection, row)
        ids: dict[RuleName, int] = {}
        for rule in tenant.rules:
            ids[rule.name] = await self._put_rule(change, known.get(rule.name), rule, comment)
        await rules.arrange(connection, tenant.id, ids.values())
        await numbers.replace_all(connection, tenant.id, tenant.numbers, tenant.ivr_entries, ids)

    async def _put_rule(self, change: Change, row: rules.RuleRow | None, rule: Rule, comment: str) -> int:
        connection, at, who = change.connection, change.at, change.actor.who
        if row is None:
            id_ = await rules.create(connection, change.tenant, rule, who, at)
            row = await rules.one(connection, change.tenant, id_)
        elif row.draft != rule:
            await rules.change(connection, row, change.tenant, rule, who, at)
        if row.live != rule:
            await rules.make_version(connection, row, rule, who, comment, at)
        return row.id

    # What all changes have in common

    @asynccontextmanager
    async def _changing(
        self, tenant: TenantId, actor: Actor, *, even_files: bool = False
    ) -> AsyncIterator[Change]:
        """`even_files`: whoever manages the tenant."""
        async with self.database.writing() as connection:
            row = await tenants.lock(connection, tenant)
            if row.managed_by == FILES and not even_files:
                raise ManagedByFiles(f"tenant {tenant} is managed by files: change it there, and apply them")
            yield Change(connection, tenant, actor, self._clock())

    async def _make_live(self, change: Change, row: rules.RuleRow, document: Rule, comment: str) -> None:
        number = await rules.make_version(
            change.connection, row, document, change.actor.who, comment, change.at
        )
        await change.note("publish", "rule", document.name, row.live, {"version": number, "comment": comment})

    async def _put_in_force(self, change: Change, comment: str) -> None:
        try:
            document, _ = await publications.assemble(change.connection, change.tenant)
        except msgspec.ValidationError as mistake:
            raise Invalid([_problem_of(mistake)]) from mistake
        wrong = [problem for problem in self._check(document) if problem.level == "error"]
        if wrong:
            raise Invalid(wrong)
        change.publication = await publications.publish(
            change.connection, change.tenant, change.actor, comment, change.at
        )


def _numbers_of(tenant: Tenant | None) -> Sequence[Number]:
    return tenant.numbers if tenant else ()


def _problem_of(mistake: msgspec.ValidationError) -> Problem:
    """What has not its shape, such as a name with a slash: whoever reads the plan would refuse it."""
    what, _, place = str(mistake).partition(" - at `$")
    parts = re.findall(r"[^.\[\]`]+", place)
    path = tuple(int(part) if part.isdigit() else part for part in parts)
    return error(path, what[:1].lower() + what[1:], "The documentation tells what it may be.")


def draft_of(tenant: Tenant, rule: Rule, former: RuleName | None = None) -> Tenant:
    """The tenant as it would be with this draft in force: for a check or a trial before it is published."""
    others = [one for one in tenant.rules if one.name != (former or rule.name)]
    at = next((n for n, one in enumerate(tenant.rules) if one.name == (former or rule.name)), len(others))
    return replace(tenant, rules=(*others[:at], rule, *others[at:]))
