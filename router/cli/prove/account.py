"""The AMI account that places test calls, and whether a server is fit for them.

A router's account never may `originate`, so this is another one, and its secret is in no settings: it is
there for as long as somebody proves.
"""

import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from getpass import getpass
from pathlib import Path

from msgspec.structs import replace

from router.ami.errors import AmiError, CertificateRefused, LoginRefused
from router.ami.inspection import Inspection, OnEvent, inspecting
from router.cli.doctor.dialplan import RETURNED
from router.cli.doctor.findings import listed
from router.cli.errors import WrongUsage
from router.cli.prove.scenarios import CONTEXTS
from router.settings.model import AmiSettings, AsteriskServer

SECRET_VARIABLE = "CRMROUTE_PROVE_SECRET"  # noqa: S105  # its name, no secret
DEFAULT_ACCOUNT = "prove"
QUESTION_SECONDS = 3.0
MOST_GRACE, USUAL_GRACE = 5, 2
NEEDED = {
    "Originate": "originate",
    **dict.fromkeys(("Getvar", "Setvar", "Redirect"), "call"),
    **dict.fromkeys(("CoreStatus", "CoreShowChannels", "ShowDialPlan"), "reporting"),
}
WANTED = "write = originate,call,reporting"


class Unfit(WrongUsage):
    """The test calls cannot be placed, or cannot be heard."""


def read_secret(account: str, secret_file: Path | None) -> str:
    """From the file, the environment, or the terminal. Raises WrongUsage."""
    if secret_file is not None:
        try:
            return secret_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise WrongUsage(
                f"{secret_file} cannot be read: {error}", "Name a file that holds it."
            ) from error
    if secret := os.environ.get(SECRET_VARIABLE, ""):
        return secret
    if sys.stdin.isatty() and (secret := getpass(f"Secret of the AMI account {account}: ")):
        return secret
    mend = f"Set {SECRET_VARIABLE}, or name a file with --secret-file. See [{account}] in manager.conf."
    raise WrongUsage(f"test calls need the secret of the AMI account {account}", mend)


def with_account(server: AsteriskServer, account: str, secret: str) -> AsteriskServer:
    return replace(server, username=account, secret=secret)


@asynccontextmanager
async def logged_in(
    server: AsteriskServer, ami: AmiSettings, on_event: OnEvent | None = None
) -> AsyncIterator[Inspection]:
    """A session of the account. Raises Unfit where it cannot begin, or ends before its time."""
    place = f"{server.name} at {server.host}:{server.port}"
    try:
        async with inspecting(server, ami.connect_seconds, QUESTION_SECONDS, on_event) as inspection:
            yield inspection
    except LoginRefused as error:
        mend = f"Compare with [{server.username}] in its manager.conf: secret, permit, and `manager reload`."
        raise Unfit(f"{place} refuses the account {server.username}: {error}", mend) from error
    except CertificateRefused as error:
        raise Unfit(f"{place}: {error.what}", error.mend) from error
    except AmiError as error:
        raise Unfit(f"{place}: {error}", "`crmroute doctor` looks at it more closely.") from error


async def require_fit(inspection: Inspection, account: str) -> None:
    """The account's rights and the contexts of the test calls. Raises Unfit."""
    allowed = await inspection.allowed_actions()
    missing = [name for name in NEEDED if name not in allowed]
    if missing:
        mend = f"In manager.conf, [{account}]: {WANTED}; then `manager reload`."
        raise Unfit(f"the account {account} may not {listed(missing, 9)}", mend)
    absent = [name for name in CONTEXTS if await inspection.context(name) is None]
    if absent:
        mend = "Include deploy/asterisk/crmroute-prove.conf in extensions.conf; `dialplan reload`."
        raise Unfit(f"the dialplan has no context {listed(absent, 3)}", mend)


async def require_idle(inspection: Inspection, server: str, most_live: int) -> None:
    """Raises Unfit when the server carries more live calls than test calls should stand beside."""
    reply = await inspection.ask("CoreStatus")
    live = reply.header("CoreCurrentCalls")
    if live.isdecimal() and int(live) > most_live:
        mend = (
            f"Prove a staging server, or wait until it is quieter; --live-most {live} goes on all the same."
        )
        raise Unfit(
            f"{server} carries {live} live calls, and more than {most_live} look like production", mend
        )


def unheard(account: str) -> Unfit:
    """Test calls were placed, and their account was told of none."""
    mend = (
        f"In manager.conf, [{account}]: read = user, and no eventfilter that hides UserEvent Route…; then "
        "`manager reload`. If it is so, Asterisk's log tells why the calls were not parked."
    )
    return Unfit("test calls were placed, and nothing was heard of them", mend)


async def grace_of(inspection: Inspection) -> float:
    """Seconds; the most that the dialplan ever waits where only a call can evaluate it."""
    steps = await inspection.context("route-settings") or ()
    told = {step.exten: step.data for step in steps if step.application == "Return"}
    return read_grace(told)


def read_grace(told: Mapping[str, str]) -> float:
    """As `route-hold` reads it: a value that is missing or out of bounds is 2."""
    if "grace" not in told:
        return USUAL_GRACE
    match = RETURNED.fullmatch(told["grace"])
    if match is None:
        return MOST_GRACE
    grace = int(match[1])
    return grace if 1 <= grace <= MOST_GRACE else USUAL_GRACE
