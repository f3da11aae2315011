"""A recorded exchange: what a real server was asked and what it answered, as our connectors would meet both.

Sessions, tokens and challenges were replaced by names in angle brackets when they were recorded; headers that
no connector reads were left out.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Struct

from workers.connectors.steps import Basic, Bearer, HeaderAuth, Request, Response

FOLDER = Path(__file__).resolve().parent
CRMS = ("sugarcrm", "suitecrm", "vtiger")


class RecordedRequest(Struct, frozen=True):
    method: str
    path: str
    headers: Mapping[str, str]
    body: str | None = None


class RecordedResponse(Struct, frozen=True):
    status: int
    headers: Mapping[str, str]
    body: str | None = None


class Recording(Struct, frozen=True):
    name: str
    request: RecordedRequest
    response: RecordedResponse

    def __repr__(self) -> str:
        return self.name

    @property
    def answer(self) -> Response:
        headers = {name.lower(): value for name, value in self.response.headers.items()}
        return Response(self.response.status, (self.response.body or "").encode(), headers)

    @property
    def path(self) -> str:
        return urlsplit(self.request.path).path

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.request.path).query, keep_blank_values=True)

    @property
    def form(self) -> list[tuple[str, str]]:
        return parse_qsl(self.request.body or "", keep_blank_values=True)

    @property
    def given(self) -> dict[str, str]:
        """The parameters, wherever they stand."""
        return dict([*self.query, *self.form])


@cache
def recordings(crm: str) -> Mapping[str, Recording]:
    """By name, in their order."""
    lines = (FOLDER / "exchanges" / f"{crm}.jsonl").read_bytes().splitlines()
    listed = [msgspec.json.decode(line, type=Recording) for line in lines]
    return {one.name: one for one in listed}


def path_of(request: Request) -> str:
    return urlsplit(request.url).path


def authorization_of(request: Request) -> str:
    match request.auth:
        case Bearer(token=token):
            return f"Bearer {token.reveal()}"
        case HeaderAuth(name=name, value=value):
            return f"{name}: {value.reveal()}"
        case Basic(username=username):
            return f"Basic {username}"
    return ""


def shape_of(value: Any) -> Any:
    """What a document is made of, without its values: names in their order, and types."""
    match value:
        case dict():
            return {key: shape_of(item) for key, item in value.items()}
        case list():
            return [shape_of(value[0])] if value else []
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case None:
            return "null"
    return "text"
