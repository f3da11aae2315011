"""Showing a request without its secrets: for the decision's trace, which tenants' admins and logs see.

What the call contributes is shown (`field_name`, the caller's number), what the settings contribute is not:
the values of the address' own query, user and password, literal parameters, headers. A path may hold a secret
too (`/hooks/<token>/`): its long mixed segments are masked. A CRM may repeat a secret in an error's text, so
such texts pass through `quotable`.
"""

import base64
import re
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

import msgspec

from workers.connectors.steps import Basic, Bearer, HeaderAuth, Pairs, Request
from workers.secrets import MASK

SHOWN_MOST = 500
SHORT = 4
_TOKEN = re.compile(r"(?=[^/]*\d)(?=[^/]*[A-Za-z])[A-Za-z0-9_.~=-]{20,}")


def shown(request: Request) -> str:
    """Such as `GET https://crm.example/lookup?field_name=status&caller=%2B33142345001`."""
    parts = urlsplit(request.url)
    host = parts.netloc.rpartition("@")[2]
    path = "/".join(MASK if _TOKEN.fullmatch(part) else part for part in parts.path.split("/"))
    own = [f"{quote(name, safe='')}={MASK}" for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    query = "&".join([*own, *_pairs(request.query, request)])
    address = f"{parts.scheme}://{host}{path}" + (f"?{query}" if query else "")
    text = f"{request.method} {address}"
    if request.form is not None:
        text += " " + "&".join(_pairs(request.form, request))
    if request.json is not None:
        text += " " + msgspec.json.encode(_masked(request.json, request.masked)).decode()
    text = "".join(sign if sign.isprintable() else "?" for sign in text)
    return text if len(text) <= SHOWN_MOST else text[: SHOWN_MOST - 1] + "…"


def without_secrets(text: str, request: Request) -> str:
    """A text of ours, with each secret of the request masked, in every form in which it was sent."""
    for form in _forms(request):
        if len(form) >= SHORT:
            text = text.replace(form, MASK)
    return text


def quotable(said: str, request: Request) -> str:
    """A CRM's own text without the request's secrets; empty where that cannot be had.

    Masking every "7" of a text would tell that the secret is 7, so a text with a very short one is dropped.
    """
    if any(len(form) < SHORT and form in said for form in _forms(request)):
        return ""
    return without_secrets(said, request)


def _forms(request: Request) -> list[str]:
    """The longest first: one may be a part of another."""
    secrets = {secret for secret in _secrets(request) if secret}
    forms = {form for secret in secrets for form in (secret, quote(secret, safe=""), quote_plus(secret))}
    return sorted(forms, key=len, reverse=True)


def _pairs(pairs: Pairs, request: Request) -> list[str]:
    return [
        f"{quote(name, safe='')}={MASK if name in request.masked else quote(value, safe=',')}"
        for name, value in pairs
    ]


def _masked(raw: Any, names: frozenset[str]) -> Any:
    match raw:
        case dict():
            return {key: MASK if key in names else _masked(item, names) for key, item in raw.items()}
        case list() | tuple():
            return [_masked(item, names) for item in raw]
    return raw


def _secrets(request: Request) -> list[str]:
    parts = urlsplit(request.url)
    user_info = parts.netloc.rpartition("@")[0]
    found = [user_info, *user_info.split(":", 1)]
    found += [value for _, value in parse_qsl(parts.query)]
    found += [part for part in parts.path.split("/") if _TOKEN.fullmatch(part)]
    found += [value for name, value in (*request.query, *(request.form or ())) if name in request.masked]
    found += [value.reveal() for _, value in request.headers]
    if isinstance(request.json, dict):
        found += [str(value) for name, value in request.json.items() if name in request.masked]
    match request.auth:
        case Basic(username, password):
            pair = f"{username}:{password.reveal()}"
            found += [password.reveal(), base64.b64encode(pair.encode()).decode()]
        case Bearer(token):
            found.append(token.reveal())
        case HeaderAuth(_, value):
            found.append(value.reveal())
    return found
