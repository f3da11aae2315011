"""What is special to Dynamics: two APIs, three sign-ins, labels, closed phone calls, and XML."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace

from router.core.call_logs import CallEnd, NewContact
from router.core.faults import Fault
from router.core.rules import Outcome
from tests.crms import people
from tests.crms.driving import answered, driven, finished, paged, query_of
from tests.crms.dynamics import ADFS_RIG, CLIENT_RIG, OLD_RIG, WINDOWS_RIG
from tests.crms.dynamics_records import ROUTER, id_of
from tests.crms.dynamics_sign_in import CLIENT, DIRECTORY, PUBLIC_CLIENT, SECRET, Dynamics
from tests.crms.people import Person
from tests.crms.product import Product, running
from tests.workers.makers import job
from workers.connectors import oauth
from workers.connectors.dynamics import CONNECTOR, soap
from workers.connectors.dynamics.api import SIGNED_OUT, Settings, answer
from workers.connectors.dynamics.find import find
from workers.connectors.dynamics.records import set_of, value_of
from workers.connectors.dynamics.sign_in import client_of, sign_in
from workers.connectors.dynamics.write import log_call
from workers.connectors.steps import Account, Grant, Question, Request, Response
from workers.errors import GrantExpired, LookupFailed, LookupRefused, LookupUnavailable, SignInNeeded
from workers.secrets import Secret

SITE = "https://acme.crm4.dynamics.com"
SETTINGS = Settings(url=f"{SITE}/", directory=DIRECTORY, client_id=CLIENT, client_secret=Secret(SECRET))
WINDOWS = Settings(
    url="https://crm.example/acme", api="2015", sign_in="ntlm", username="ACME\\r", password=Secret("canary")
)
ADFS = Settings(
    url="https://acme.crm.example",
    api="2015",
    sign_in="adfs",
    authority="https://adfs.example/",
    client_id=PUBLIC_CLIENT,
)
ONLINE = Account(SETTINGS, Grant(token=Secret("canary")))
OLD = Account(WINDOWS, Grant(token=Secret("windows")))
LABEL = "@OData.Community.Display.V1.FormattedValue"
MADE = Response(204, b"", {"odata-entityid": f"{SITE}/api/data/v9.2/phonecalls({ROUTER})"})
CLOSED = Response(200, b"<s:Envelope xmlns:s='x'/>", {"content-type": "text/xml"})


@pytest.fixture
async def online() -> AsyncIterator[Product]:
    async with running(CLIENT_RIG) as product:
        yield product
        assert product.crm.broken == []


@pytest.fixture
async def old() -> AsyncIterator[Product]:
    async with running(OLD_RIG) as product:
        yield product
        assert product.crm.broken == []


def crm_of(product: Product) -> Dynamics:
    assert isinstance(product.crm, Dynamics)
    return product.crm


def asked_by(account: Account[Settings], *fields: str) -> Request:
    return next(find(account, Question(job(*(fields or ("new_tier",))), "FR")))


def xml(text: str, status: int = 200) -> Response:
    return Response(status, text.encode(), {"content-type": "text/xml; charset=utf-8"})


# Values


async def test_every_kind_of_value_of_the_web_api(online: Product) -> None:
    wanted = {
        "new_tier": "Gold",
        "new_tier.id": 100_000_001,
        "new_interests": ["Boats", "Bikes"],
        "new_vip": True,
        "new_seats": 12,
        "new_balance": 1250.5,
        "new_renewal": "2026-12-01",
        "_parentcustomerid_value": "Garage Dupont & Fils",
        "_parentcustomerid_value.id": id_of(90),
        "parentcustomerid_account.name": "Garage Dupont & Fils",
        "parentcustomerid_account.new_tier": "Gold",
        "telephone3": None,
    }

    found = await online.find(people.ALICE, *wanted)

    assert [record.values for record in found.records] == [wanted]
    assert len(online.crm.data_requests) == 1


async def test_every_kind_of_value_of_crm_2015(old: Product) -> None:
    wanted = {
        "new_Tier": "Gold",
        "new_Tier.id": 100_000_001,
        "new_VIP": True,
        "new_Seats": 12,
        "new_Balance": 1250.5,
        "new_Renewal": "2026-12-01T00:00:00+00:00",
        "ParentCustomerId": "Garage Dupont & Fils",
        "ParentCustomerId.id": id_of(90),
        "contact_customer_accounts.Name": "Garage Dupont & Fils",
        "Telephone3": None,
    }

    found = await old.find(people.ALICE, *wanted)

    assert [record.values for record in found.records] == [wanted]
    assert [seen.method for seen in old.crm.data_requests] == ["GET", "POST"], "labels cost one request"


@pytest.mark.parametrize("rig", [CLIENT_RIG, OLD_RIG], ids=lambda rig: rig.name)
async def test_links_that_lead_nowhere_are_empty(rig: Any) -> None:
    nav = "parentcustomerid_account.name" if rig is CLIENT_RIG else "contact_customer_accounts.Name"
    async with running(rig) as product:
        found = await product.find(people.BRUNO, rig.company, nav)

    assert [list(record.values.values()) for record in found.records] == [[None, None]]


async def test_without_a_value_no_label_is_asked_for(old: Product) -> None:
    assert (await old.find(people.DAVID)).records[0].values == {"new_Tier": None}
    assert len(old.crm.data_requests) == 1


@pytest.mark.parametrize(
    ("raw", "label", "value"),
    [
        (100_000_001, "Gold", "Gold"),
        (1, "Competitor", "Competitor"),
        (12, "12", 12),
        (1200, "1,200", 1200),
        (1200, "1\u202f200", 1200),
        (-5, "-5", -5),
        (0, "0", 0),
        (500_000, "€500,000.00", 500_000),
        (12.5, "CHF 12.50", 12.5),
        (True, "Yes", True),
        ("2026-12-01T09:00:00Z", "12/1/2026 10:00 AM", "2026-12-01T09:00:00Z"),
        ("1,3", "Boats; Bikes", ["Boats", "Bikes"]),
        ("4711", None, "4711"),
        (None, None, None),
    ],
)
def test_a_label_counts_where_it_is_no_number_in_other_words(raw: Any, label: str | None, value: Any) -> None:
    row = {"x": raw} | ({f"x{LABEL}": label} if label else {})

    assert value_of(row, "x", {}) == value
    assert type(value_of(row, "x", {})) is type(value)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ({"Value": None}, None),
        ({"Value": 7}, 7),
        ({"Value": "12.5000"}, 12.5),
        ({"Value": "much"}, "much"),
        ({"Id": None, "LogicalName": None, "Name": None}, None),
        ("/Date(1777626000000)/", "2026-05-01T09:00:00+00:00"),
        ("/Date(-86400000+0100)/", "1969-12-31T00:00:00+00:00"),
        ("/Date(99999999999000)/", "5138-11-16T09:46:39+00:00"),
        ("/Date(999999999999999)/", "/Date(999999999999999)/"),
    ],
)
def test_values_of_odata_2(raw: Any, value: Any) -> None:
    assert value_of({"X": raw}, "X", {}) == value


# Who calls


@pytest.mark.parametrize("rig", [CLIENT_RIG, OLD_RIG], ids=lambda rig: rig.name)
async def test_inactive_records_are_left_out(rig: Any) -> None:
    async with running(rig) as product:
        found = await product.find(people.ALICE)
        keyed = await product.find(digits="4711")

    assert [record.name for record in (*found.records, *keyed.records)] == ["Alice Martin"] * 2


async def test_crm_2015_is_asked_for_further_pages(old: Product) -> None:
    old.crm.people += [
        Person(at, "contact", "", f"Nr {at}", phone=f"+49 30 {at} 00 01", changed="2026-06-01T09:00:00Z")
        for at in range(1000, 1060)
    ]

    found = await old.find(people.ALICE, "new_Seats")

    assert [record.name for record in found.records] == ["Alice Martin"]
    assert [parse_qs(seen.query).get("$skip") for seen in old.crm.data_requests] == [None, ["25"], ["50"]]


@pytest.mark.parametrize("rig", [CLIENT_RIG, OLD_RIG], ids=lambda rig: rig.name)
async def test_keyed_digits_find_a_number_too(rig: Any) -> None:
    async with running(rig) as product:
        found = await product.find(digits="0012", digits_field=rig.seats)
        nobody = await product.find(digits="99999999999", digits_field=rig.seats)
        hostile = await product.find(digits="12 or 1 eq 1", digits_field=rig.seats)

    assert [record.name for record in found.records] == ["Alice Martin"]
    assert (nobody.outcome, hostile.outcome) == (Outcome.NOT_FOUND, Outcome.NOT_FOUND)


async def test_exact_matching_asks_for_the_likely_spellings_only(online: Product) -> None:
    subject = online.subject(CLIENT_RIG.settings(online.crm) | {"matching": "exact"})

    assert (await online.find(people.ALICE, subject=subject)).outcome is Outcome.FOUND
    assert (await online.find(people.BRUNO, subject=subject)).outcome is Outcome.NOT_FOUND
    assert all("contains" not in seen.query for seen in online.crm.data_requests)


def test_a_question_to_crm_2015_is_short_enough_for_its_web_server() -> None:
    asked = asked_by(OLD, "new_Tier", "new_Seats", "ParentCustomerId", "new_AccountNo")

    assert len(str(asked.query)) < 1500, "a query of 2,048 signs is refused by default"


def test_a_question_to_the_web_api() -> None:
    asked = asked_by(ONLINE)

    assert asked.url == f"{SITE}/api/data/v9.2/contacts"
    assert query_of(asked)["$filter"].endswith(" and statecode eq 0")
    assert dict(asked.headers)["OData-Version"].reveal() == "4.0"
    assert not asked.follows_redirects


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("contact", "contacts"),
        ("opportunity", "opportunities"),
        ("new_box", "new_boxes"),
        ("new_class", "new_classes"),
        ("new_day", "new_days"),
        ("new_branch", "new_branches"),
    ],
)
def test_the_plural_of_a_module(module: str, name: str) -> None:
    assert set_of(ONLINE, module) == name
    assert set_of(OLD, "contact") == "ContactSet"
    assert set_of(OLD, "new_Project") == "new_ProjectSet"


# Errors


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (400, {"code": "0x80060888", "message": "Could not find a property named 'new_teir' on type 'x'."}, Fault.FIELD),
        (400, {"code": "", "message": {"lang": "en", "value": "No property 'X' exists in type 'Y' at position 1."}}, Fault.FIELD),
        (404, {"code": "0x8006088a", "message": "Resource not found for the segment 'x'."}, Fault.MODULE),
        (404, {"code": "", "message": {"lang": "en", "value": "Resource not found for the segment 'xSet'."}}, Fault.MODULE),
        (404, {"code": "", "message": "No HTTP resource was found"}, Fault.ADDRESS),
        (403, {"code": "0x80040220", "message": "Principal user is missing prvReadContact"}, Fault.RIGHTS),
        (400, {"code": "0x0", "message": "Syntax error"}, Fault.QUERY),
        (413, {"code": "0x0", "message": "too large"}, Fault.QUERY),
    ],
)  # fmt: skip
def test_errors_in_the_vendors_words(status: int, body: Any, fault: Fault) -> None:
    with pytest.raises(LookupRefused) as refused:
        answer(answered({"error": body}, status))

    assert refused.value.fault is fault
    assert refused.value.said


@pytest.mark.parametrize(
    "response",
    [Response(302, b"", {"location": "https://adfs.example/adfs/ls"}), paged(200), Response(401)],
    ids=["redirect", "page", "401"],
)
def test_a_sign_in_page_means_that_the_sign_in_is_over(response: Response) -> None:
    with pytest.raises(GrantExpired) as expired:
        answer(response)
    with pytest.raises(GrantExpired):
        soap.answered(response)

    assert (response.status == 401) is (expired.value.problem != SIGNED_OUT)


BOMB = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize("text", [BOMB, BOMB.replace("?>", ' encoding="utf-8"?>', 1), "<x", "", "<x>&b;</x>"])
def test_hostile_or_broken_xml_is_not_read(text: str) -> None:
    with pytest.raises(LookupRefused) as refused:
        soap.answered(xml(text))

    assert refused.value.fault in (Fault.ANSWER, Fault.ADDRESS)


def test_hostile_xml_in_another_encoding_is_not_read() -> None:
    body = BOMB.replace("?>", ' encoding="utf-16"?>', 1).encode("utf-16")

    with pytest.raises(LookupRefused):
        soap.answered(Response(200, body, {"content-type": "text/xml"}))


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("-2147220969", Fault.MODULE),
        ("-2147220960", Fault.RIGHTS),
        ("-1", Fault.QUERY),
        ("-2147204783", Fault.DOWN),
    ],
)
def test_faults_of_soap(code: str, fault: Fault) -> None:
    told = f"<s:Fault xmlns:s='e'><faultstring>no</faultstring><detail><f xmlns='x'><ErrorCode>{code}</ErrorCode></f></detail></s:Fault>"

    with pytest.raises(LookupFailed) as refused:
        soap.answered(xml(f"<s:Envelope xmlns:s='e'><s:Body>{told}</s:Body></s:Envelope>", 500))

    assert (refused.value.fault, refused.value.said) == (fault, "" if fault is Fault.DOWN else "no")


def test_a_500_that_is_no_fault_is_tried_later() -> None:
    with pytest.raises(LookupUnavailable):
        soap.answered(Response(500, b"<html>Server Error</html>", {"content-type": "text/html"}))


# Signing in


def test_a_client_of_entra_id() -> None:
    token = {"token_type": "Bearer", "expires_in": 3599, "access_token": "canary-token"}

    grant, (asked,) = driven(sign_in(SETTINGS, None), answered(token))

    assert grant.lives_seconds == 3599
    assert asked.url == f"https://login.microsoftonline.com/{DIRECTORY}/oauth2/v2.0/token"
    assert ("scope", f"{SITE}/.default") in (asked.form or ())


def test_a_person_signs_in_at_an_adfs() -> None:
    client = client_of(ADFS)

    address = urlsplit(oauth.authorise_address(client, "http://127.0.0.1:8400/callback", "state", "verifier"))

    assert address.geturl().startswith("https://adfs.example/adfs/oauth2/authorize?")
    asked = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert asked["resource"] == "https://acme.crm.example/"
    assert asked["client_id"] == PUBLIC_CLIENT
    assert "code_challenge" not in asked


async def test_the_code_and_its_refresh_token_serve() -> None:
    async with running(ADFS_RIG) as product:
        subject = product.subject()
        assert CONNECTOR.oauth is not None
        client = CONNECTOR.oauth(subject.settings)
        assert client is not None
        asking = product.asker.begin(5.0)
        grant = await asking.run(oauth.exchange(client, "good-code", "http://127.0.0.1/callback", "verifier"))
        await product.grants.put(subject.grant, grant)
        found = await product.find(people.ALICE)
        product.crm.tokens.revoke_all()
        dead = await product.find(people.BRUNO)

    assert grant.refresh_token
    assert found.outcome is Outcome.FOUND
    assert (dead.outcome, "no longer takes the sign-in" in dead.problem) == (Outcome.CRM_ERROR, True)


def test_without_a_person_there_is_no_token() -> None:
    with pytest.raises(SignInNeeded):
        driven(sign_in(ADFS, None))


@pytest.mark.parametrize("rig", [WINDOWS_RIG, OLD_RIG], ids=lambda rig: rig.name)
async def test_a_refused_windows_account_is_not_tried_with_every_caller(rig: Any) -> None:
    """A domain locks an account after a few wrong passwords."""
    async with running(rig) as product:
        subject = product.subject(rig.refused(product.crm))
        answers = [await product.find(people.ALICE, subject=subject) for _ in range(3)]
        proofs = [seen for seen in product.crm.seen if seen.headers.get("Authorization")]

    assert all("refused the user name or password" in answer.problem for answer in answers)
    assert len(proofs) == 2, "one handshake"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"client_secret": Secret()}, "client needs"),
        ({"api": "2015"}, "ntlm or adfs"),
        ({"sign_in": "adfs"}, "authority"),
        ({"sign_in": "ntlm"}, "username"),
    ],
)
def test_settings_that_cannot_work(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        replace(SETTINGS, **given)


# What the CRM tells of itself


@pytest.mark.parametrize("rig", [CLIENT_RIG, OLD_RIG], ids=lambda rig: rig.name)
async def test_who_is_signed_in(rig: Any) -> None:
    async with running(rig) as product:
        assert await product.abilities.who(product.subject()) == "Rita Router"


async def test_the_fields_of_the_web_api(online: Product) -> None:
    fields = {field.name: field for field in await online.abilities.fields(online.subject(), "contact")}

    told = {name: (field.label, field.type.value) for name, field in fields.items()}
    assert told["telephone1"] == ("Business Phone", "phone")
    assert told["new_tier"] == ("Tier", "choice")
    assert told["new_interests"] == ("Interests", "choices")
    assert told["_parentcustomerid_value"] == ("Company Name", "link")
    assert told["new_balance"] == ("Balance", "number")
    assert [choice.value for choice in fields["new_interests"].choices] == ["Boats", "Cars", "Bikes"]
    assert [choice.label for choice in fields["statuscode"].choices] == ["Active", "Inactive"]
    assert fields["new_tier"].is_custom
    assert not fields["telephone1"].is_custom
    assert {"entityimage", "new_tiername", "parentcustomeridname", "parentcustomerid"}.isdisjoint(fields)


async def test_the_fields_of_crm_2015(old: Product) -> None:
    fields = {field.name: field for field in await old.abilities.fields(old.subject(), "contact")}

    told = {name: (field.label, field.type.value) for name, field in fields.items()}
    assert told["Telephone1"] == ("Business Phone", "phone")
    assert told["new_Tier"] == ("Tier", "choice")
    assert told["ParentCustomerId"] == ("Company Name", "link")
    assert [choice.value for choice in fields["new_Tier"].choices] == ["Gold", "Silver", "Bronze"]
    assert "new_TierName" not in fields


async def test_an_older_web_api_is_not_asked_for_what_it_has_not() -> None:
    account = replace_settings(ONLINE, version="v8.2")
    listed = answered({"value": []})

    _, asked = driven(CONNECTOR.fields(account, "contact"), listed, listed, listed)  # type: ignore[misc]

    assert not any("MultiSelect" in request.url for request in asked)


def replace_settings(account: Account[Settings], **changes: Any) -> Account[Settings]:
    return Account(replace(account.settings, **changes), account.grant)


async def test_modules_are_named_as_rules_name_them(online: Product, old: Product) -> None:
    for product in (online, old):
        listed = {module.name: module.label for module in await product.abilities.modules(product.subject())}

        assert listed["contact"] == "Contact"
    assert "phonecall" not in {module.name for module in await online.abilities.modules(online.subject())}


# Writing


@pytest.mark.parametrize("rig", [CLIENT_RIG, OLD_RIG], ids=lambda rig: rig.name)
async def test_a_call_is_closed_and_a_repeat_closes_one_that_was_left_open(rig: Any) -> None:
    async with running(rig) as product:
        call = finished(module="contact", record_id=id_of(1), ending=CallEnd.VOICEMAIL)
        first = await product.abilities.log_call(product.subject(), call)
        (kept,) = product.crm.logged()
        crm_of(product).calls[first.id].update(dict.fromkeys(("statecode", "StateCode"), 0))
        repeated = await product.abilities.log_call(product.subject(), replace(call, is_repeat=True))
        again = await product.abilities.log_call(product.subject(), replace(call, is_repeat=True))
        (still,) = product.crm.logged()

    assert (kept.extra["state"], kept.extra["voicemail"], kept.direction) == (1, True, "inbound")
    assert (repeated.was_there, again.was_there, repeated.id) == (True, True, first.id)
    assert still.extra["state"] == 1


@pytest.mark.parametrize("rig", [CLIENT_RIG, OLD_RIG], ids=lambda rig: rig.name)
async def test_a_repeat_of_what_never_arrived_is_written(rig: Any) -> None:
    async with running(rig) as product:
        logged = await product.abilities.log_call(product.subject(), finished(is_repeat=True))

        assert not logged.was_there
        assert len(product.crm.logged()) == 1


async def test_an_entry_that_is_there_already_is_not_written_twice(online: Product) -> None:
    """Such as when the token ended between the entry and its closing: the steps then begin again."""
    await online.abilities.log_call(online.subject(), finished())

    logged = await online.abilities.log_call(online.subject(), finished())

    assert logged.was_there
    assert len(online.crm.logged()) == 1


def test_a_call_in_the_web_api() -> None:
    link = answered({"value": [{"ReferencingEntityNavigationPropertyName": "regardingobjectid_contact"}]})
    call = finished(module="contact", record_id=id_of(1))

    logged, (_, written, closed) = driven(log_call(ONLINE, call), link, MADE, Response(204))

    body = written.json
    assert body["directioncode"] is False
    assert body["actualdurationminutes"] == 2
    assert (body["actualstart"], body["actualend"]) == ("2026-05-01T09:00:00Z", "2026-05-01T09:01:30Z")
    assert body["regardingobjectid_contact@odata.bind"] == f"/contacts({id_of(1)})"
    assert body["phonecall_activity_parties"] == [
        {"partyid_contact@odata.bind": f"/contacts({id_of(1)})", "participationtypemask": 1}
    ]
    assert call.decision in body["description"].splitlines()
    assert (closed.method, closed.json) == ("PATCH", {"statecode": 1, "statuscode": 4})
    assert dict(closed.headers)["If-Match"].reveal() == "*"
    assert closed.url.endswith(f"/phonecalls({logged.id})")


def test_a_record_that_has_no_activities_is_not_linked() -> None:
    call = finished(module="new_thing", record_id=id_of(1))

    _, (_, written, _) = driven(log_call(ONLINE, call), answered({"value": []}), MADE, Response(204))

    assert not [name for name in written.json if "odata.bind" in name or "parties" in name]


@pytest.mark.parametrize("id_", ["1)/x", "'", "6f1c", f"{id_of(1)})"])
def test_an_id_that_is_none_reaches_no_path(id_: str) -> None:
    for account in (ONLINE, OLD):
        with pytest.raises(LookupFailed):
            driven(log_call(account, finished(module="contact", record_id=id_)))


def test_texts_are_escaped_in_xml() -> None:
    assert soap.text("LogicalName", "</c:value>&") == soap.parameter(
        "LogicalName", "string", soap.SCHEMA, "&lt;/c:value&gt;&amp;"
    )


def test_crm_2015_closes_by_soap() -> None:
    _, (written, closed) = driven(log_call(OLD, finished()), answered({"d": {}}, 201), CLOSED)

    assert written.json["ActualStart"] == "/Date(1777626000000)/"
    assert closed.url == "https://crm.example/acme/XRMServices/2011/Organization.svc/web"
    assert "<a:LogicalName>phonecall</a:LogicalName>" in (closed.text or "")
    assert closed.writes


@pytest.mark.parametrize("rig", [CLIENT_RIG, OLD_RIG], ids=lambda rig: rig.name)
async def test_a_record_that_was_made_can_be_opened(rig: Any) -> None:
    async with running(rig) as product:
        made = await product.abilities.create(
            product.subject(), NewContact("account", people.NOBODY, "Nina SARL")
        )

    assert (made.name, made.module) == ("Nina SARL", "account")
    assert made.link.endswith(f"/main.aspx?etn=account&pagetype=entityrecord&id=%7B{id_of(900)}%7D")
