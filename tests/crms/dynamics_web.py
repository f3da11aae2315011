"""A strict Web API of Dynamics 365: OData 4 with logical names, labels beside values only where they are asked for.

It refuses any option, field, set or link that it does not know in the API's own words, wants the OData headers,
and closes a phone call by an update, after which nothing can be written to it.
"""

import json
import re
from typing import Any

from aiohttp import web

from tests.crms.dynamics_records import (
    INTERESTS,
    KINDS,
    MODULES,
    OPTIONS,
    ROUTER,
    SETS,
    Field,
    Row,
    id_of,
    key_of,
    row_of,
)
from tests.crms.dynamics_sign_in import Dynamics, Way
from tests.crms.odata_filter import Filter, NotOData, UnknownName, expanded, selected
from tests.crms.people import Logged
from tests.crms.server import Refused

LABEL = "@OData.Community.Display.V1.FormattedValue"
OF_SET = {set_: module for module, set_ in SETS.items()}
GUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
ONE = re.compile(rf"(?P<set>\w+)\((?P<id>{GUID})\)")
ATTRIBUTES = re.compile(
    r"EntityDefinitions\(LogicalName='(?P<module>\w+)'\)/Attributes(?:/Microsoft\.Dynamics\.CRM\.(?P<kind>\w+)AttributeMetadata)?"
)
LINKS = "EntityDefinitions(LogicalName='phonecall')/ManyToOneRelationships"
LINK_TYPES = {"ReferencingAttribute": "text", "ReferencedEntity": "text"}
NAVIGATION = {"parentcustomerid_account": "account"}
OPTIONS_KNOWN = {"$select", "$filter", "$orderby", "$top", "$expand"}
CALL_FIELDS = {
    "activityid": str, "subject": str, "phonenumber": str, "directioncode": bool, "actualstart": str, "actualend": str,
    "actualdurationminutes": int, "description": str, "leftvoicemail": bool,
}  # fmt: skip
BIND = re.compile(rf"/(?P<set>\w+)\((?P<id>{GUID})\)")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
CREATED = {"contact": "lastname", "lead": "subject", "account": "name"}


def error(status: int, code: str, message: str) -> Refused:
    return Refused(status, {"error": {"code": code, "message": message}})


def labelled(label: str) -> Row:
    return {"UserLocalizedLabel": {"Label": label, "LanguageCode": 1033}, "LocalizedLabels": []}


