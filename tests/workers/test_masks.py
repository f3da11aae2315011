"""No secret of a request is in anything that is shown of it, wherever it stands and however it is written."""

import base64
import html
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from workers.connectors.steps import Basic, Bearer, HeaderAuth, Ntlm, Request
from workers.masks import quotable, shown, without_secrets
from workers.secrets import Secret

URL = "https://crm.example/lookup"


def request(**given: Any) -> Request:
    return Request(**({"name": "find", "url": URL} | given))


def small_escapes(text: str) -> str:
    return re.sub("%..", lambda found: found[0].lower(), quote(text, safe=""))


# Where a secret may stand: each makes a request of it.
PLACES: dict[str, Callable[[str], Request]] = {
    "basic auth": lambda secret: request(auth=Basic("user", Secret(secret))),
    "bearer": lambda secret: request(auth=Bearer(Secret(secret))),
    "a header of its own": lambda secret: request(auth=HeaderAuth("X-Key", Secret(secret))),
    "windows": lambda secret: request(auth=Ntlm("ACME\\user", Secret(secret))),
    "header": lambda secret: request(headers=(("X-Site", Secret(secret)),)),
    "password of the address": lambda secret: request(
        url=f"https://user:{quote(secret, safe='')}@crm.example/"
    ),
    "user of the address": lambda secret: request(url=f"https://{quote(secret, safe='')}@crm.example/"),
    "query of the address": lambda secret: request(url=f"{URL}?key={quote(secret, safe='')}&flag"),
    "small escapes": lambda secret: request(url=f"{URL}?key={small_escapes(secret)}"),
    "masked query": lambda secret: request(query=(("key", secret), ("a", "1")), masked=frozenset({"key"})),
    "masked form": lambda secret: request(
        method="POST", form=(("key", secret), ("a", "1")), masked=frozenset({"key"})
    ),
    "masked json": lambda secret: request(method="POST", json={"key": secret}, masked=frozenset({"key"})),
    "masked json within": lambda secret: request(
        method="PUT", json={"a": [{"b": {"key": secret}}]}, masked=frozenset({"key"})
    ),
    "masked json above": lambda secret: request(
        method="PUT", json={"key": {"a": [secret, {"b": secret}]}}, masked=frozenset({"key"})
    ),
}

BASIC = ("basic auth", "password of the address")

# Where one of `secrets` may stand besides.
EVERYWHERE: dict[str, Callable[[str], Request]] = {
    "nowhere": lambda _: request(),
    "path": lambda secret: request(url=f"{URL}/{secret}/x"),
    "quoted path": lambda secret: request(url=f"{URL}/{quote(secret, safe='')}/x"),
    "host": lambda secret: request(url=f"https://{quote(secret, safe='')}.example/x"),
    "name in the address": lambda secret: request(url=f"{URL}?{quote_plus(secret)}=1"),
    "flag in the address": lambda secret: request(url=f"{URL}?a=1&{quote_plus(secret)}"),
    "query": lambda secret: request(query=(("q", f"a{secret}b"), (secret, "1"))),
    "form": lambda secret: request(method="POST", form=(("q", f"a{secret}b"), (secret, "1"))),
    "json": lambda secret: request(method="PATCH", json=[{"a": {"b": f"a{secret}b"}}, {secret: 1}]),
    "text": lambda secret: request(method="POST", text=f"<a>{secret}</a>"),
    "text, as XML": lambda secret: request(method="POST", text=f"<a b='{html.escape(secret)}'/>"),
    "text, as JSON": lambda secret: request(method="POST", text=json.dumps({"a": secret})),
}


def writings(secret: str) -> list[str]:
    """What somebody who looks for the secret would try."""
    return [
        secret,
        quote(secret, safe=""),
        quote(secret),
        small_escapes(secret),
        quote_plus(secret),
        html.escape(secret),
        json.dumps(secret)[1:-1],
    ]


def assert_hidden(made: Request, secret: str, *more: str) -> None:
    looked_for = [*writings(secret), *more]
    said = " | ".join(looked_for)
    for text in (shown(made), without_secrets(said, made), quotable(said, made), repr(made), str(made)):
        for writing in looked_for:
            assert writing not in text


CANARIES = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x2FFF, exclude_categories=("C", "Z"))
    | st.sampled_from("@:/?#&=%+\"'<>\\ .,;*"),
    min_size=6,
    max_size=40,
).map(lambda text: f"c4{text}")


