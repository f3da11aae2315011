"""The REST service v4_1: signing in, calls, and what its answers mean.

A call is a form with the method's name and its arguments as JSON, which the server takes by their order and
not by their names. Its errors have status 200 and a number; a query that the database refuses is answered in
plain text, by SugarCRM with status 200 and by SuiteCRM with 500.
"""

from hashlib import md5
from typing import Any

import msgspec
from msgspec.structs import replace

from router.core.faults import Fault
from workers.connectors import answers
from workers.connectors.records import text_at
from workers.connectors.steps import Account, Grant, Request, Response, Steps
from workers.connectors.sugar_rest.beans import S, SugarSettings
from workers.errors import GrantExpired, LookupRefused
from workers.secrets import Secret

SESSION_ERRORS = frozenset({10, 11})
"""10 is a refused sign-in, and with some methods a session that is over."""
UNKNOWN_METHOD = -1
FAULTS = {20: Fault.MODULE, UNKNOWN_METHOD: Fault.ADDRESS}
NO_ACCESS = 40
NO_ACCESS_TOLD = "the CRM denies this user the module, or its SQL checker the question"
WIZARD = "the CRM has not been set up: an administrator must finish its setup wizard first"
DATABASE = "the CRM's database refused the question: a field in it may not exist"
LARGE = frozenset({"get_available_modules", "get_module_fields"})
QUERIES = frozenset({"get_entry_list"})
"""Methods whose status 500 may be the database's refusal."""


def sign_in(settings: SugarSettings, _former: Grant | None = None) -> Steps[Grant]:
    """The password travels as its MD5 in hexadecimal digits: the service takes it in no other form."""
    digest = md5(settings.password.reveal().encode(), usedforsecurity=False).hexdigest()
    arguments = {
        "user_auth": {"user_name": settings.username, "password": digest, "version": "1"},
        "application_name": "crmroute",
        "name_value_list": [{"name": "notifyonsave", "value": "false"}],
    }
    request = _request(settings, "token", "login", arguments, (settings.password, Secret(digest)))
    body = _signed_in((yield request))
    facts = {"user": text_at(body, "name_value_list.user_name.value") or settings.username}
    return Grant(token=Secret(text_at(body, "id")), facts=facts)


def _signed_in(response: Response) -> dict[str, Any]:
    """Of a refusal nothing is told but that it is one: its words may repeat what was shown."""
    try:
        body = answer(response)
    except GrantExpired as refused:
        raise answers.refused(Fault.CREDENTIALS) from refused
    except LookupRefused as refused:
        is_of_the_address = refused.fault is Fault.ADDRESS
        raise LookupRefused(
            refused.problem, fault=refused.fault if is_of_the_address else Fault.CREDENTIALS
        ) from refused
    if not isinstance(body, dict) or not text_at(body, "id"):
        raise answers.refused(Fault.ANSWER)
    return body


def asked(
    account: Account[S], name: str, method: str, arguments: dict[str, Any], *, writes: bool = False
) -> Request:
    """A call as the user who is signed in. The order of the arguments counts, and none may be missing."""
    token = account.grant.token
    arguments = {"session": token.reveal(), **arguments}
    request = _request(account.settings, name, method, arguments, (token,))
    is_final = frozenset({500}) if method in QUERIES else frozenset()
    return replace(request, large_answer=method in LARGE, writes=writes, final_statuses=is_final)


def _request(
    settings: SugarSettings, name: str, method: str, arguments: dict[str, Any], secrets: tuple[Secret, ...]
) -> Request:
    return Request(
        name=name,
        method="POST",
        url=settings.service,
        form=(
            ("method", method),
            ("input_type", "JSON"),
            ("response_type", "JSON"),
            ("rest_data", msgspec.json.encode(arguments).decode()),
        ),
        masked=frozenset({"rest_data"}) if method == "login" else frozenset(),
        secrets=secrets,
    )


def call(
    account: Account[S], name: str, method: str, arguments: dict[str, Any], *, writes: bool = False
) -> Steps[Any]:
    """What the method answered. A server that fails for another reason than a query is asked as usual."""
    request = asked(account, name, method, arguments, writes=writes)
    response = yield request
    if response.status in request.final_statuses and not _is_of_the_database(answers.read_text(response)):
        response = yield replace(request, final_statuses=frozenset())
    return answer(response)


def answer(response: Response) -> Any:
    """The JSON of a success, which may be anything. Raises LookupRefused and GrantExpired."""
    text = answers.read_text(response)
    if _is_of_the_database(text):
        raise LookupRefused(DATABASE, answers.one_line(text), fault=Fault.FIELD)
    if "AdminWizard" in response.headers.get("location", ""):
        raise LookupRefused(WIZARD, fault=Fault.ADDRESS)
    answers.require_success(response)
    if answers.is_web_page(response, text):
        raise LookupRefused(answers.NOT_THE_CRM, fault=Fault.ADDRESS)
    body = answers.read_json(text)
    if isinstance(body, dict) and "number" in body:
        raise _error(_number(body["number"]), text_at(body, "description", 300))
    return body


def _error(number: int, said: str) -> LookupRefused | GrantExpired:
    if number in SESSION_ERRORS:
        return GrantExpired("the CRM no longer takes the session", said)
    if number == NO_ACCESS:
        return LookupRefused(NO_ACCESS_TOLD, said, fault=Fault.RIGHTS)
    return answers.refused(FAULTS.get(number, Fault.QUERY), said)


def _is_of_the_database(text: str) -> bool:
    return text.lstrip().startswith("Database failure")


def _number(raw: Any) -> int:
    """The unknown method's is a text."""
    return int(raw) if isinstance(raw, int | str) and str(raw).removeprefix("-").isdecimal() else 0
