"""Dynamics: the connection test, the modules, their fields with labels and options in the user's language.

CRM 2015 tells its modules in the description of its OData service, without labels, and everything about one
module's fields by SOAP.
"""

from msgspec.structs import replace

from router.core.crm_catalog import Choice, CrmField, CrmFieldType, CrmModule
from workers.connectors import answers, names
from workers.connectors.dynamics import records, soap
from workers.connectors.dynamics.api import Crm, answer, get, require_signed_in
from workers.connectors.dynamics.sign_in import who
from workers.connectors.records import choices_of, look_up, rows, text_at
from workers.connectors.steps import Steps

TYPES = {
    "String": CrmFieldType.TEXT,
    "Memo": CrmFieldType.TEXT,
    "Uniqueidentifier": CrmFieldType.TEXT,
    **dict.fromkeys(("Integer", "BigInt", "Decimal", "Double", "Money"), CrmFieldType.NUMBER),
    "Boolean": CrmFieldType.BOOLEAN,
    "DateTime": CrmFieldType.MOMENT,
    **dict.fromkeys(("Picklist", "State", "Status"), CrmFieldType.CHOICE),
    "MultiSelectPicklist": CrmFieldType.CHOICES,
    **dict.fromkeys(("Lookup", "Customer", "Owner"), CrmFieldType.LINK),
}
"""Other kinds have no value of their own to read."""
WITH_OPTIONS = {"Picklist": "v8", "Status": "v8", "MultiSelectPicklist": "v9"}
"""And the version of the Web API that has them."""
OPTION_LABEL = "Label.UserLocalizedLabel.Label"
LABEL = "DisplayName.UserLocalizedLabel.Label"
Choices = tuple[Choice, ...]


def check(account: Crm) -> Steps[str]:
    """Proves the credentials, and that their user has a role."""
    id_ = yield from who(account)
    name = records.own(account, "fullname")
    response = yield get(account, "user", records.reference(account, "systemuser", id_), (("$select", name),))
    return text_at(records.one_of(account, answer(response)), name)


def modules(account: Crm) -> Steps[tuple[CrmModule, ...]]:
    """Without those whose set has a name that is not made of the module's."""
    if not account.settings.is_web:
        return (yield from _sets(account))
    query = (("$select", "LogicalName,EntitySetName,DisplayName,IsValidForAdvancedFind"),)
    response = yield get(account, "modules", "EntityDefinitions", query, large=True)
    made = []
    for row in rows(answer(response).get("value")):
        name, is_usable = text_at(row, "LogicalName"), look_up(row, "IsValidForAdvancedFind.Value")[1]
        if is_usable and text_at(row, "EntitySetName") == records.set_of(account, name):
            made.append(CrmModule(name, text_at(row, LABEL) or name))
    return tuple(made)


def _sets(account: Crm) -> Steps[tuple[CrmModule, ...]]:
    request = replace(get(account, "modules", "$metadata", large=True), accept="application/xml")
    response = yield request
    require_signed_in(response, is_xml=True)
    answers.require_success(response)
    standard = {records.SCHEMA[name]: name for name in records.TITLES}
    sets = soap.read_xml(response).iterfind(".//{*}EntitySet")
    named = (one.get("Name", "").removesuffix("Set") for one in sets)
    return tuple(CrmModule(standard.get(name, name), name) for name in named if name)


def fields(account: Crm, module: str) -> Steps[tuple[CrmField, ...]]:
    name = names.module_name(module)
    if not account.settings.is_web:
        root = soap.answered((yield soap.entity(account, records.own(account, name))))
        listed = list(map(_told, root.iterfind(".//{*}AttributeMetadata")))
        return tuple(_field(name, row, row["SchemaName"], row["Choices"]) for row in listed if _is_read(row))
    path = f"EntityDefinitions(LogicalName='{name}')/Attributes"
    columns = "LogicalName,AttributeType,DisplayName,AttributeOf,IsCustomAttribute,IsValidForRead"
    response = yield get(account, "fields", path, (("$select", columns),), large=True)
    if response.status == 404:
        raise names.unknown_module(name)
    listed = rows(answer(response).get("value"))
    choices: dict[str, Choices] = {}
    for kind, since in WITH_OPTIONS.items():
        if account.settings.version >= since:
            described = yield from _options(account, f"{path}/Microsoft.Dynamics.CRM.{kind}AttributeMetadata")
            choices |= described
            listed = [_of_kind(row, kind, described) for row in listed]
    read = [row for row in listed if _is_read(row)]
    return tuple(_field(name, row, _web_name(row), choices.get(row["LogicalName"], ())) for row in read)


def _options(account: Crm, path: str) -> Steps[dict[str, Choices]]:
    expand = "OptionSet($select=Options),GlobalOptionSet($select=Options)"
    query = (("$select", "LogicalName"), ("$expand", expand))
    made: dict[str, Choices] = {}
    for row in rows(answer((yield get(account, "options", path, query, large=True))).get("value")):
        raw = look_up(row, "OptionSet.Options")[1] or look_up(row, "GlobalOptionSet.Options")[1]
        made[text_at(row, "LogicalName")] = choices_of(raw, OPTION_LABEL, OPTION_LABEL)
    return made


def _of_kind(row: records.Row, kind: str, described: dict[str, Choices]) -> records.Row:
    """Several options are called Virtual, as what has no value is."""
    return {**row, "AttributeType": kind} if text_at(row, "LogicalName") in described else row


def _web_name(row: records.Row) -> str:
    name = text_at(row, "LogicalName")
    return f"_{name}_value" if TYPES[row["AttributeType"]] is CrmFieldType.LINK else name


def _told(one: soap.Element) -> records.Row:
    """A field of CRM 2015, as the Web API would tell it."""
    own_labels = soap.options_in(one).values()
    return {
        "LogicalName": one.findtext("{*}LogicalName", ""),
        "SchemaName": one.findtext("{*}SchemaName", ""),
        "AttributeType": one.findtext("{*}AttributeType", ""),
        "AttributeOf": one.findtext("{*}AttributeOf") or None,
        "IsCustomAttribute": one.findtext("{*}IsCustomAttribute") == "true",
        "IsValidForRead": one.findtext("{*}IsValidForRead") == "true",
        "DisplayName": {"UserLocalizedLabel": {"Label": soap.label_in(one, "DisplayName")}},
        "Choices": tuple(Choice(label, label) for label in own_labels),
    }


def _is_read(row: records.Row) -> bool:
    """Whether a record has a value of it: one that belongs to another field has not."""
    is_own = row.get("IsValidForRead") is True and not row.get("AttributeOf")
    is_named = isinstance(row.get("LogicalName"), str) and isinstance(row.get("SchemaName", ""), str)
    return is_own and is_named and text_at(row, "AttributeType") in TYPES


def _field(module: str, row: records.Row, name: str, choices: Choices) -> CrmField:
    """A record has an option's label, so that is what a rule compares with."""
    is_phone = row["LogicalName"] in records.PHONES.get(module, ())
    type_ = CrmFieldType.PHONE if is_phone else TYPES[row["AttributeType"]]
    return CrmField(name, text_at(row, LABEL) or name, type_, choices, row.get("IsCustomAttribute") is True)
