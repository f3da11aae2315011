"""What an HTTP answer says around its body: redirects, quotas, moments to try again, charsets, packing, NTLM.

And the custom URL's answers, which any customer's developer writes.
"""

import asyncio
import gzip
import json
import zlib
from collections.abc import Sequence
from random import Random
from typing import Any

import httpx

from router.core.lookups import Answer
from router.core.rules import Outcome
from router.store.packing import pack, unpack_answer
from tests.fuzz.decoders.crms import _response
from tests.fuzz.mutations import bend_bytes, bend_document, bend_text, write_json
from tests.fuzz.targets import Target
from tests.workers.makers import WORKER, answered, digits_job, job
from workers.asking import _unavailable
from workers.connectors.answers import (
    error_text,
    is_web_page,
    json_object,
    read_json,
    read_text,
    status_problem,
)
from workers.connectors.steps import Request, Response
from workers.errors import LookupFailed
from workers.http import HttpClient, unpacked
from workers.http_errors import translated_errors
from workers.ntlm import _challenge
from workers.quotas import LONGEST_SECONDS, Quota

ANSWER_MOST = 65_536


def read_headers(data: bytes) -> None:
    response = _read(data)
    if response is None:
        return
    quota = Quota(lambda: 100.0)
    quota.note(response)
    assert 0 <= quota.seconds_closed <= LONGEST_SECONDS
    waits = _unavailable(response).retry_after_seconds
    assert waits is None or waits >= 0
    assert status_problem(response.status)
    text = read_text(response)
    is_web_page(response, text)
    error_text(response)
    for read in (lambda: json_object(response), lambda: read_json(text)):
        try:
            read()
        except LookupFailed:
            continue


def _read(data: bytes) -> Response | None:
    try:
        return _response(json.loads(data))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def read_custom(data: bytes) -> None:
    response = _read(data)
    if response is None:
        return
    given: list[dict[str, Any]] = [
        {},
        {"answer": "json", "record_path": "items.0", "field_paths": {"status": "a.b.0"}},
        {"id_field": "id", "name_field": "name", "link_field": "link", "modified_field": "at"},
        {"answer": "text"},
    ]
    for options in given:
        for asked in (job("status", "tier"), job(), digits_job("4711", key_digits_field="account")):
            try:
                findings = answered(response, asked, **options)
            except LookupFailed:
                continue
            found = Answer(Outcome.FOUND, findings.records, problem=findings.problem)
            assert pack(unpack_answer(pack(found))) == pack(found)


def follow_redirect(data: bytes) -> None:
    """A location is followed on its own host, or refused; it makes no header, and leads nowhere else."""
    location = data.decode("latin-1")
    asyncio.run(_redirected(location))


async def _redirected(location: str) -> None:
    http = HttpClient(WORKER, tls=TLS)
    try:
        with translated_errors():
            asked = http._build(
                Request(name="find", url="https://crm.example/lookup?x=1", follows_redirects=True)
            )
            again = http._redirected(asked, 302, location)
        assert (again.url.scheme, again.url.host, again.url.port) == ("https", "crm.example", None)
        assert not any(sign in str(again.url) for sign in "\r\n\0 ")
    except LookupFailed:
        return
    finally:
        await http.aclose()


TLS = httpx.create_ssl_context()


def unpack(data: bytes) -> None:
    for encoding in ("gzip", "deflate", "br"):
        try:
            assert len(unpacked(data, encoding, ANSWER_MOST)) <= ANSWER_MOST
        except LookupFailed:
            continue


def sign_in_by_ntlm(data: bytes) -> None:
    header = data.decode("latin-1").translate(dict.fromkeys(range(32)))
    response = httpx.Response(401, headers=[(b"www-authenticate", header.encode("latin-1"))])
    for scheme in ("NTLM", "Negotiate"):
        try:
            _challenge(response, scheme)
        except LookupFailed:
            continue


def _answers() -> Sequence[bytes]:
    made: list[dict[str, Any]] = [
        {"status": 200, "headers": {"content-type": "text/plain"}, "text": "GOLD"},
        {"status": 200, "headers": {"content-type": "application/json"}, "json": {"status": "GOLD", "id": 1}},
        {
            "status": 200,
            "headers": {},
            "json": [{"status": "a", "name": "x", "link": "https://h/"}, {"status": 2}],
        },
        {"status": 200, "headers": {}, "json": {"items": [{"a": {"b": [1, None]}, "account": "4711"}]}},
        {"status": 200, "headers": {"content-type": "text/html; charset=utf-7"}, "text": "<p>GOLD"},
        {"status": 404, "headers": {}, "text": ""},
        {"status": 200, "headers": {"content-type": 'x; charset="utf-16"'}, "text": "\ufeffGOLD"},
    ]
    return [write_json(one) for one in made]


def _headers() -> Sequence[bytes]:
    named = (
        {"retry-after": "5"}, {"retry-after": "Fri, 27 Nov 2026 10:00:05 GMT", "date": "Fri, 27 Nov 2026 10:00:00 GMT"},
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"},
        {"sforce-limit-info": "api-usage=15000/15000, per-app=1/2"}, {"sforce-limit-info": f"api-usage={'9' * 5_000}/1"},
        {"x-hubspot-ratelimit-remaining": "0", "x-hubspot-ratelimit-interval-milliseconds": "10000"},
        {"content-type": "text/html; charset=iso-8859-15"}, {"content-type": "application/problem+json"},
    )  # fmt: skip
    return [write_json({"status": 429, "headers": one, "text": '{"error":"x"}'}) for one in named]


def _packed() -> Sequence[bytes]:
    plain = b'{"status":"GOLD"}' * 20
    return [
        gzip.compress(plain),
        zlib.compress(plain),
        zlib.compress(b"\0" * 300_000),
        gzip.compress(b"a") * 3,
    ]


LOCATIONS = (
    b"/lookup/2", b"https://crm.example/next", b"https://evil.example/", b"//evil.example/x", b"http://crm.example/",
    b"https://crm.example:444/", b"https://user:pw@crm.example/", b"?x=2", b"#f", b"https://crm.example\\@evil.example/",
    b"https://xn--/", b"https://[::1/", b"https://crm.example:99999/", b"\xe9\xff", b"javascript:x", b"../../..",
)  # fmt: skip
CHALLENGES = (
    b"NTLM TlRMTVNTUAACAAAAAAAAADgAAADzgpjiASNFZ4mrze8AAAAAAAAAAAAAAAAAAAAACgBjRQAAAA8=",
    b"Negotiate, NTLM", b"Negotiate oYIB", b'Basic realm="NTLM x"', b"NTLM ====", b"NTLM \xe9",
)  # fmt: skip


def _bend_packed(random: Random, data: bytes, other: bytes) -> bytes:
    """Now and then what is inside, so that checksums do not stop everything."""
    if random.random() < 0.5:
        return bend_bytes(random, data, other)
    return zlib.compress(bend_bytes(random, data, other))[: random.choice((10, 1_000, 100_000))]


_bend_answer = bend_document(json.loads, write_json)

TARGETS = (
    Target("crm-custom", "the custom URL's answers", read_custom, _answers, _bend_answer),
    Target("http-headers", "quotas, pauses, charsets", read_headers, _headers, _bend_answer),
    Target("http-redirect", "where a CRM redirects to", follow_redirect, lambda: LOCATIONS, bend_text, 8_000),
    Target("http-packing", "packed bodies", unpack, _packed, _bend_packed),
    Target("http-ntlm", "Windows' sign-in", sign_in_by_ntlm, lambda: CHALLENGES, bend_text, 8_000),
)
