"""Driving a connector's steps by hand: a response for each request, without a server; and a call to write."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from router.core.call_logs import CallEnd, FinishedCall
from router.core.identities import Uniqueid
from tests.crms import people
from tests.crms.product import ACME, CRM
from workers.asking import Sender
from workers.connectors.steps import Request, Response, Steps

R = TypeVar("R")


class Unanswered(AssertionError):
    """The steps ask for more than the test has an answer for."""


def driven(steps: Steps[R], *responses: Response) -> tuple[R, list[Request]]:
    """What the steps return, and what they asked. Raises what they raise."""
    asked: list[Request] = []
    left = list(responses)
    try:
        asked.append(next(steps))
        while True:
            if not left:
                raise Unanswered(asked[-1])
            asked.append(steps.send(left.pop(0)))
    except StopIteration as ended:
        returned: R = ended.value
        return returned, asked


def answered(body: Any, status: int = 200, **headers: str) -> Response:
    """An answer in JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, msgspec.json.encode(body), {"content-type": "application/json", **named})


def paged(status: int) -> Response:
    """A web page where JSON is due."""
    body = b"<!DOCTYPE html><html><head><title>Access denied</title></head></html>"
    return Response(status, body, {"content-type": "text/html; charset=utf-8"})


def finished(**changes: Any) -> FinishedCall:
    """A call that somebody answered."""
    made = FinishedCall(
        tenant=ACME,
        integration=CRM,
        call_id=Uniqueid("pbx-a-1795473674.29"),
        ending=CallEnd.ANSWERED,
        started_at=1_777_626_000.0,  # 2026-05-01T09:00:00Z
        seconds=90,
        talk_seconds=63,
        caller=people.ALICE,
        called="+33142345001",
        subject="Inbound call from +33639980001 (answered)",
        decision="To queue gold, because line 1 holds: tier Gold = Gold <b>&'\"",
    )
    return replace(made, **changes)


class Recorder:
    """A sender that keeps what went over the wire, both ways."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self.exchanges: list[tuple[Request, Response]] = []

    async def send(self, request: Request, seconds: float) -> Response:
        response = await self._sender.send(request, seconds)
        self.exchanges.append((request, response))
        return response


def query_of(request: Request) -> Mapping[str, str]:
    return dict(request.query)
