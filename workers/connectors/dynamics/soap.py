"""CRM 2015's SOAP service, for what its OData has not: who is signed in, labels, and a record's state.

Every request is an `Execute` with named parameters, whose texts are escaped here. The XML that comes back may
be anybody's: one with a document type, where entities would be declared, is not read.
"""

from html import escape
from xml.etree import ElementTree as ET

from router.core.faults import Fault
from workers.connectors import answers
from workers.connectors.dynamics.api import Crm, auth_of, require_signed_in, unreadable
from workers.connectors.steps import Request, Response, Steps
from workers.errors import LookupFailed, LookupRefused, LookupUnavailable
from workers.secrets import Secret

SERVICE = "http://schemas.microsoft.com/xrm/2011/Contracts/Services"
XRM = "http://schemas.microsoft.com/xrm/2011/Contracts"
CRM = "http://schemas.microsoft.com/crm/2011/Contracts"
METADATA = "http://schemas.microsoft.com/xrm/2011/Metadata"
SERIALIZED = "http://schemas.microsoft.com/2003/10/Serialization/"
PAIRS = "http://schemas.datacontract.org/2004/07/System.Collections.Generic"
SCHEMA = "http://www.w3.org/2001/XMLSchema"
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
NO_GUID = "00000000-0000-0000-0000-000000000000"
BY_TOKEN = (("SdkClientVersion", "6.1.0.533"),)
"""Without it this address does not know of tokens."""
FAULTS = {"-2147220969": Fault.MODULE, "-2147217149": Fault.MODULE, "-2147220960": Fault.RIGHTS}
"""By the code of a fault: no such entity, twice, and a missing privilege."""
BUSY = frozenset({"-2147220970", "-2147204783"})
"""An unexpected error, and a database that was too slow."""
Element = ET.Element


def execute(
    account: Crm, name: str, message: str, *parameters: str, space: str = XRM, writes: bool = False
) -> Request:
    """`space` is where the message's type is declared; parameters are made by `parameter`."""
    return Request(
        name=name,
        method="POST",
        url=f"{account.settings.site}/XRMServices/2011/Organization.svc/web",
        query=() if account.settings.sign_in == "ntlm" else BY_TOKEN,
        text=f'<s:Envelope xmlns:s="{ENVELOPE}"><s:Body><Execute xmlns="{SERVICE}" xmlns:i="{INSTANCE}">'
        f'<request i:type="m:{message}Request" xmlns:a="{XRM}" xmlns:m="{space}">'
        f'<a:Parameters xmlns:c="{PAIRS}">{"".join(parameters)}</a:Parameters><a:RequestId i:nil="true"/>'
        f"<a:RequestName>{message}</a:RequestName></request></Execute></s:Body></s:Envelope>",
        content_type="text/xml; charset=utf-8",
        headers=(("SOAPAction", Secret(f"{SERVICE}/IOrganizationService/Execute")),),
        auth=auth_of(account),
        accept="text/xml",
        large_answer=message.startswith("Retrieve"),
        # A fault has status 500, whatever it is about.
        final_statuses=frozenset({500}),
        writes=writes,
    )


def parameter(key: str, kind: str, space: str, inner: str) -> str:
    """One parameter; `inner` is XML."""
    value = f'<c:value i:type="v:{kind}" xmlns:v="{space}">{inner}</c:value>'
    return f"<a:KeyValuePairOfstringanyType><c:key>{key}</c:key>{value}</a:KeyValuePairOfstringanyType>"


def text(key: str, value: str) -> str:
    return parameter(key, "string", SCHEMA, escape(value))


def option(key: str, number: int) -> str:
    return parameter(key, "OptionSetValue", XRM, f"<a:Value>{number}</a:Value>")


def record(key: str, module: str, id_: str) -> str:
    inner = f"<a:Id>{escape(id_)}</a:Id><a:LogicalName>{escape(module)}</a:LogicalName>"
    return parameter(key, "EntityReference", XRM, f'{inner}<a:Name i:nil="true"/>')


PUBLISHED = (
    parameter("MetadataId", "guid", SERIALIZED, NO_GUID),
    parameter("RetrieveAsIfPublished", "boolean", SCHEMA, "false"),
)


def entity(account: Crm, module: str) -> Request:
    """A module's description, with all its fields."""
    wanted = parameter("EntityFilters", "EntityFilters", METADATA, "Attributes")
    named = text("LogicalName", module.lower())
    return execute(account, "fields", "RetrieveEntity", wanted, *PUBLISHED, named)


def labels(account: Crm, module: str, field: str) -> Steps[dict[int, str]]:
    """Of a field's options."""
    named = (text("EntityLogicalName", module.lower()), text("LogicalName", field.lower()))
    response = yield execute(account, "labels", "RetrieveAttribute", *named, *PUBLISHED)
    return options_in(answered(response))


def set_state(account: Crm, module: str, id_: str, state: int, status: int) -> Request:
    moniker = record("EntityMoniker", module, id_)
    wanted = (moniker, option("State", state), option("Status", status))
    return execute(account, "close", "SetState", *wanted, space=CRM, writes=True)


def answered(response: Response) -> Element:
    """The XML of a success. Raises LookupFailed."""
    require_signed_in(response, is_xml=True)
    if response.status == 500:
        raise _failure(response)
    if response.status != 200:
        raise answers.refusal(response)
    return read_xml(response)


def _failure(response: Response) -> LookupFailed:
    """A fault tells what is wrong; anything else is a server that fails."""
    later = LookupUnavailable(answers.status_problem(500))
    try:
        fault = read_xml(response).find(".//{*}Fault")
    except LookupRefused:
        return later
    code = fault.findtext(".//{*}ErrorCode", "") if fault is not None else ""
    if fault is None or code in BUSY:
        return later
    return answers.refused(FAULTS.get(code, Fault.QUERY), fault.findtext("faultstring", ""))


def read_xml(response: Response) -> Element:
    """Raises LookupRefused for what is no XML, or declares a document type."""
    told = answers.read_text(response)
    if "<!DOCTYPE" in told:
        raise unreadable()
    try:
        return ET.fromstring(told)  # noqa: S314 - without a document type there are no entities
    except (ET.ParseError, ValueError) as error:
        raise unreadable() from error


def options_in(element: Element) -> dict[int, str]:
    """The options that are described anywhere inside it."""
    made: dict[int, str] = {}
    for one in element.iterfind(".//{*}OptionMetadata"):
        number = one.findtext("{*}Value", "")
        if number.removeprefix("-").isdecimal():
            made[int(number)] = label_in(one, "Label") or number
    return made


def label_in(element: Element, name: str) -> str:
    """In the user's language."""
    return answers.one_line(element.findtext(f"{{*}}{name}/{{*}}UserLocalizedLabel/{{*}}Label", ""))


def user_in(root: Element) -> str:
    """The id that an answer to WhoAmI tells."""
    pairs = root.iterfind(".//{*}KeyValuePairOfstringanyType")
    found = (one.findtext("{*}value", "") for one in pairs if one.findtext("{*}key") == "UserId")
    return next(found, "")
