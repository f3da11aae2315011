"""What CRMs answer: a target for each connector, with all its abilities and all its ways in.

An input names the way in (a rig), the ability, and the answers to its requests in their order; the last one
is repeated. Whatever a CRM answers, the steps end in what was asked for or in one of `workers.errors`, ask
nobody but the CRM's own hosts, and show no secret.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import msgspec

from router.core.call_logs import Logged, NewContact
from router.core.lookups import Answer, Record
from router.core.packable import require_packable
from router.core.rules import Outcome
from router.store.packing import pack, unpack_answer
from tests.crms import people
from tests.crms.driving import finished
from tests.crms.product import CANARY
from tests.crms.rig import CrmRig
from tests.crms.rigs import ALL
from tests.fuzz.mutations import bend_document, write_json
from tests.fuzz.recording import URL, exchanges, told
from tests.fuzz.targets import Target
from tests.recorded.replaying import CRMS, recordings
from tests.workers.makers import digits_job, job
from workers.asking import RETRIED_STATUSES, _unavailable
from workers.catalogue import load_connectors
from workers.connectors.answers import one_line
from workers.connectors.steps import Account, Connector, Findings, Grant, Question, Request, Response, Steps
from workers.errors import IntegrationUnusable, LookupFailed, RecordAwaited
from workers.http import _address
from workers.http_errors import translated_errors
from workers.masks import quotable, shown, without_secrets
from workers.secrets import Secret, read_settings

JSON = {"content-type": "application/json"}
REQUESTS_MOST = 60
"""More are asked of nobody: `workers.asking` ends the steps."""
Envelope = dict[str, Any]


@dataclass(frozen=True)
class Way:
    """A rig with its settings read, and signed in."""

    rig: CrmRig
    connector: Connector[Any]
    settings: Any
    grant: Grant

    @property
    def account(self) -> Account[Any]:
        return Account(self.settings, self.grant)


@cache
def _way(name: str) -> Way:
    rig = next(rig for rig in ALL if rig.name == name)
    crm = rig.make()
    crm.url = URL
    connector = load_connectors()[rig.slug]
    settings = read_settings(rig.settings(crm), connector.settings, {}, "the configuration of `crm`")
    grant = rig.grant(crm) if rig.grant else Grant(token=Secret("canary-token"))
    way = Way(rig, connector, settings, grant)
    signed_in = [one for one in exchanges(name) if one["ability"] == "sign_in"]
    if signed_in and connector.sign_in is not None:
        return Way(rig, connector, settings, _drive(way, connector.sign_in(settings, grant), signed_in[0]))
    return way


def _steps(way: Way, ability: str) -> Steps[Any] | None:
    """None for an ability that this connector has not."""
    connector, rig = way.connector, way.rig
    fields, modules = (rig.tier, rig.vip or rig.tier), (rig.contacts,)
    by_number = Question(job(*fields, key_modules=modules, key_subject=people.ALICE), "FR")
    keyed = {"key_modules": modules, "key_digits_field": rig.account_no or rig.tier}
    by_digits = Question(digits_job("4711", *fields, **keyed), "FR")
    call = finished(module=rig.contacts, record_id="1", is_repeat=True)
    makers: Mapping[str, Callable[[], Steps[Any] | None]] = {
        "find": lambda: connector.find(way.account, by_number),
        "find_digits": lambda: connector.find(way.account, by_digits),
        "check": lambda: connector.check and connector.check(way.account),
        "modules": lambda: connector.modules and connector.modules(way.account),
        "fields": lambda: connector.fields and connector.fields(way.account, rig.contacts),
        "log_call": lambda: connector.log_call and connector.log_call(way.account, call),
        "create": lambda: (
            connector.create
            and connector.create(way.account, NewContact(rig.contacts, people.NOBODY, "Nina"))
        ),
        "sign_in": lambda: connector.sign_in and connector.sign_in(way.settings, way.grant),
    }
    return makers[ability]() if ability in makers else None


def read_answers(data: bytes) -> None:
    try:
        envelope = json.loads(data)
        way, ability = _way(envelope["rig"]), envelope["ability"]
        _responses(envelope)
        steps = _steps(way, ability)
    except (ValueError, TypeError, KeyError, AttributeError, StopIteration, RecursionError):
        return  # the input is none; nothing of the product ran yet
    if steps is None:
        return
    asked: list[Request] = []
    try:
        brought = _drive(way, steps, envelope, asked)
    except (LookupFailed, RecordAwaited) as failed:
        _require_tellable(failed, asked)
    else:
        _require_usable(brought)


def _drive(
    way: Way,
    steps: Steps[Any],
    envelope: Envelope,
    asked: list[Request] | None = None,
    *,
    is_held_to_its_host: bool = True,
) -> Any:
    """As `workers.asking` drives steps, without a network or retries. Raises what they raise."""
    responses = _responses(envelope)
    asked = [] if asked is None else asked
    try:
        request = next(steps)
        for number in range(REQUESTS_MOST):
            asked.append(request)
            if is_held_to_its_host:
                _require_own_host(way, request)
            response = responses[min(number, len(responses) - 1)]
            if response.status in RETRIED_STATUSES and response.status not in request.final_statuses:
                request = steps.throw(_unavailable(response))
            else:
                request = steps.send(response)
    except StopIteration as ended:
        return ended.value
    steps.close()
    raise LookupFailed("the connector did not end")


def answer_with(rig: str, ability: str, body: Any, status: int = 200) -> Any:
    """What an ability makes of one answer. Raises what its steps raise."""
    way = _way(rig)
    steps = _steps(way, ability)
    assert steps is not None
    return _drive(way, steps, {"answers": [{"status": status, "headers": JSON, "json": body}]})


def _responses(envelope: Envelope) -> list[Response]:
    """Raises ValueError, TypeError, KeyError for an envelope that is none."""
    return [_response(one) for one in envelope["answers"]] or [Response(204)]


def _response(one: Any) -> Response:
    status = one["status"]
    if not isinstance(status, int) or not 100 <= status <= 599:
        raise ValueError(status)
    headers = {str(name).lower(): str(value) for name, value in one.get("headers", {}).items()}
    body = write_json(one["json"]) if "json" in one else str(one["text"]).encode("utf-8", "surrogatepass")
    return Response(status, body, headers)


def _require_own_host(way: Way, request: Request) -> None:
    """What a CRM answered never sends the next request, and the token with it, to somebody else."""
    with translated_errors():
        host = _address(request).host
    assert host in _hosts(way.rig.name) or _is_of_the_vendor(host, way), f"{host} is none of {way.rig.name}'s"


def _is_of_the_vendor(host: str, way: Way) -> bool:
    suffixes = {".".join(known.split(".")[-2:]) for known in _hosts(way.rig.name)} | VENDORS.get(
        way.rig.slug, set()
    )
    return any(host.endswith(f".{suffix}") for suffix in suffixes)


VENDORS = {
    "salesforce": {"salesforce.com", "force.com", "salesforce.mil", "cloudforce.com"},
    "zoho": {"zohoapis.com", "zohoapis.eu", "zohoapis.in", "zohoapis.com.au", "zohoapis.jp", "zohoapis.ca"},
    "pipedrive": {"pipedrive.com"},
    "bullhorn": {"bullhornstaffing.com", "bullhorn.com"},
}
"""Where a sign-in may say that an account is served."""


@cache
def _hosts(rig: str) -> frozenset[str]:
    way_settings = str(_addresses(rig))
    return frozenset(
        {"crm.example", *(urlsplit(word).hostname or "" for word in way_settings.split("'"))}
    ) - {""}


def _addresses(rig: str) -> list[str]:
    made = next(one for one in ALL if one.name == rig)
    crm = made.make()
    crm.url = URL
    return [value for value in made.settings(crm).values() if isinstance(value, str) and "://" in value]


def _require_tellable(failed: LookupFailed | RecordAwaited, asked: Sequence[Request]) -> None:
    assert failed.problem == one_line(failed.problem, 2_000), failed.problem
    for request in asked[-1:]:
        told = without_secrets(failed.problem, request)
        if isinstance(failed, LookupFailed):
            told += quotable(failed.said, request)
        shown(request)
        told.encode("utf-8", "replace")


def _require_usable(brought: Any) -> None:
    match brought:
        case Findings(records=records, problem=problem):
            answer = Answer(Outcome.FOUND, records, problem=problem)
            assert pack(unpack_answer(pack(answer))) == pack(answer)
        case Record():
            pack(Answer(Outcome.FOUND, (brought,)))
        case Logged(id=text) | str(text):
            text.encode()
        case Grant(token=token):
            assert isinstance(token.reveal(), str)
            assert CANARY not in repr(brought)
        case tuple():
            for one in brought:
                json.dumps([one.name, one.label]).encode()


def _seeds(slug: str) -> Sequence[bytes]:
    made = [{"rig": rig.name, **one} for rig in ALL if rig.slug == slug for one in exchanges(rig.name)]
    if slug in CRMS:
        made += _recorded(slug)
    return [write_json(one) for one in made] + [write_json(one) for one in _hostile(made[0])]


def _recorded(slug: str) -> list[Envelope]:
    """Real servers' answers, each to every ability in turn."""
    abilities = ("find", "fields", "modules", "check", "sign_in", "log_call", "create", "find_digits")
    listed = [one.answer for one in recordings(slug).values()]
    return [
        {"rig": slug, **told(abilities[number % len(abilities)], [answer])}
        for number, answer in enumerate(listed)
    ]


