"""A strict CRM 2015: OData 2 with schema names whose capitals count, and SOAP beside it.

Whoever does not ask for JSON gets Atom; fifty records are a page, and `d.__next` leads on; options have no
labels. A phone call is closed by SOAP only, and is read-only from then on.
"""

import datetime as dt
import json
import re
from html import escape
from typing import Any

from aiohttp import web

from tests.crms.dynamics_records import KINDS, MODULES, ROUTER, Field, Row, id_of, key_of, row_of
from tests.crms.dynamics_sign_in import Way
from tests.crms.dynamics_soap import SoapService
from tests.crms.odata_filter import Filter, NotOData, UnknownName, selected
from tests.crms.people import Logged
from tests.crms.server import Refused

NAMES = {"contact": "Contact", "lead": "Lead", "account": "Account", "phonecall": "PhoneCall"}
OF_SET = {f"{name}Set": module for module, name in NAMES.items()}
NAVIGATION = {"contact_customer_accounts": "account"}
OPTIONS_KNOWN = {"$select", "$filter", "$orderby", "$top", "$expand", "$skip"}
PAGE = 50
MOMENT = re.compile(r"/Date\((\d+)\)/")
CALL_FIELDS = {
    "ActivityId": str, "Subject": str, "PhoneNumber": str, "DirectionCode": bool, "ActualStart": str, "ActualEnd": str,
    "ActualDurationMinutes": int, "Description": str, "LeftVoiceMail": bool, "RegardingObjectId": dict,
    "phonecall_activity_parties": list,
}  # fmt: skip
CREATED = {"contact": "LastName", "lead": "Subject", "account": "Name"}


def error(status: int, message: str, code: str = "") -> Refused:
    return Refused(status, {"error": {"code": code, "message": {"lang": "en-US", "value": message}}})


def date(moment: str) -> str:
    """`/Date(1777626000000)/`; a day is its midnight."""
    whole = moment if "T" in moment else f"{moment}T00:00:00Z"
    return f"/Date({round(dt.datetime.fromisoformat(whole).timestamp() * 1000)})/"


