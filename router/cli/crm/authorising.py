"""`crmroute crm authorise`: a person signs in to the CRM, in this machine's browser, another's, or by code.

The browser comes back to a page of ours on loopback that lives for this one sign-in. On a machine without a
browser the address is printed, and the address that the browser ended at is pasted here. Nothing secret
passes through this process but the code, which is worth nothing without what the worker has.
"""

import asyncio
import hmac
import webbrowser
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, urlsplit

from rich.text import Text

from router.cli.crm.asking import Refusal, ask, refusal, replied
from router.cli.errors import ExitCode, WrongUsage
from router.cli.output import Screen, plain
from router.core.errands import (
    BeginSignIn,
    ErrandFailed,
    FinishSignIn,
    SignInAwaited,
    SignInBegun,
    SignInDone,
)
from router.core.identities import IntegrationName, TenantId
from router.store.seams import Errands

DEFAULT_PORT = 8765
PATH = "/callback"
BACK = "You are signed in. This window may be closed; go back to the command line."
NOT_OURS = "This page waits for another sign-in."
LARGEST_REQUEST = 16_384


def redirect_of(port: int) -> str:
    return f"http://127.0.0.1:{port}{PATH}"


async def authorise_in_browser(
    screen: Screen,
    errands: Errands,
    tenant: TenantId,
    integration: IntegrationName,
    *,
    port: int,
    opens: bool,
) -> ExitCode:
    """`opens`: try this machine's browser. The address is printed, and our page listens, either way."""
    redirect = redirect_of(port)
    begun = await ask(
        errands, BeginSignIn(tenant=tenant, integration=integration, redirect_uri=redirect), SignInBegun
    )
    arrived: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    try:
        server = await asyncio.start_server(_page(begun.state, arrived), "127.0.0.1", port)
    except OSError as error:
        raise WrongUsage(f"port {port} is in use on this machine", "Name another with --port.") from error
    async with server:
        _show_address(screen, begun, f"The CRM must know this address for the way back: {redirect}")
        if opens:
            await asyncio.to_thread(webbrowser.open, begun.address)
        try:
            async with asyncio.timeout(begun.lives_seconds):
                code = await arrived
        except TimeoutError as error:
            raise Refusal("nobody signed in in time", "Run the command again.") from error
    return await _finish(screen, errands, tenant, integration, begun.state, code)


async def authorise_by_pasting(
    screen: Screen,
    errands: Errands,
    tenant: TenantId,
    integration: IntegrationName,
    redirect: str,
    read: Callable[[str], str] = input,
) -> ExitCode:
    """For a shell far from any browser: the person pastes where the browser ended."""
    begun = await ask(
        errands, BeginSignIn(tenant=tenant, integration=integration, redirect_uri=redirect), SignInBegun
    )
    _show_address(screen, begun, f"Then paste the whole address that begins with {redirect} here.")
    pasted = await asyncio.to_thread(read, "Address: ")
    code = code_of(pasted, begun.state)
    return await _finish(screen, errands, tenant, integration, begun.state, code)


async def authorise_on_device(
    screen: Screen,
    errands: Errands,
    tenant: TenantId,
    integration: IntegrationName,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> ExitCode:
    begun = await ask(errands, BeginSignIn(tenant=tenant, integration=integration), SignInBegun)
    _show_address(screen, begun, "Open it on any device.")
    if begun.user_code:
        screen.show(Text.assemble("and enter the code ", (plain(begun.user_code), "bold green")))
    errand = FinishSignIn(tenant=tenant, integration=integration, state=begun.state)
    for _ in range(int(begun.lives_seconds / max(begun.every_seconds, 1.0)) + 1):
        await pause(begun.every_seconds)
        reply = await replied(errands, errand)
        if isinstance(reply, SignInAwaited):
            continue
        if isinstance(reply, ErrandFailed):
            raise refusal(reply)
        return _done(screen, reply) if isinstance(reply, SignInDone) else ExitCode.PROBLEMS
    raise Refusal("nobody signed in in time", "Run the command again.")


def _query_of(address: str) -> str:
    """Empty for what is no address at all."""
    try:
        return urlsplit(address).query
    except ValueError:
        return ""


def code_of(address: str, state: str) -> str:
    """The code in the address that the browser ended at. Raises Refusal for another one, and for an error."""
    query = parse_qs(_query_of(address.strip()))
    if not hmac.compare_digest(query.get("state", [""])[0].encode(), state.encode()):
        raise Refusal(
            "that address belongs to another sign-in", "Run the command again, and use its own address."
        )
    code = query.get("code", [""])[0]
    if not code:
        said = plain(query.get("error_description", query.get("error", ["no code"]))[0])[:200]
        raise Refusal(f"the CRM did not sign you in: {said}", "Run the command again.")
    return code


async def _finish(
    screen: Screen, errands: Errands, tenant: TenantId, integration: IntegrationName, state: str, code: str
) -> ExitCode:
    errand = FinishSignIn(tenant=tenant, integration=integration, state=state, code=code)
    return _done(screen, await ask(errands, errand, SignInDone))


def _done(screen: Screen, done: SignInDone) -> ExitCode:
    screen.answer(done)
    screen.show(Text.assemble(("✓ ", "green"), "signed in", f" as {plain(done.who)}" if done.who else ""))
    return ExitCode.OK


def _show_address(screen: Screen, begun: SignInBegun, then: str) -> None:
    screen.note("Open this address and sign in to the CRM:")
    screen.note(begun.address, "bold blue")
    screen.note(then, "dim")


def _page(
    state: str, arrived: "asyncio.Future[str]"
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """One page for one sign-in: any other state, path or method gets nothing."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(10):
                head = await reader.readuntil(b"\r\n\r\n")
            method, _, rest = head[:LARGEST_REQUEST].decode("latin-1").partition(" ")
            target = rest.partition(" ")[0]
            text, status = NOT_OURS, "404 Not Found"
            if method == "GET" and target.partition("?")[0] == PATH:
                text, status = _received(target, state, arrived)
            writer.write(_http(status, text))
            await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    return serve


def _received(target: str, state: str, arrived: "asyncio.Future[str]") -> tuple[str, str]:
    try:
        code = code_of(target, state)
    except Refusal as refused:
        if "another sign-in" not in refused.what and not arrived.done():
            arrived.set_exception(refused)
        return refused.what, "400 Bad Request"
    if not arrived.done():
        arrived.set_result(code)
    return BACK, "200 OK"


def _http(status: str, text: str) -> bytes:
    body = text.encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
