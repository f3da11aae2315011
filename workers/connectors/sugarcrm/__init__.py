"""SugarCRM: the REST service v4_1 of Community Edition 6.5, and the REST API v11 of Sugar 7 and later.

Facts: exchanges recorded from SugarCRM 6.5.26 and SuiteCRM 7.12.14, which `tests/recorded` holds, for v4_1;
SugarCRM's developer guide for v11.
"""

from types import ModuleType
from typing import Any

from router.core.call_logs import FinishedCall, NewContact
from workers.connectors.steps import Connector, Question, Steps
from workers.connectors.sugarcrm import legacy, rest
from workers.connectors.sugarcrm.api import MODULES, Crm, Settings, sign_in


def _spoken(account: Crm) -> ModuleType:
    return legacy if account.settings.api == "v4_1" else rest


def find(account: Crm, question: Question) -> Steps[Any]:
    return _spoken(account).find(account, question)  # type: ignore[no-any-return]


def check(account: Crm) -> Steps[Any]:
    return _spoken(account).check(account)  # type: ignore[no-any-return]


def modules(account: Crm) -> Steps[Any]:
    return _spoken(account).modules(account)  # type: ignore[no-any-return]


def fields(account: Crm, module: str) -> Steps[Any]:
    return _spoken(account).fields(account, module)  # type: ignore[no-any-return]


def log_call(account: Crm, call: FinishedCall) -> Steps[Any]:
    return _spoken(account).log_call(account, call)  # type: ignore[no-any-return]


def create(account: Crm, contact: NewContact) -> Steps[Any]:
    return _spoken(account).create(account, contact)  # type: ignore[no-any-return]


CONNECTOR = Connector(
    slug="sugarcrm",
    settings=Settings,
    find=find,
    sign_in=sign_in,
    identity=("url", "api", "username", "password", "client_id", "client_secret", "platform"),
    check=check,
    modules=modules,
    fields=fields,
    log_call=log_call,
    create=create,
    default_modules=MODULES,
)
