"""What a worker's logs must never hold."""

import logging
from collections.abc import Iterator
from typing import Literal

import httpx
import pytest
import spnego
import structlog

from router.settings.logs import LOUD_LIBRARIES, configure_logs
from router.settings.model import LogSettings


@pytest.fixture(autouse=True)
def settings_restored() -> Iterator[None]:
    levels = {name: logging.getLogger(name).level for name in LOUD_LIBRARIES}
    yield
    structlog.reset_defaults()
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize("format_", ["json", "text"])
def test_a_traceback_does_not_show_local_variables(
    capfd: pytest.CaptureFixture[str], format_: Literal["json", "text"]
) -> None:
    configure_logs(LogSettings(level="info", format=format_))
    password = "-".join(["s3cret", "word"])

    try:
        raise KeyError("mistake")
    except KeyError:
        structlog.get_logger().exception("lookup.broken", length=len(password))

    shown = capfd.readouterr().err
    assert "lookup.broken" in shown
    assert "KeyError" in shown
    assert "s3cret-word" not in shown


async def test_httpx_does_not_log_addresses(caplog: pytest.LogCaptureFixture) -> None:
    configure_logs(LogSettings(level="debug", format="json"))
    caplog.set_level(logging.DEBUG)
    transport = httpx.MockTransport(lambda _: httpx.Response(200))

    async with httpx.AsyncClient(transport=transport) as client:
        await client.get("https://crm.example/?key=s3cret")

    assert "s3cret" not in caplog.text


def test_spnego_does_not_log_the_proof_of_a_password(caplog: pytest.LogCaptureFixture) -> None:
    """Who reads it can guess passwords against it."""
    configure_logs(LogSettings(level="debug", format="json"))
    caplog.set_level(logging.DEBUG)

    spnego.client("user", "s3cret", protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm).step()

    assert caplog.text == ""
