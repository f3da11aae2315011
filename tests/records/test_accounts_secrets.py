"""What nobody learns, on both databases: no password, key or code is in the audit, or kept as it is."""

import pytest

from router.core.roles import Role
from router.core.single_sign_on import Claims
from router.records.accounts import Accounts, CodeNeeded, SignInRefused
from router.records.database import Database
from router.records.tables import metadata
from tests.records.makers import ACME, JANE, Clock
from tests.records.people import ORIGIN, PASSWORD, WRONG, audited, enrolled, sign_in


async def test_no_secret_is_in_the_audit_or_in_the_records(
    accounts: Accounts, clock: Clock, database: Database
) -> None:
    link = await accounts.setup_key()
    assert link is not None
    boss = await accounts.set_up(link, "boss", PASSWORD, ORIGIN)
    jane = await accounts.create_user("Jane@acme.example", Role.ADMIN, ACME, PASSWORD, JANE)
    made, codes = await enrolled(accounts, jane, clock)
    code = made.at(int(clock.now))
    by_code = await sign_in(accounts, code=code)
    by_recovery = await sign_in(accounts, code=codes[0])
    changed = await accounts.change_own_password(boss.key, PASSWORD, WRONG, ORIGIN)
    await accounts.link_identity(jane, Claims(issuer="https://id.example", subject="canary"), JANE)
    _, token = await accounts.create_token("ci", Role.VIEWER, ACME, 3600, (Role.ADMIN, JANE), user=jane.id)
    for name, password in ((jane.name, WRONG), (PASSWORD, WRONG)):
        with pytest.raises(SignInRefused):
            await accounts.sign_in(name, password, ORIGIN)
    await accounts.remove_second_factor(jane, JANE)
    await accounts.remove_user(jane.id, JANE)

    told = str(await audited(database))
    keys = (boss.key, by_code.key, by_recovery.key, changed.key)
    for secret in ("canary", link, token, made.secret, code, *keys, *codes):
        assert secret not in told
    for action in ("set up", "sign in", "refused sign in", "set password", "remove"):
        assert action in told


async def test_the_records_keep_digests(accounts: Accounts, clock: Clock, database: Database) -> None:
    link = await accounts.setup_key()
    assert link is not None
    async with database.reading() as connection:
        kept = str((await connection.exec_driver_sql("SELECT * FROM setup_links")).all())
    assert link not in kept
    boss = await accounts.set_up(link, "boss", PASSWORD, ORIGIN)
    made, codes = await enrolled(accounts, boss.user, clock)
    by_code = await sign_in(accounts, "boss", made.at(int(clock.now)))
    with pytest.raises(CodeNeeded) as needed:
        await sign_in(accounts, "boss")
    _, token = await accounts.create_token("ci", Role.VIEWER, ACME, 3600, (Role.ADMIN, JANE))

    kept = ""
    async with database.reading() as connection:
        for table in metadata.sorted_tables:
            kept += str((await connection.execute(table.select())).all())

    assert by_code.user.name in kept
    for secret in ("canary", by_code.key, needed.value.proof, token, made.secret, *codes):
        assert secret not in kept
