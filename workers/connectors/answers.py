"""Reading what a CRM answered: statuses in an admin's words, text in any charset, JSON, web pages.

For every connector; what the answer means is the connector's own business.
"""

import codecs
import re
from http import HTTPStatus
from typing import Any

import msgspec

from router.core.faults import Fault
from workers.connectors.steps import Response
from workers.errors import LookupRefused, LookupUnavailable

WEB_PAGE = "the address answered a web page, not a value"
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
# Charsets only: Python's codecs include some that are none (`unicode_escape`), and slow ones (`idna`).
_CHARSETS = re.compile(
    r"ascii|utf-(8|16|32).*|iso8859-\d+|cp\d+|koi8-[rut]|shift_jis.*|euc_.*|gb\w*|big5\w*|mac-roman"
)
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PAGE = re.compile(r"<(!doctype\s+html|html|head|body)[\s>]", re.IGNORECASE)
_MARKUP = re.compile(r"<(\?xml|!--|!doctype|/?[a-z][a-z0-9:]*[\s/>])", re.IGNORECASE)

NOT_THE_CRM = "the address answered a web page, not the CRM's interface"
_FAULTS = {
    400: Fault.QUERY,
    401: Fault.CREDENTIALS,
    402: Fault.RIGHTS,
    403: Fault.RIGHTS,
    404: Fault.ADDRESS,
    405: Fault.ADDRESS,
    407: Fault.ADDRESS,
    408: Fault.TIMEOUT,
    410: Fault.ADDRESS,
    429: Fault.THROTTLED,
}
_REFUSALS = {
    Fault.CREDENTIALS: "the CRM refused the user name or password, or the token",
    Fault.RIGHTS: "the CRM does not let this user do that",
    Fault.MODULE: "the CRM has no such module, or hides it from this user",
    Fault.FIELD: "the CRM has no such field, or hides it from this user",
    Fault.QUERY: "the CRM does not understand the question",
    Fault.ADDRESS: "the address is not that of this CRM",
    Fault.ANSWER: "the CRM's answer has not the shape that was expected",
}
_MEANINGS = {
    400: "the CRM says the request is wrong",
    401: "the CRM refused the user name or password, or the token",
    402: "the CRM asks for a payment",
    403: "the CRM does not let this user, or this server, read the record",
    404: "there is nothing at this address",
    405: "the CRM does not take this method at this address",
    407: "a proxy in front of the CRM asks for a password",
    408: "the CRM gave up waiting",
    410: "the address is gone for good",
    414: "the CRM finds the request too long",
    429: "the CRM says that it is asked too often",
    500: "the CRM failed",
    501: "the CRM cannot do this",
    502: "the CRM's front server cannot reach the CRM",
    503: "the CRM says that it is not available",
    504: "the CRM's front server waited for the CRM in vain",
}


def status_problem(status: int) -> str:
    """What a status that is no success means, for an admin."""
    meaning = _MEANINGS.get(status)
    if meaning:
        return f"{meaning} ({status})"
    phrase = next((known.phrase for known in HTTPStatus if known == status), "")
    return f"the CRM answered with status {status} {phrase}".rstrip()


def require_success(response: Response) -> None:
    """Raises LookupRefused for anything but a 2xx."""
    if not 200 <= response.status < 300:
        raise refusal(response)


def refusal(response: Response, fault: Fault | None = None, said: str | None = None) -> LookupRefused:
    """What a status that is no success means; `fault` and `said` where the connector knows better."""
    told = error_text(response) if said is None else said
    return LookupRefused(status_problem(response.status), told, fault=fault or status_fault(response.status))


def refused(fault: Fault, said: str = "") -> LookupRefused:
    """What the CRM refused by a code of its own."""
    return LookupRefused(_REFUSALS[fault], said, fault=fault)


def throttled(said: str = "", retry_after_seconds: float | None = None) -> LookupUnavailable:
    """A quota that is used up, told in another way than by status 429."""
    problem = "the CRM's quota of requests is used up"
    return LookupUnavailable(problem, retry_after_seconds, said=said, fault=Fault.THROTTLED)


def status_fault(status: int) -> Fault:
    """The step of a connection test that such a status belongs to."""
    if 300 <= status < 400:
        return Fault.ADDRESS
    return _FAULTS.get(status, Fault.DOWN if status >= 500 else Fault.QUERY)


def read_object(response: Response) -> dict[str, Any]:
    """The JSON object of a success. Raises LookupRefused for everything else."""
    require_success(response)
    return json_object(response)


def json_object(response: Response) -> dict[str, Any]:
    """The JSON object of the body, whatever the status. Raises LookupRefused for anything else."""
    text = read_text(response)
    if is_web_page(response, text):
        raise LookupRefused(NOT_THE_CRM, fault=Fault.ADDRESS)
    raw = read_json(text)
    if not isinstance(raw, dict):
        raise LookupRefused("the CRM's answer has not the shape that was expected")
    return raw


def error_object(response: Response) -> dict[str, Any]:
    """The JSON object of an error; empty when the body is none."""
    try:
        return json_object(response)
    except LookupRefused:
        return {}


def read_text(response: Response) -> str:
    """The body as text: by its byte order mark, its declared charset, UTF-8, or else Windows' Latin-1."""
    body = response.body
    for mark, charset in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            # A UTF-16 or UTF-32 codec reads the mark itself, and needs it for the order.
            rest = body[len(mark) :] if charset == "utf-8" else body
            return rest.decode(charset, "replace")
    for charset in (_declared_charset(response), "utf-8", "cp1252"):
        try:
            return body.decode(charset)
        except (UnicodeDecodeError, LookupError):
            continue
    return body.decode("latin-1")


def is_web_page(response: Response, text: str) -> bool:
    """Whether markup came where a value was expected.

    The content type alone tells nothing: many scripts print a bare value and leave it at `text/html`.
    """
    start = text[:1000].lstrip()
    if _PAGE.match(start):
        return True
    is_markup = response.content_type.endswith(("html", "xml"))
    return is_markup and _MARKUP.match(start) is not None


def is_json_type(response: Response) -> bool:
    return response.content_type in ("application/json", "text/json") or response.content_type.endswith(
        "+json"
    )


def read_json(text: str) -> Any:
    """Raises LookupRefused; the message says where, not what: the text may be anything."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        where = re.search(r"\(byte (\d+)\)", str(error))
        at = f" (at byte {where[1]})" if where else ""
        raise LookupRefused(f"the CRM's answer is not valid JSON{at}") from error


def one_line(text: str, most: int = 120) -> str:
    """A CRM's text inside a sentence: short, without control signs."""
    clean = " ".join("".join(sign if sign.isprintable() else " " for sign in text[: most * 4]).split())
    return f"{clean[: most - 1]}…" if len(clean) > most else clean


def _declared_charset(response: Response) -> str:
    found = _CHARSET.search(response.headers.get("content-type", ""))
    if found is None:
        return "utf-8"
    try:
        name = codecs.lookup(found[1]).name
    except LookupError:
        return "utf-8"
    if name in ("iso8859-1", "ascii"):
        return "utf-8" if name == "ascii" else "cp1252"  # as every browser reads what calls itself Latin-1
    return name if _CHARSETS.fullmatch(name) else "utf-8"


def error_text(response: Response) -> str:
    """The CRM's own words on an error, when they are words."""
    text = read_text(response).strip()
    if not text or text.startswith("<") or is_web_page(response, text):
        return ""
    return text
