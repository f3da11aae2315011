"""What the tests of accounts are made of: quick hashes that are counted, sign-ins, second factors."""

import threading
from collections.abc import Callable
from typing import Any, Literal

import pyotp
from argon2 import PasswordHasher

from router.records import audit
from router.records.accounts import Accounts, CodeNeeded, Session, SignedIn
from router.records.audit import Entry, Wanted
from router.records.database import Database
from router.records.passwords import Passwords
from router.records.users import User
from router.settings.vault import Vault
from tests.records.makers import JANE, Clock

PASSWORD, WRONG = "canary: correct horse", "canary: battery staple"
ORIGIN = "192.0.2.7"
VAULT = Vault(["a key of the tests, long enough to be one"])


class QuickHasher(PasswordHasher):
    """Says how often it verified, and in which threads it worked."""

    def __init__(self, time_cost: int = 1) -> None:
        super().__init__(time_cost=time_cost, memory_cost=8, parallelism=1)
        self.verified = 0
        self.threads: set[int] = set()

    def hash(self, *given: Any, **named: Any) -> str:
        self.threads.add(threading.get_ident())
        return super().hash(*given, **named)

    def verify(self, *given: Any, **named: Any) -> Literal[True]:
        self.verified += 1
        self.threads.add(threading.get_ident())
        return super().verify(*given, **named)


def accounts_of(database: Database, clock: Callable[[], float], hasher: PasswordHasher) -> Accounts:
    return Accounts(database, clock, VAULT, Passwords(hasher))


async def sign_in(
    accounts: Accounts, name: str = "jane@ACME.example", code: str = "", origin: str = ORIGIN
) -> SignedIn:
    """Both steps of it, where there is a code."""
    try:
        return await accounts.sign_in(name, PASSWORD, origin)
    except CodeNeeded as needed:
        if not code:
            raise
        return await accounts.sign_in_with_code(needed.proof, code, origin)


async def session(accounts: Accounts, signed_in: SignedIn) -> Session | None:
    return await accounts.session(signed_in.key)


async def enrolled(
    accounts: Accounts, user: User, clock: Clock, keeping: str = ""
) -> tuple[pyotp.TOTP, tuple[str, ...]]:
    """The user's authenticator and recovery codes; the step of the enrolment is over."""
    begun = await accounts.begin_second_factor(user)
    made = pyotp.TOTP(begun.secret)
    code = made.at(int(clock.now))
    codes = await accounts.confirm_second_factor(user, begun.secret, code, JANE, keeping=keeping)
    clock.now += 60
    return made, codes


async def audited(database: Database) -> list[Entry]:
    """The newest first."""
    async with database.reading() as connection:
        return await audit.read(connection, Wanted(), 1000)
