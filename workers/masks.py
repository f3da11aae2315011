"""Showing a request without its secrets: for the decision's trace, which tenants' admins and logs see.

What the call contributes is shown (`field_name`, the caller's number), what the settings contribute is not:
the values of the address' own query, user and password, literal parameters, headers. A path may hold a secret
too (`/hooks/<token>/`): its long mixed segments are masked. What shows who asks (passwords, tokens,
`Request.secrets`) is masked wherever it stands, also within another value.

A CRM may repeat a secret in an error's text, so such texts pass through `quotable`. It may have written the
secret anew: it is looked for as it is, and as URLs, JSON, HTML and basic auth write it.
"""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, quote_plus, unquote, unquote_plus, urlsplit

import msgspec

from workers.connectors.steps import Basic, Bearer, HeaderAuth, Ntlm, Pairs, Request
from workers.secrets import MASK

SHOWN_MOST = 500
SHORT = 4
_TOKEN = re.compile(r"(?=[^/]*\d)(?=[^/]*[A-Za-z])[A-Za-z0-9_.~=-]{20,}")
_FLAG = re.compile(r"[A-Za-z_-]{1,19}")
"""A parameter without a value that is a name, and not a token by itself."""
_ESCAPE = re.compile(r"%[0-9A-F]{2}")


def shown(request: Request) -> str:
    """Such as `GET https://crm.example/lookup?field_name=status&caller=%2B33142345001`."""
    hider = _Hider(_credentials(request), [secret.reveal() for secret in request.secrets])
    text = f"{request.method} {_address(request, hider)}"
    if request.form is not None:
        text += " " + "&".join(_pairs(request.form, request, hider))
    if request.json is not None:
        masked = _masked(_plain(request.json), request.masked, hider)
        text += " " + json.dumps(masked, ensure_ascii=False, separators=(",", ":"))
    if request.text is not None:
        text += " " + " ".join(hider.without(request.text).split())
    text = "".join(sign if sign.isprintable() else "?" for sign in text)
    return text if len(text) <= SHOWN_MOST else text[: SHOWN_MOST - 1] + "…"


def without_secrets(text: str, request: Request) -> str:
    """A text of ours, with each secret of the request masked, in every form in which it was sent."""
    return _replaced(text, _forms(_secrets(request)))


def quotable(said: str, request: Request) -> str:
    """A CRM's own text without the request's secrets; empty where that cannot be had.

    Masking every "7" of a text would tell that the secret is 7, so a text with a very short one is dropped.
    """
    forms = _forms(_secrets(request))
    if any(len(form) < SHORT and form in said for form in forms):
        return ""
    return _replaced(said, forms)


class _Hider:
    """Masks what shows who asks within the values of a request, before they are encoded or cut.

    Of `everywhere`, even a very short one hides the value that it stands in, as a whole.
    """

    def __init__(self, credentials: Iterable[str], everywhere: list[str]) -> None:
        self._forms = _forms([*credentials, *everywhere])
        self._short = [secret for secret in everywhere if 0 < len(secret) < SHORT]

    def without(self, text: str) -> str:
        if any(secret in text for secret in self._short):
            return MASK
        return _replaced(text, self._forms)


def _replaced(text: str, forms: Iterable[str]) -> str:
    for form in forms:
        if len(form) >= SHORT:
            text = text.replace(form, MASK)
    return text


def _forms(secrets: Iterable[str]) -> list[str]:
    """Each secret in each way of writing it; the longest first, for one may be a part of another."""
    forms = {form for secret in set(secrets) if secret for form in _written(secret)}
    return sorted(forms, key=len, reverse=True)


def _written(secret: str) -> Iterator[str]:
    yield secret
    if secret.isalnum() and secret.isascii():
        return  # nobody has a reason to write it otherwise
    for safe in ("", ",", "/", "/,"):
        for quoted in (quote(secret, safe, errors="replace"), quote_plus(secret, safe, errors="replace")):
            yield quoted
            yield _ESCAPE.sub(lambda found: found[0].lower(), quoted)
    for is_ascii in (False, True):
        in_json = json.dumps(secret, ensure_ascii=is_ascii)[1:-1]
        yield in_json
        yield in_json.replace("/", "\\/")
    in_html = html.escape(secret, quote=False)
    yield in_html
    for apostrophe in ("'", "&#x27;", "&#39;", "&#039;", "&apos;"):
        yield in_html.replace('"', "&quot;").replace("'", apostrophe)