class Dynamics2015(SoapService):
    def __init__(self, way: Way = "ntlm", root: str = "/acme") -> None:
        super().__init__(way, root)

    def throttled(self) -> web.Response:
        """On premises nothing is limited; what stands in front may do so."""
        headers = {"Retry-After": self.retry_after} if self.retry_after else {}
        return web.Response(
            status=429, text="<html>Too Many Requests</html>", content_type="text/html", headers=headers
        )

    def down(self) -> web.Response:
        body = {"error": {"code": "", "message": {"lang": "en-US", "value": "An unexpected error occurred."}}}
        return web.json_response(body, status=500)

    def routes(self) -> list[web.RouteDef]:
        service = f"{self.root}/XRMServices/2011"
        return [
            *self.sign_in_routes(),
            web.get(f"{service}/OrganizationData.svc/{{path:.*}}", self.read),
            web.post(f"{service}/OrganizationData.svc/{{path:.*}}", self.insert),
            web.post(f"{service}/Organization.svc/web", self.soap),
        ]

    async def read(self, request: web.Request) -> web.StreamResponse:
        self.admit(request)
        path = request.match_info["path"]
        if path == "$metadata":
            return web.Response(text=self.described(), content_type="application/xml")
        for name in set(request.query) - OPTIONS_KNOWN:
            raise error(
                400,
                f"The query parameter '{name}' begins with a system-reserved '$' character but is not recognized.",
            )
        try:
            body = self.found(path, request)
        except NotOData as unread:
            raise error(400, str(unread)) from unread
        if "application/json" not in request.headers.get("Accept", ""):
            return web.Response(
                text=f'<feed xmlns="http://www.w3.org/2005/Atom">{escape(str(body))}</feed>',
                content_type="application/atom+xml",
            )
        return web.json_response({"d": body})

    def found(self, path: str, request: web.Request) -> Row:
        if path == f"SystemUserSet(guid'{ROUTER}')":
            assert request.query["$select"] == "FullName"
            return {"__metadata": {}, "FullName": "Rita Router"}
        if path not in OF_SET:
            raise error(404, f"Resource not found for the segment '{path}'.")
        module = OF_SET[path]
        rows, skip = self.rows(module, request), int(request.query.get("$skip", "0"))
        most = min(int(request.query.get("$top", len(rows) or 1)), PAGE)
        assert most > 0
        more = {"__next": f"{self.site}/XRMServices/2011/OrganizationData.svc/{path}?$skiptoken=1"}
        is_cut = "$top" not in request.query and len(rows) > skip + most
        return {"results": rows[skip : skip + most], **(more if is_cut else {})}

    def rows(self, module: str, request: web.Request) -> list[Row]:
        fields = {field.schema: (name, field) for name, field in MODULES[module].items()}
        columns, linked = selected(request.query["$select"]), request.query.get("$expand", "")
        for name in columns:
            nav, _, part = name.partition("/")
            is_linked = nav in NAVIGATION and nav in linked.split(",") and self.has(NAVIGATION[nav], part)
            if name not in fields and not is_linked:
                raise error(
                    400, f"Could not find a property named '{part or name}' on type '{self.type_of(module)}'."
                )
        try:
            wanted = Filter(request.query["$filter"], self.types(module), 2)
        except UnknownName as unknown:
            raise error(
                400, f"No property '{unknown}' exists in type '{self.type_of(module)}' at position 1."
            ) from unknown
        if module == "phonecall":
            calls = [
                {**call, "StateCode": {"Value": call.get("StateCode", 0)}} for call in self.calls.values()
            ]
            return [{name: call[name] for name in columns} for call in calls if wanted.matches(call)]
        assert request.query["$orderby"] == "ModifiedOn desc"
        kept = [row for row in self.people_of(module) if wanted.matches(row)]
        kept.sort(key=lambda row: str(row["ModifiedOn"]), reverse=True)
        made = []
        for row in kept:
            one: Row = {"__metadata": {"type": self.type_of(module)}}
            one |= {name: row[name] for name in columns if "/" not in name}
            for nav, _, part in (name.partition("/") for name in columns if "/" in name):
                one.setdefault(nav, {"__metadata": {}})[part] = self.linked(row, nav, part)
            made.append(one)
        return made

    def has(self, module: str, schema: str) -> bool:
        return any(field.schema == schema for field in MODULES[module].values())

    def type_of(self, module: str) -> str:
        return f"Microsoft.Crm.Sdk.Data.Services.{NAMES[module]}"

    def types(self, module: str) -> dict[str, str]:
        """What can be compared: the parts of an option and of a link have paths of their own."""
        made: dict[str, str] = {}
        for field in MODULES[module].values():
            parts = {"Picklist": "/Value", "State": "/Value", "Status": "/Value", "Customer": "/Id"}
            made[field.schema + parts.get(field.kind, "")] = field.filtered_as
        return made

    def people_of(self, module: str) -> list[Row]:
        made = []
        for person in self.of_kind(KINDS[module]):
            row = row_of(module, person, self.person(person.company) if person.company else None)
            made.append(
                {field.schema: self.written(row[name], field) for name, field in MODULES[module].items()}
            )
        return made

    def written(self, raw: Any, field: Field) -> Any:
        typed = {"__metadata": {"type": "Microsoft.Crm.Sdk.Data.Services.OptionSetValue"}}
        match field.kind:
            case "Picklist" | "State" | "Status":
                return {**typed, "Value": raw}
            case "Customer":
                id_, name, module = raw or (None, None, None)
                return {"Id": id_, "LogicalName": module, "Name": name}
            case "Money":
                return {"Value": None if raw is None else f"{raw:.4f}"}
            case "DateTime":
                return None if raw is None else date(raw)
        return raw

    def linked(self, row: Row, nav: str, part: str) -> Any:
        if row["ParentCustomerId"]["Id"] is None:
            return None
        module = NAVIGATION[nav]
        company = row_of(module, self.person(key_of(row["ParentCustomerId"]["Id"])), None)
        return next(
            self.written(company[name], field)
            for name, field in MODULES[module].items()
            if field.schema == part
        )

    def described(self) -> str:
        sets = "".join(
            f'<EntitySet Name="{name}" EntityType="Microsoft.Crm.Sdk.Data.Services.{name[:-3]}"/>'
            for name in OF_SET
        )
        return (
            '<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx">'
            '<edmx:DataServices><Schema xmlns="http://schemas.microsoft.com/ado/2006/04/edm">'
            f"<EntityContainer>{sets}</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"
        )

    # Writing

    async def insert(self, request: web.Request) -> web.StreamResponse:
        self.admit(request)
        path, body = request.match_info["path"], json.loads(await request.text())
        if path not in OF_SET:
            raise error(404, f"Resource not found for the segment '{path}'.")
        module = OF_SET[path]
        if module == "phonecall":
            self.insert_call(body)
            return web.json_response({"d": {"ActivityId": body["ActivityId"]}}, status=201)
        for name in body:
            if not self.has(module, name):
                raise error(
                    400,
                    f"Error processing request stream. The property name '{name}' specified for type is not valid.",
                )
        if not body.get(CREATED[module]):
            raise error(400, f"{CREATED[module]} is missing.")
        id_ = id_of(self.add(KINDS[module], body.get("LastName") or body["Name"], body.get("Telephone1", "")))
        return web.json_response({"d": {f"{NAMES[module]}Id": id_, **body}}, status=201)

    def insert_call(self, body: Row) -> None:
        for name, value in body.items():
            if name not in CALL_FIELDS or type(value) is not CALL_FIELDS[name]:
                raise error(
                    400,
                    f"Error processing request stream. The property name '{name}' specified for type is not valid.",
                )
        assert MOMENT.fullmatch(body["ActualStart"])
        assert MOMENT.fullmatch(body["ActualEnd"])
        if body["ActivityId"] in self.calls:
            raise error(500, "Cannot insert duplicate key.", "-2147220937")
        if "RegardingObjectId" in body:
            linked = body["RegardingObjectId"]
            assert set(linked) == {"Id", "LogicalName"}
            assert linked["LogicalName"] in KINDS
            (party,) = body["phonecall_activity_parties"]
            assert party == {"PartyId": linked, "ParticipationTypeMask": {"Value": 1}}
        self.calls[body["ActivityId"]] = dict(body)

    def logged(self) -> list[Logged]:
        return [
            Logged(
                subject=call["Subject"],
                text=call["Description"],
                person=key_of(call["RegardingObjectId"]["Id"]) if "RegardingObjectId" in call else None,
                seconds=call["ActualDurationMinutes"] * 60,
                direction="outbound" if call["DirectionCode"] else "inbound",
                started=self.moment(call["ActualStart"]),
                extra={"state": call.get("StateCode", 0), "voicemail": call["LeftVoiceMail"]},
            )
            for call in self.calls.values()
        ]

    def moment(self, written: str) -> str:
        found = MOMENT.fullmatch(written)
        assert found is not None
        return dt.datetime.fromtimestamp(int(found[1]) / 1000, dt.UTC).isoformat()