def _hostile(first: Envelope) -> list[Envelope]:
    """Answers that are none of this CRM's."""
    texts = ("", "null", "[]", "{}", '"x"', "<!DOCTYPE html><html>", '{"a":', "\0", "9" * 5_000, "[" * 3_000)
    headers = {"content-type": "application/json"}
    answers = [
        {**first, "ability": ability, "answers": [{"status": status, "headers": headers, "text": text}]}
        for text in texts
        for ability, status in (("find", 200), ("fields", 200), ("sign_in", 200), ("find", 400))
    ]
    places = ("https://[x", "https://evil.example/?code=1", "//[::1/", "")
    redirects = [
        {
            **first,
            "ability": "sign_in",
            "answers": [{"status": status, "headers": {"location": place}, "text": ""}],
        }
        for place in places
        for status in (302, 307)
    ]
    return answers + redirects


def read_given(data: bytes) -> None:
    """A tenant's settings of a connector: refused, or asked by, whatever they hold."""
    try:
        envelope = msgspec.json.decode(data)
        rig = next(rig for rig in ALL if rig.name == envelope["rig"])
        given = dict(envelope["settings"])
        require_packable(given)
    except (ValueError, TypeError, KeyError, StopIteration, RecursionError):
        return  # nor would the API take it
    connector = load_connectors()[rig.slug]
    try:
        settings = read_settings(given, connector.settings, {}, "the configuration of `crm`")
    except IntegrationUnusable as unusable:
        unusable_because(unusable)
        return
    way = Way(rig, connector, settings, Grant(token=Secret("canary-token")))
    for ability in ("find", "check", "fields", "log_call", "sign_in"):
        _ask_with(way, ability)


