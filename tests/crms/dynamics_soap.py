"""The SOAP service of a strict CRM 2015: `Execute` with the messages that OData has no words for.

A fault has status 500, as the vendor's; a phone call that is closed stays so.
"""

from html import escape
from xml.etree import ElementTree as ET

from aiohttp import web

from tests.crms.dynamics_records import KINDS, MODULES, OPTIONS, ROUTER, Field
from tests.crms.dynamics_sign_in import Dynamics

SERVICE = "http://schemas.microsoft.com/xrm/2011/Contracts/Services"
XRM = "http://schemas.microsoft.com/xrm/2011/Contracts"
METADATA = "http://schemas.microsoft.com/xrm/2011/Metadata"
PAIRS = "http://schemas.datacontract.org/2004/07/System.Collections.Generic"
ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"


class SoapFault(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class SoapService(Dynamics):
    async def soap(self, request: web.Request) -> web.StreamResponse:
        self.admit(request)
        assert request.headers["SOAPAction"] == f"{SERVICE}/IOrganizationService/Execute"
        assert request.content_type == "text/xml"
        assert ("SdkClientVersion" in request.query) is (self.way == "adfs")
        try:
            inner = self.executed(ET.fromstring(await request.text()))  # noqa: S314
        except SoapFault as fault:
            return self.enveloped(self.fault(fault), 500)
        return self.enveloped(
            f'<ExecuteResponse xmlns="{SERVICE}"><ExecuteResult xmlns:a="{XRM}">{inner}</ExecuteResult></ExecuteResponse>'
        )

    def enveloped(self, inner: str, status: int = 200) -> web.Response:
        text = f'<s:Envelope xmlns:s="{ENVELOPE}" xmlns:i="{INSTANCE}"><s:Body>{inner}</s:Body></s:Envelope>'
        return web.Response(text=text, status=status, content_type="text/xml")

    def fault(self, fault: SoapFault) -> str:
        detail = f'<OrganizationServiceFault xmlns="{XRM}"><ErrorCode>{fault.code}</ErrorCode><Message>{escape(str(fault))}</Message></OrganizationServiceFault>'
        return f'<s:Fault><faultcode>s:Client</faultcode><faultstring xml:lang="en-US">{escape(str(fault))}</faultstring><detail>{detail}</detail></s:Fault>'

    def executed(self, root: ET.Element) -> str:
        asked = root.find(f"{{{ENVELOPE}}}Body/{{{SERVICE}}}Execute/{{{SERVICE}}}request")
        assert asked is not None
        name = asked.findtext(f"{{{XRM}}}RequestName", "")
        assert asked.get(f"{{{INSTANCE}}}type") == f"m:{name}Request"
        pairs = asked.iterfind(f"{{{XRM}}}Parameters/{{{XRM}}}KeyValuePairOfstringanyType")
        values = {one.findtext(f"{{{PAIRS}}}key", ""): one.find(f"{{{PAIRS}}}value") for one in pairs}
        texts = {key: "".join(value.itertext()) for key, value in values.items() if value is not None}
        match name:
            case "WhoAmI":
                return self.result("UserId", ROUTER)
            case "SetState":
                moniker = values["EntityMoniker"]
                assert moniker is not None
                return self.set_state(moniker.findtext(f"{{{XRM}}}Id", ""), texts["State"], texts["Status"])
            case "RetrieveEntity":
                assert texts["EntityFilters"] == "Attributes"
                fields = self.fields_of(texts["LogicalName"]).items()
                told = "".join(self.attribute(name, field) for name, field in fields) + self.attribute(
                    "new_tiername", Field("new_TierName", "Virtual", ""), of="new_tier"
                )
                return self.result("EntityMetadata", f"<c:Attributes>{told}</c:Attributes>")
            case "RetrieveAttribute":
                fields_of = self.fields_of(texts["EntityLogicalName"])
                if texts["LogicalName"] not in fields_of:
                    raise SoapFault(
                        -2147220969,
                        f"Could not find an attribute with specified name: {texts['LogicalName']}",
                    )
                return self.result(
                    "AttributeMetadata", self.attribute(texts["LogicalName"], fields_of[texts["LogicalName"]])
                )
        raise SoapFault(-2147220989, f"The request {name} is not known")

    def result(self, key: str, value: str) -> str:
        pair = f'<b:key>{key}</b:key><b:value xmlns:c="{METADATA}">{value}</b:value>'
        return f'<a:Results xmlns:b="{PAIRS}"><a:KeyValuePairOfstringanyType>{pair}</a:KeyValuePairOfstringanyType></a:Results>'

    def set_state(self, id_: str, state: str, status: str) -> str:
        call = self.calls.get(id_)
        if call is None:
            raise SoapFault(-2147220969, f"phonecall With Id = {id_} Does Not Exist")
        if call.get("StateCode", 0) != 0:
            raise SoapFault(-2147187704, "The activity is closed and can be read only.")
        if (state, status) not in (("1", "2"), ("1", "4"), ("2", "3")):
            raise SoapFault(-2147187704, f"{status} is not a valid status code for state {state}")
        call["StateCode"] = int(state)
        return "<a:ResponseName>SetState</a:ResponseName>"

    def fields_of(self, module: str) -> dict[str, Field]:
        if module not in KINDS:
            raise SoapFault(-2147220969, f"Could not find an entity with specified entity name: {module}")
        return MODULES[module]

    def attribute(self, name: str, field: Field, of: str = "") -> str:
        options = "".join(
            f"<c:OptionMetadata>{self.labelled('Label', label)}<c:Value>{number}</c:Value></c:OptionMetadata>"
            for label, number in OPTIONS.get(name, {}).items()
        )
        own = f"<c:OptionSet><c:Options>{options}</c:Options></c:OptionSet>" if options else ""
        attribute_of = f"<c:AttributeOf>{of}</c:AttributeOf>" if of else '<c:AttributeOf i:nil="true"/>'
        return (
            f"<c:AttributeMetadata>{attribute_of}<c:AttributeType>{field.kind}</c:AttributeType>"
            f"{self.labelled('DisplayName', field.label)}<c:IsCustomAttribute>{str(field.is_custom).lower()}</c:IsCustomAttribute>"
            f"<c:IsValidForRead>true</c:IsValidForRead><c:LogicalName>{name}</c:LogicalName>"
            f"<c:SchemaName>{field.schema}</c:SchemaName>{own}</c:AttributeMetadata>"
        )

    def labelled(self, tag: str, label: str) -> str:
        german = f"<a:LocalizedLabel><a:Label>{label} auf Deutsch</a:Label></a:LocalizedLabel>"
        return f"<c:{tag}><a:LocalizedLabels>{german}</a:LocalizedLabels><a:UserLocalizedLabel><a:Label>{escape(label)}</a:Label></a:UserLocalizedLabel></c:{tag}>"