class DynamicsWeb(Dynamics):
    def __init__(self, way: Way = "client", root: str = "", version: str = "v9.2") -> None:
        super().__init__(way, root)
        self.version = version

    def throttled(self) -> web.Response:
        message = "Number of requests exceeded the limit of 6000 over time window of 300 seconds."
        body = {"error": {"code": "0x80072322", "message": message}}
        return web.json_response(
            body, status=429, headers={"Retry-After": self.retry_after} if self.retry_after else {}
        )

    def down(self) -> web.Response:
        return web.json_response(
            {"error": {"code": "0x80040216", "message": "An unexpected error occurred."}}, status=500
        )

    def routes(self) -> list[web.RouteDef]:
        path = f"{self.root}/api/data/{self.version}/{{path:.*}}"
        return [
            *self.sign_in_routes(),
            web.get(path, self.read),
            web.post(path, self.insert),
            web.patch(path, self.update),
        ]

    def check(self, request: web.Request) -> str:
        self.admit(request)
        if request.headers.get("OData-Version") != "4.0" or request.headers.get("OData-MaxVersion") != "4.0":
            raise error(412, "0x80060888", "The OData version header is missing.")
        assert "json" in request.headers["Accept"]
        return request.match_info["path"]

    async def read(self, request: web.Request) -> web.StreamResponse:
        path = self.check(request)
        for name in set(request.query) - OPTIONS_KNOWN:
            raise error(400, "0x80060888", f"The query parameter {name} is not supported.")
        try:
            body = self.found(path, request)
        except NotOData as unread:
            raise error(400, "0x80060888", str(unread)) from unread
        left = {
            "x-ms-ratelimit-burst-remaining-xrm-requests": "5999",
            "x-ms-ratelimit-time-remaining-xrm-requests": "1199.5",
        }
        return web.json_response(body, headers={"OData-Version": "4.0", **left})

    def found(self, path: str, request: web.Request) -> Row:
        if path == "WhoAmI":
            return {"BusinessUnitId": id_of(1), "UserId": ROUTER, "OrganizationId": id_of(2)}
        if path == f"systemusers({ROUTER})":
            assert request.query["$select"] == "fullname"
            return {"systemuserid": ROUTER, "fullname": "Rita Router"}
        if path == "EntityDefinitions":
            return {"value": [self.definition(module) for module in SETS]}
        if path == LINKS:
            return {"value": self.links(request)}
        if described := ATTRIBUTES.fullmatch(path):
            return {"value": self.attributes(described["module"], described["kind"])}
        if path not in OF_SET:
            raise error(404, "0x8006088a", f"Resource not found for the segment '{path}'.")
        module = OF_SET[path]
        return {"@odata.context": f"{self.site}/$metadata#{path}", "value": self.rows(module, request)}

    def rows(self, module: str, request: web.Request) -> list[Row]:
        fields = {self.shown(name, field): field for name, field in MODULES[module].items()}
        if module == "contact":
            fields["new_interests"] = Field("new_Interests", "MultiSelect", "Interests")
        columns = selected(request.query["$select"])
        linked = expanded(request.query["$expand"]) if "$expand" in request.query else {}
        for name in [*columns, *(name for name in linked if name not in NAVIGATION)]:
            if name not in fields:
                raise self.unknown(name, module)
        types = {name: field.filtered_as for name, field in fields.items()}
        try:
            wanted = Filter(request.query["$filter"], types, 4)
        except UnknownName as unknown:
            raise self.unknown(str(unknown), module) from unknown
        if module == "phonecall":
            calls = [{"statecode": 0, **call} for call in self.calls.values()]
            return [
                {name: call[name] for name in ("activityid", *columns)}
                for call in calls
                if wanted.matches(call)
            ]
        assert request.query["$orderby"] == "modifiedon desc"
        kept = [row for row in self.people_of(module) if wanted.matches(row)]
        kept.sort(key=lambda row: str(row["modifiedon"]), reverse=True)
        has_labels = "FormattedValue" in request.headers.get("Prefer", "")
        key = f"{module}id"
        made = [
            self.answered(row, (key, *columns), fields, has_labels)
            for row in kept[: int(request.query["$top"])]
        ]
        for row, source in zip(made, kept, strict=False):
            for name, parts in linked.items():
                row[name] = self.linked(source, NAVIGATION[name], parts, has_labels)
        return made

    def shown(self, name: str, field: Field) -> str:
        return f"_{name}_value" if field.kind == "Customer" else name

    def unknown(self, name: str, module: str) -> Refused:
        told = f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{module}'."
        return error(400, "0x80060888", told)

    def people_of(self, module: str) -> list[Row]:
        return [
            row_of(module, person, self.person(person.company) if person.company else None)
            for person in self.of_kind(KINDS[module])
        ]

    def answered(self, row: Row, columns: Any, fields: dict[str, Field], has_labels: bool) -> Row:
        made: Row = {"@odata.etag": 'W/"1"'}
        for name in dict.fromkeys(columns):
            raw, kind = row.get(name.removeprefix("_").removesuffix("_value")), fields[name].kind
            made[name] = raw[0] if kind == "Customer" and raw else raw
            label = self.label(name, raw, kind)
            if has_labels and label is not None:
                made[f"{name}{LABEL}"] = label
        return made

    def label(self, name: str, raw: Any, kind: str) -> str | None:
        """As people see it: the API writes one beside numbers and moments, too."""
        if raw is None:
            return None
        match kind:
            case "Customer":
                return str(raw[1])
            case "MultiSelect":
                return "; ".join(name for name, number in INTERESTS.items() if str(number) in raw.split(","))
            case "Picklist" | "Status":
                return next(name for name, number in OPTIONS[name].items() if number == raw)
            case "Boolean":
                return "Yes" if raw else "No"
            case "Money":
                return f"€{raw:,.2f}"
            case "Integer":
                return f"{raw:,}"
            case "DateTime":
                return f"{raw[5:7]}/{raw[8:10]}/{raw[:4]}"
        return None

    def linked(self, row: Row, module: str, parts: list[str], has_labels: bool) -> Row | None:
        fields = MODULES[module]
        for name in parts:
            if name not in fields:
                raise self.unknown(name, module)
        if row["parentcustomerid"] is None:
            return None
        company = self.person(key_of(row["parentcustomerid"][0]))
        return self.answered(row_of(module, company, None), (f"{module}id", *parts), fields, has_labels)

    # Descriptions

    def definition(self, module: str) -> Row:
        return {
            "LogicalName": module, "EntitySetName": SETS[module], "DisplayName": labelled(module.capitalize()),
            "IsValidForAdvancedFind": {"Value": module != "phonecall"},
        }  # fmt: skip

    def links(self, request: web.Request) -> list[Row]:
        known = [
            {
                "ReferencingAttribute": "regardingobjectid", "ReferencedEntity": module,
                "ReferencingEntityNavigationPropertyName": f"regardingobjectid_{module}_phonecall",
            }
            for module in KINDS
        ]  # fmt: skip
        wanted = Filter(request.query["$filter"], LINK_TYPES, 4)
        return [row for row in known if wanted.matches(row)]

    def attributes(self, module: str, kind: str | None) -> list[Row]:
        if module not in KINDS:
            raise error(404, "0x80040217", f"Could not find an entity with the specified name: '{module}'.")
        kinds = {
            "Picklist": {"new_tier"},
            "Status": {"statuscode"},
            "MultiSelectPicklist": {"new_interests"} if module == "contact" else set(),
        }
        if kind is not None:
            listed = [name for name in (*MODULES[module], "new_interests") if name in kinds[kind]]
            return [{"LogicalName": name, **self.options(name)} for name in listed]
        rows = [
            self.attribute(name, field.kind, field.label, field.is_custom)
            for name, field in MODULES[module].items()
        ]
        if module == "contact":
            rows += [
                self.attribute("new_interests", "Virtual", "Interests", True),
                self.attribute("entityimage", "Virtual", "Image"),
            ]
            rows += [
                self.attribute("new_tiername", "Virtual", "", of="new_tier"),
                self.attribute("parentcustomeridname", "String", "", of="parentcustomerid"),
            ]
        return rows

    def attribute(
        self, name: str, kind: str, label: str, is_custom: bool = False, of: str | None = None
    ) -> Row:
        shown = labelled(label) if label else {"UserLocalizedLabel": None, "LocalizedLabels": []}
        return {
            "LogicalName": name, "AttributeType": kind, "DisplayName": shown, "AttributeOf": of,
            "IsCustomAttribute": is_custom, "IsValidForRead": True,
        }  # fmt: skip

    def options(self, name: str) -> Row:
        """A list that several fields share is told in another place."""
        told = {
            "Options": [
                {"Value": number, "Label": labelled(label)} for label, number in OPTIONS[name].items()
            ]
        }
        is_shared = name == "new_interests"
        return {"OptionSet": None if is_shared else told, "GlobalOptionSet": told if is_shared else None}

    # Writing

    async def insert(self, request: web.Request) -> web.StreamResponse:
        path, body = self.check(request), json.loads(await request.text())
        module = OF_SET.get(path)
        if module is None:
            raise error(404, "0x8006088a", f"Resource not found for the segment '{path}'.")
        if module == "phonecall":
            return self.made_at(path, self.insert_call(body))
        for name in body:
            if name not in MODULES[module]:
                raise error(
                    400,
                    "0x80048d19",
                    f"Error identified in Payload provided by the user for Entity :'{name}'",
                )
        if not body.get(CREATED[module]):
            raise error(400, "0x80048d21", f"'{CREATED[module]}' is missing.")
        key = self.add(KINDS[module], body.get("lastname") or body["name"], body.get("telephone1", ""))
        return self.made_at(path, id_of(key))

    def made_at(self, path: str, id_: str) -> web.Response:
        address = f"{self.site}/api/data/{self.version}/{path}({id_})"
        return web.Response(status=204, headers={"OData-EntityId": address, "Location": address})

    def insert_call(self, body: Row) -> str:
        call = dict(body)
        parties = call.pop("phonecall_activity_parties", [])
        links = {name: call.pop(name) for name in list(call) if name.endswith("@odata.bind")}
        for name in links:
            if name not in {f"regardingobjectid_{module}_phonecall@odata.bind" for module in KINDS}:
                raise error(
                    400,
                    "0x80048d19",
                    f"An undeclared property '{name}' which only has property annotations in the payload was found.",
                )
        for name, value in call.items():
            if name not in CALL_FIELDS or type(value) is not CALL_FIELDS[name]:
                raise error(
                    400,
                    "0x80048d19",
                    f"Error identified in Payload provided by the user for Entity :'phonecalls', '{name}'",
                )
        assert MOMENT.fullmatch(call["actualstart"])
        assert MOMENT.fullmatch(call["actualend"])
        assert len(call["subject"]) <= 200
        if call["activityid"] in self.calls:
            raise error(412, "0x80040237", "A record with matching key values already exists.")
        regarding = [self.bound(address) for address in links.values()]
        senders = [
            self.bound(party[name]) for party in parties for name in party if name.startswith("partyid_")
        ]
        assert senders == regarding or not senders
        assert all(party["participationtypemask"] == 1 for party in parties)
        self.calls[call["activityid"]] = {**call, "regarding": regarding}
        return str(call["activityid"])

    def bound(self, address: str) -> int:
        found = BIND.fullmatch(address)
        assert found is not None, address
        return key_of(found["id"])

    async def update(self, request: web.Request) -> web.StreamResponse:
        path, body = self.check(request), json.loads(await request.text())
        found = ONE.fullmatch(path)
        assert found is not None
        assert request.headers.get("If-Match") == "*", "an update without it may insert"
        call = self.calls.get(found["id"])
        if found["set"] != "phonecalls" or call is None:
            raise error(404, "0x80040217", f"phonecall With Id = {found['id']} Does Not Exist")
        if call.get("statecode", 0) != 0:
            raise error(400, "0x80048408", "The activity is closed and can be read only.")
        if (body.get("statecode"), body.get("statuscode")) not in ((1, 2), (1, 4), (2, 3)):
            raise error(400, "0x80048408", f"{body} is not a valid status code for the state.")
        call |= body
        return web.Response(
            status=204, headers={"OData-EntityId": f"{self.site}/api/data/{self.version}/{path}"}
        )

    def logged(self) -> list[Logged]:
        return [
            Logged(
                subject=call["subject"],
                text=call["description"],
                person=call["regarding"][0] if call["regarding"] else None,
                seconds=call["actualdurationminutes"] * 60,
                direction="outbound" if call["directioncode"] else "inbound",
                started=call["actualstart"],
                extra={"state": call.get("statecode", 0), "voicemail": call["leftvoicemail"]},
            )
            for call in self.calls.values()
        ]