def _address(request: Request, hider: _Hider) -> str:
    parts = _split(hider.without(request.url))
    if parts is None:
        return MASK
    host = parts.netloc.rpartition("@")[2]
    path = "/".join(MASK if _TOKEN.fullmatch(part) else part for part in parts.path.split("/"))
    query = "&".join([*_own_query(parts, hider), *_pairs(request.query, request, hider)])
    return f"{parts.scheme}://{host}{path}" + (f"?{query}" if query else "")


def _split(url: str) -> SplitResult | None:
    """None for an address in which it is not clear where a password ends, such as `https://user:a/b@host`."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return None if "@" in parts.path else parts


def _own_query(parts: SplitResult, hider: _Hider) -> Iterator[str]:
    """The names of the address' own parameters."""
    for part in filter(None, parts.query.split("&")):
        name, equals, _ = part.partition("=")
        is_name = equals or _FLAG.fullmatch(name)
        yield f"{_quoted(unquote_plus(name), hider)}={MASK}" if is_name else MASK


def _pairs(pairs: Pairs, request: Request, hider: _Hider) -> list[str]:
    return [
        f"{_quoted(name, hider)}={MASK if name in request.masked else _quoted(value, hider)}"
        for name, value in pairs
    ]


def _quoted(text: str, hider: _Hider) -> str:
    return quote(hider.without(text), safe=",*", errors="replace")


def _plain(raw: Any) -> Any:
    """What JSON makes of it, as dicts, lists, texts and numbers."""
    return msgspec.to_builtins(raw, str_keys=True)


def _masked(raw: Any, names: frozenset[str], hider: _Hider) -> Any:
    match raw:
        case dict():
            return {
                hider.without(key): MASK if key in names else _masked(item, names, hider)
                for key, item in raw.items()
            }
        case list() | tuple():
            return [_masked(item, names, hider) for item in raw]
        case str():
            return hider.without(raw)
    return raw


def _secrets(request: Request) -> list[str]:
    """Everything that the settings contributed, and that no text may repeat."""
    user_info, path, query = _taken_apart(request.url)
    found = [user_info, *user_info.split(":", 1), unquote(user_info), *_credentials(request)]
    found += [value for _, value in parse_qsl(query)]
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        found.append(value if equals or _FLAG.fullmatch(name) else name)
    found += [segment for segment in path.split("/") if _TOKEN.fullmatch(segment)]
    found += [value for name, value in (*request.query, *(request.form or ())) if name in request.masked]
    found += [value.reveal() for _, value in request.headers]
    found += [secret.reveal() for secret in request.secrets]
    if request.json is not None:
        found += _under(request.masked, _plain(request.json))
    return found


def _taken_apart(url: str) -> tuple[str, str, str]:
    """User and password, path and query as they stand in the address; it may be one that nobody can use."""
    rest = url.partition("//")[2]
    if _split(url) is None and "@" in rest:
        user_info, _, rest = rest.rpartition("@")
    else:
        user_info = rest.partition("/")[0].rpartition("@")[0]
    before, _, query = rest.partition("#")[0].partition("?")
    return user_info, before.partition("/")[2], query


def _under(names: frozenset[str], raw: Any, *, is_masked: bool = False) -> Iterator[str]:
    """The texts and numbers under these names, however deep."""
    match raw:
        case dict():
            for key, item in raw.items():
                yield from _under(names, item, is_masked=is_masked or key in names)
        case list() | tuple():
            for item in raw:
                yield from _under(names, item, is_masked=is_masked)
        case str() | int() | float() if is_masked and not isinstance(raw, bool):
            yield str(raw)


def _credentials(request: Request) -> list[str]:
    """What shows who asks."""
    user, colon, password = _taken_apart(request.url)[0].partition(":")
    found = [user, unquote(user)]
    if colon:
        found = [password, unquote(password), _basic(unquote(user), unquote(password))]
    match request.auth:
        case Basic(username, secret):
            found += [secret.reveal(), _basic(username, secret.reveal())]
        case Ntlm(_, secret) | Bearer(secret) | HeaderAuth(_, secret):
            found.append(secret.reveal())
    return found


def _basic(username: str, password: str) -> str:
    return base64.b64encode(f"{username}:{password}".encode(errors="replace")).decode()