def unusable_because(error: IntegrationUnusable) -> None:
    assert error.problem == one_line(error.problem, 2_000), error.problem


def _ask_with(way: Way, ability: str) -> None:
    asked: list[Request] = []
    envelope = {"answers": [{"status": 404, "text": ""}]}
    try:
        if way.connector.oauth is not None:
            way.connector.oauth(way.settings)
        steps = _steps(way, ability)
        if steps is not None:
            _drive(way, steps, envelope, asked, is_held_to_its_host=False)
    except (LookupFailed, RecordAwaited) as failed:
        _require_tellable(failed, asked)
    for request in asked:
        shown(request)


def _given() -> Sequence[bytes]:
    made = []
    for rig in ALL:
        crm = rig.make()
        crm.url = URL
        made.append(write_json({"rig": rig.name, "settings": rig.settings(crm)}))
    return made


def _target(slug: str) -> Target:
    bend = bend_document(json.loads, write_json)
    return Target(f"crm-{slug}", f"{slug}'s answers", read_answers, lambda: _seeds(slug), bend, 200_000)


_bend_given = bend_document(json.loads, write_json)
TARGETS = (
    *(_target(slug) for slug in dict.fromkeys(rig.slug for rig in ALL)),
    Target("crm-settings", "a tenant's settings of CRMs", read_given, _given, _bend_given, 20_000),
)