@pytest.mark.parametrize("place", PLACES)
@given(canary=CANARIES)
def test_a_secret_in_its_place_is_in_nothing_that_is_shown(place: str, canary: str) -> None:
    pairs = [base64.b64encode(f"user:{canary}".encode()).decode()]

    assert_hidden(PLACES[place](canary), canary, *(pairs if place in BASIC else ()))


@pytest.mark.parametrize("place", EVERYWHERE)
@given(canary=CANARIES)
def test_a_further_secret_is_hidden_wherever_it_stands(place: str, canary: str) -> None:
    made = EVERYWHERE[place](canary)
    assert_hidden(
        Request(
            name=made.name,
            method=made.method,
            url=made.url,
            query=made.query,
            form=made.form,
            json=made.json,
            text=made.text,
            secrets=(Secret(canary),),
        ),
        canary,
    )


# What is shown


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (request(query=(("a", "b c"), ("d", "é"))), f"GET {URL}?a=b%20c&d=%C3%A9"),
        (request(method="PUT", json={"a": 1}), f'PUT {URL} {{"a":1}}'),
        (request(method="PATCH", json={"a": "é"}), f'PATCH {URL} {{"a":"é"}}'),
        (request(method="POST", text="<a>\r\n  <b/>\n</a>"), f"POST {URL} <a> <b/> </a>"),
        (
            request(method="POST", form=(("a", "1"), ("key", "2")), masked=frozenset({"key"})),
            f"POST {URL} a=1&key=***",
        ),
        (request(url=f"{URL}?key=1&flag&T0kenT0kenT0ken"), f"GET {URL}?key=***&flag=***&***"),
        (request(url="https://user:password@crm.example:8443/x#part"), "GET https://crm.example:8443/x"),
        (
            request(url="https://crm.example/hooks/T0KEN4567890abcdefghij/x"),
            "GET https://crm.example/hooks/***/x",
        ),
        (request(url=f"{URL}/of/t0ken", secrets=(Secret("t0ken"),)), f"GET {URL}/of/***"),
    ],
)
def test_what_the_call_contributes_is_shown(made: Request, text: str) -> None:
    assert shown(made) == text


class Note(Struct):
    subject: str
    key: str


def test_a_body_made_of_structs_is_masked_as_well() -> None:
    made = request(method="POST", json=[Note("Call", "s3cret")], masked=frozenset({"key"}))

    assert shown(made) == f'POST {URL} [{{"subject":"Call","key":"***"}}]'
    assert without_secrets("bad s3cret", made) == "bad ***"


def test_a_long_text_is_cut_after_its_secrets_were_taken_out() -> None:
    text = shown(
        request(
            method="POST",
            text="x" * 440 + "s3cret-of-much-length" * 9,
            secrets=(Secret("s3cret-of-much-length"),),
        )
    )

    assert len(text) <= 500
    assert "s3" not in text


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("https://user:pa/s3cret@crm.example/", "pa/s3cret"),
        ("https://user:pa?s3cret@crm.example/", "pa?s3cret"),
        ("https://user:pa#s3cret@crm.example/", "pa#s3cret"),
        ("https://user:s3cret@crm.example:port/", "s3cret"),
        ("https://user:s3cret@[::1/", "s3cret"),
        ("https://s3cret/x@crm.example/", "s3cret/x"),
    ],
)
def test_an_address_that_cannot_be_read_shows_no_secret(url: str, password: str) -> None:
    made = request(url=url)

    assert "s3cret" not in shown(made)
    assert without_secrets(f"bad {password}", made) == "bad ***"


# Short secrets


def test_a_very_short_secret_hides_the_value_that_it_stands_in() -> None:
    made = request(query=(("pin", "a7b"), ("caller", "12")), secrets=(Secret("7"),))

    assert shown(made) == f"GET {URL}?pin=***&caller=12"


def test_a_text_with_a_very_short_secret_is_not_quoted() -> None:
    made = request(auth=Bearer(Secret("7")))

    assert quotable("bad pin 7", made) == ""
    assert quotable("bad pin", made) == "bad pin"


def test_a_masked_flag_is_no_secret() -> None:
    """Masking "true" in every text would hide more than it protects."""
    made = request(method="POST", json={"key": True}, masked=frozenset({"key"}))

    assert shown(made) == f'POST {URL} {{"key":"***"}}'
    assert quotable("it is True, and not true", made) == "it is True, and not true"


def test_what_cannot_be_encoded_is_shown_all_the_same() -> None:
    """A secret of the environment may hold bytes that are no UTF-8."""
    made = request(auth=Basic("user", Secret("s3cret\udcff")), query=(("a", "\udcff"),))

    assert shown(made) == f"GET {URL}?a=%3F"
    assert without_secrets("bad s3cret\udcff", made) == "bad ***"
