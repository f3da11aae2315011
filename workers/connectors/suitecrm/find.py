"""SuiteCRM's V8 API: who calls.

Numbers are compared as stored text, and only one condition is possible for each field and operator. So one
request a module asks all phone fields with `like` for the national digits with anything between them, and
the numbers that come back are compared here. Only an internal number is asked for exactly, for its few digits
are in many others.

Each record brings its relationships along, three to five thousand signs that cannot be declined: so a page
is short, and the latest records are on it. Values come HTML-encoded, booleans as "0" and "1", and numbers as
text; all of them are kept so, but for the encoding.
"""

from router.core.lookups import Record
from workers.connectors import names
from workers.connectors.phones import Phone, is_by_number, is_exactly
from workers.connectors.records import rows, text_at
from workers.connectors.steps import Findings, Pairs, Question, Request, Response, Steps
from workers.connectors.sugar_rest import beans
from workers.connectors.sugar_rest.beans import Bean, Names
from workers.connectors.sugar_rest.find import page
from workers.connectors.suitecrm.api import Crm, answer, get

RECORDS_MOST = 10
PAGE: Pairs = (("page[size]", str(RECORDS_MOST)), ("page[number]", "1"), ("sort", "-date_modified"))


def find(account: Crm, question: Question) -> Steps[Findings]:
    fields = names.field_names(question.job.key.fields, beans.FIELD)
    modules = names.modules_of(question, beans.MODULES)
    if not is_by_number(question):
        return (yield from _find_by_digits(account, question, modules, fields))
    phone = Phone(question)
    if not phone.is_askable:
        return Findings()
    for module in modules:
        phones = beans.phones_of(module)
        response = yield search(account, module, (*fields, *phones), is_called_by(phones, phone))
        kept = [bean for bean in beans_of(response) if phone.is_one_of(map(bean.get, phones))]
        if kept:
            return beans.findings(page(account), module, kept, fields)
    return Findings()


def is_called_by(phones: Names, phone: Phone) -> Pairs:
    operator, text = ("eq", phone.received) if phone.e164 is None else ("like", phone.like_pattern)
    return any_of(phones, operator, text)


def any_of(fields: Names, operator: str, text: str) -> Pairs:
    return (("filter[operator]", "or"), *((f"filter[{field}][{operator}]", text) for field in fields))


def _find_by_digits(account: Crm, question: Question, modules: Names, fields: Names) -> Steps[Findings]:
    name, digits = names.digits_field(question), question.job.key.subject
    for module in modules:
        response = yield search(account, module, (*fields, name), ((f"filter[{name}][eq]", digits),))
        kept = [bean for bean in beans_of(response) if is_exactly(bean.get(name), digits)]
        if kept:
            return beans.findings(page(account), module, kept, fields)
    return Findings()


def search(account: Crm, module: str, fields: Names, conditions: Pairs) -> Request:
    wanted = (f"fields[{module}]", ",".join(beans.selected(module, fields)))
    return get(account, "find", f"module/{module}", (wanted, *conditions, *PAGE))


def beans_of(response: Response) -> list[Bean]:
    """The id stands beside the fields."""
    listed = rows(answer(response).get("data"))
    return [{**beans.decoded(row.get("attributes")), "id": text_at(row, "id")} for row in listed]


def record(account: Crm, module: str, bean: Bean) -> Record:
    return beans.record(page(account), module, bean, ())
