"""The custom URL connector, by handing it responses: no server, no loop."""

from typing import Any

import pytest
from msgspec.structs import replace

from router.core.identities import E164
from router.core.lookups import AskedBy
from router.core.numbers import Caller, CallerKind
from tests.workers import makers
from tests.workers.makers import answered, asked, digits_job, job, json, settings, text
from workers.connectors import custom
from workers.connectors.steps import Basic, Bearer, HeaderAuth, Response
from workers.errors import IntegrationUnusable, LookupRefused
from workers.secrets import Secret, read_settings

ALL_CARRIED = {
    "c": "caller",
    "n": "caller_national",
    "d": "caller_digits",
    "to": "called",
    "t": "tenant",
    "id": "call_id",
    "keyed": "digits",
    "f": "field",
    "k": "text:v & w",
}

# What is asked


def test_the_contract_is_the_field_name_alone() -> None:
    request = asked(settings(), job("status"))

    assert (request.method, request.url, request.query) == ("GET", makers.URL, (("field_name", "status"),))


def test_a_rule_with_a_greeting_sends_the_digits() -> None:
    request = asked(settings(), digits_job("0042", "status"))

    assert request.query == (("field_name", "status"), ("dtmf", "0042"))


def test_digits_are_not_sent_where_the_rule_has_no_greeting() -> None:
    request = asked(settings(), digits_job("0042", sends_digits=False))

    assert "dtmf" not in dict(request.query)


def test_dtmf_is_left_out_when_nothing_was_keyed() -> None:
    assert "dtmf" not in dict(asked(settings(), job(sends_digits=True)).query)


def test_several_fields_are_one_parameter() -> None:
    assert asked(settings(), job("status", "owner")).query == (("field_name", "status,owner"),)


def test_every_further_parameter() -> None:
    request = asked(settings(parameters=ALL_CARRIED), job("status", "owner"))

    assert dict(request.query) == {
        "field_name": "status,owner",
        "c": "+33142345001",
        "n": "0142345001",
        "d": "33142345001",
        "to": "+33142345999",
        "t": "acme",
        "id": "pbx-1.1",
        "f": "status,owner",
        "k": "v & w",
    }


def test_a_look_up_by_digits_never_carries_the_caller() -> None:
    """All callers who key the same digits share the answer."""
    given = {
        "c": "caller",
        "n": "caller_national",
        "d": "caller_digits",
        "keyed": "digits",
        "in": "digits_field",
    }

    request = asked(settings(parameters=given), digits_job("0042", key_digits_field="account"))

    assert dict(request.query) == {"field_name": "status", "dtmf": "0042", "keyed": "0042", "in": "account"}


@pytest.mark.parametrize(
    ("number", "country", "national"),
    [
        ("+33142345001", "FR", "0142345001"),
        ("+33142345001", "CH", "+33142345001"),
        ("+14155550100", "US", "4155550100"),
    ],
)
def test_national_spelling(number: str, country: str, national: str) -> None:
    caller = Caller(number, CallerKind.NUMBER, E164(number))

    request = asked(settings(parameters={"n": "caller_national"}), job(caller=caller), country)

    assert dict(request.query)["n"] == national


def test_a_caller_without_a_number_is_sent_as_received() -> None:
    given = {"c": "caller", "n": "caller_national", "d": "caller_digits"}

    request = asked(settings(parameters=given), job(caller=Caller("pbx12", CallerKind.ALPHANUMERIC)))

    assert dict(request.query) == {"field_name": "status", "c": "pbx12", "n": "pbx12", "d": "12"}


def test_post_sends_a_form() -> None:
    request = asked(settings(method="POST", parameters={"c": "caller"}), job())

    assert (request.method, request.query) == ("POST", ())
    assert request.form == (("field_name", "status"), ("c", "+33142345001"))


def test_post_sends_json() -> None:
    request = asked(settings(method="POST", body="json"), digits_job("12"))

    assert request.json == {"field_name": "status", "dtmf": "12"}


@pytest.mark.parametrize(
    ("given", "auth"),
    [
        ({}, None),
        ({"auth": "basic", "username": "u", "password": "p"}, Basic("u", Secret("p"))),
        ({"auth": "bearer", "token": "t"}, Bearer(Secret("t"))),
        ({"auth": "header", "header_name": "X-Key", "header_value": "k"}, HeaderAuth("X-Key", Secret("k"))),
    ],
)
def test_authentication(given: dict[str, Any], auth: Any) -> None:
    assert asked(settings(**given), job()).auth == auth


def test_headers_and_masks() -> None:
    request = asked(
        settings(headers={"X-Site": "7"}, parameters={"key": "text:s3cret", "c": "caller"}), job()
    )

    assert request.headers == (("X-Site", Secret("7")),)
    assert request.masked == {"key"}


def test_a_rules_credentials_replace_the_integrations() -> None:
    given = {"url": makers.URL, "auth": "basic", "username": "u", "password": {"env": "CRM"}}

    merged = custom.with_credentials(given, makers.CREDENTIALS)

    assert (merged["username"], merged["password"]) == ("rule-user", "rule-secret")
    assert given["username"] == "u"


def test_a_rules_credentials_turn_basic_on() -> None:
    assert custom.with_credentials({"url": makers.URL}, makers.CREDENTIALS)["auth"] == "basic"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"url": "ftp://crm.example"}, "url"),
        ({"url": "https:///x"}, "url"),
        ({"method": "DELETE"}, "method"),
        ({"surprise": 1}, "surprise"),
        ({"parameters": {"field_name": "caller"}}, "`field_name` cannot be set"),
        ({"parameters": {"dtmf": "digits"}}, "`dtmf` cannot be set"),
        ({"parameters": {"x": "callr"}}, "cannot carry `callr`"),
        ({"headers": {"Host": "other"}}, "`Host` cannot be set"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "cannot be set"),
        ({"headers": {"X-A": "a\r\nX-B: s3cret"}}, "line break"),
        ({"headers": {"X A": "a"}}, "cannot be a header's name"),
        ({"auth": "basic"}, "needs a username"),
        ({"auth": "bearer"}, "needs a token"),
        ({"auth": "bearer", "token": "s3cret\n"}, "line break"),
        ({"auth": "header", "header_name": "X-Key"}, "needs header_name"),
        ({"auth": "header", "header_name": "", "header_value": "s3cret"}, "header's name"),
        ({"not_found_statuses": [200]}, "not_found_statuses"),
        ({"auth": "basic", "username": "u", "password": {"env": "NOT_SET"}}, "NOT_SET is not set"),
        ({"auth": "basic", "username": "u", "password": {"s3cret": 1}}, "must be a text"),
    ],
)
def test_settings_that_cannot_be_used(given: dict[str, Any], told: str) -> None:
    with pytest.raises(IntegrationUnusable) as raised:
        settings(**given)

    assert told in raised.value.problem
    assert "s3cret" not in raised.value.problem


def test_secrets_by_reference() -> None:
    given = {
        "url": makers.URL,
        "auth": "bearer",
        "token": {"env": "TOKEN"},
        "headers": {"X": {"env": "TOKEN"}},
    }

    made = read_settings(given, custom.Settings, {"TOKEN": "s3cret"}, "crm")

    assert made.token.reveal() == made.headers["X"].reveal() == "s3cret"


def test_nothing_shows_a_secret() -> None:
    made = settings(
        url="https://u:s3cret@crm.example/?key=s3cret",
        auth="bearer",
        token="s3cret",
        headers={"X": "s3cret"},
        parameters={"k": "text:s3cret"},
    )

    for shown in (made, made.token, asked(made, job()), asked(made, job()).auth):
        assert "s3cret" not in f"{shown!r} {shown}"


# What was answered: found


@pytest.mark.parametrize(
    ("response", "value"),
    [
        (text("GOLD"), "GOLD"),
        (text("  GOLD\r\n"), "GOLD"),
        (text("GOLD", ""), "GOLD"),
        (text("GOLD", "text/html; charset=utf-8"), "GOLD"),  # as PHP prints it
        (text("007"), "007"),
        (text("42"), "42"),
        (text("true"), "true"),
        (text('"GOLD"'), "GOLD"),
        (text("[VIP]"), "[VIP]"),
        (text('"GOLD" customer'), '"GOLD" customer'),
        (text("a < b"), "a < b"),
        (text("<3", "text/plain"), "<3"),
        (text("GOLD\r\nAction: Hangup"), "GOLD\r\nAction: Hangup"),
        (json('"GOLD"'), "GOLD"),
        (json("42"), 42),
        (json("1.5"), 1.5),
        (json("true"), True),
        (json('["GOLD", "VIP"]'), ["GOLD", "VIP"]),
        (json("123456789012345678901234567890"), "123456789012345678901234567890"),
        (text("GOLD", status=201), "GOLD"),
    ],
)
def test_a_bare_value_is_the_fields_value(response: Response, value: Any) -> None:
    findings = answered(response, job("status"))

    assert [record.values for record in findings.records] == [{"status": value}]
    assert findings.problem == ""


@pytest.mark.parametrize(
    "response",
    [
        text("Zoë €".encode(), "text/plain; charset=utf-8"),
        text("Zoë €".encode(), "text/plain"),
        text(b"\xef\xbb\xbf" + "Zoë €".encode(), "text/plain; charset=iso-8859-1"),
        text("Zoë €".encode("cp1252"), "text/plain"),
        text("Zoë €".encode("cp1252"), "text/plain; charset=ISO-8859-1"),
        text("Zoë €".encode("utf-16"), "text/plain"),
        text("Zoë €".encode("iso8859-15"), 'text/plain; charset="ISO-8859-15"'),
        text("Zoë €".encode(), "text/plain; charset=no-such-charset"),
        text("Zoë €".encode(), "text/plain; charset=unicode_escape"),
        text('"Zoë €"'.encode("utf-16"), "application/json; charset=utf-16"),
        text(b"\xef\xbb\xbf" + '"Zoë €"'.encode(), "application/json"),
    ],
)
def test_charsets(response: Response) -> None:
    assert answered(response, job("name")).records[0].values == {"name": "Zoë €"}


def test_bytes_of_no_charset_are_still_a_value() -> None:
    assert answered(text(b"\x81\xff"), job()).records[0].values == {"status": "\x81ÿ"}


def test_a_record() -> None:
    body = '{"status": "GOLD", "owner": null, "tags": ["a"], "age": 3, "other": 1, "deep": {"x": 1}}'

    findings = answered(json(body), job("status", "owner", "tags", "age", "deep"))

    assert findings.records[0].values == {
        "status": "GOLD",
        "owner": None,
        "tags": ["a"],
        "age": 3,
        "deep": '{"x":1}',
    }
    assert findings.problem == ""


def test_a_record_without_a_content_type() -> None:
    assert answered(Response(200, b'{"status": "GOLD"}'), job()).records[0].values == {"status": "GOLD"}


def test_several_records_are_all_handed_on() -> None:
    findings = answered(json('[{"status": "GOLD"}, null, {}, {"status": "SILVER"}]'), job())

    assert [record.values["status"] for record in findings.records] == ["GOLD", "SILVER"]


def test_more_records_than_are_read_are_told() -> None:
    body = "[" + ",".join(['{"status": "GOLD"}'] * 150) + "]"

    findings = answered(json(body), job())

    assert len(findings.records) == custom.RECORDS_MOST
    assert "150 records" in findings.problem


@pytest.mark.parametrize(
    ("path", "body", "values"),
    [
        ("data", '{"data": {"status": "GOLD"}}', ["GOLD"]),
        ("data.items", '{"data": {"items": [{"status": "GOLD"}, {"status": "LEAD"}]}}', ["GOLD", "LEAD"]),
        ("data.items.0", '{"data": {"items": [{"status": "GOLD"}, {"status": "LEAD"}]}}', ["GOLD"]),
        ("data.items.1.status", '{"data": {"items": [{}, {"status": "GOLD"}]}}', ["GOLD"]),
        ("0", '[{"status": "GOLD"}]', ["GOLD"]),
        ("data.items", '{"data": {"items": []}}', []),
        ("data.items.0", '{"data": {"items": []}}', []),
        ("data.items.7", '{"data": {"items": [{"status": "GOLD"}]}}', []),
        ("data.items", '{"data": null}', []),
        ("data", "{}", []),
        ("data", "[]", []),
        ("data", "null", []),
    ],
)
def test_record_path(path: str, body: str, values: list[str]) -> None:
    findings = answered(json(body), job(), record_path=path)

    assert [record.values["status"] for record in findings.records] == values


def test_a_path_that_is_not_there_is_an_error_that_names_what_is() -> None:
    with pytest.raises(LookupRefused, match=r"no `data\.items` \(it has `count`, `status`\)"):
        answered(json('{"count": 1, "status": "x"}'), job(), record_path="data.items")
    with pytest.raises(LookupRefused, match="no `data`"):
        answered(json("3"), job(), record_path="data")
    with pytest.raises(LookupRefused, match="the answer is text"):
        answered(text("GOLD"), job(), record_path="data")


def test_field_paths_and_nested_names() -> None:
    body = '{"attributes": {"level": {"code": "GOLD"}}, "Account": {"Name": "Acme"}, "phones": ["1", "2"]}'
    given = {"status": "attributes.level.code", "second": "phones.1"}

    findings = answered(json(body), job("status", "Account.Name", "second"), field_paths=given)

    assert findings.records[0].values == {"status": "GOLD", "Account.Name": "Acme", "second": "2"}


def test_a_name_with_a_dot_comes_before_a_path() -> None:
    body = '{"Account.Name": "flat", "Account": {"Name": "nested"}}'

    assert answered(json(body), job("Account.Name")).records[0].values == {"Account.Name": "flat"}


def test_a_null_on_the_way_is_an_empty_value() -> None:
    findings = answered(json('{"Account": null}'), job("Account.Name"))

    assert (findings.records[0].values, findings.problem) == ({"Account.Name": None}, "")


def test_a_missing_field_is_told_and_the_record_counts() -> None:
    findings = answered(json('{"Status": "GOLD", "owner": "bob"}'), job("status", "owner"))

    assert findings.records[0].values == {"owner": "bob"}
    assert findings.problem == "the record has no field `status` (did you mean `Status`?)"


def test_a_missing_field_is_told_once_for_all_records() -> None:
    findings = answered(json('[{"a": 1}, {"a": 2}]'), job("status"))

    assert len(findings.records) == 2
    assert findings.problem == "the record has no field `status` (it has `a`)"


def test_the_contact() -> None:
    body = (
        '{"status": "GOLD", "Id": 17, "who": {"name": "Ada\\r\\nRoy"}, "url": "https://crm.example/17",'
        ' "changed": 1760000000}'
    )
    given = {"id_field": "Id", "name_field": "who.name", "link_field": "url", "modified_field": "changed"}

    record = answered(json(body), job(), **given).records[0]

    assert (record.id, record.name, record.link) == ("17", "Ada Roy", "https://crm.example/17")
    assert record.modified_at == "2025-10-09T08:53:20+00:00"


@pytest.mark.parametrize(
    ("raw", "moment"),
    [
        ('"2026-01-02T03:04:05Z"', "2026-01-02T03:04:05Z"),
        ("1760000000000", "2025-10-09T08:53:20+00:00"),
        ("1e300", None),
        ("true", None),
        ("null", None),
        ('{"a": 1}', None),
    ],
)
def test_moments(raw: str, moment: str | None) -> None:
    record = answered(json(f'{{"status": "x", "at": {raw}}}'), job(), modified_field="at").records[0]

    assert record.modified_at == moment


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "file:///etc/passwd", "https://a b", "crm.example/1"]
)
def test_only_a_pages_address_is_a_link(link: str) -> None:
    assert (
        answered(json(f'{{"status": "x", "url": "{link}"}}'), job(), link_field="url").records[0].link == ""
    )


def test_one_value_for_several_fields_goes_to_the_first() -> None:
    findings = answered(text("GOLD"), job("status", "owner"))

    assert findings.records[0].values == {"status": "GOLD"}
    assert findings.problem == "one value came for 2 fields; it was taken for `status`"


def test_a_value_for_no_field_still_finds() -> None:
    nothing_asked = replace(job(), key=replace(job().key, fields=()))

    assert len(answered(text("yes"), nothing_asked).records) == 1


# digits against the record's own field: equal, a part, with zeros lost, empty, not there
@pytest.mark.parametrize(
    ("account", "is_found"),
    [
        ('"0012"', True),
        ('"00 12"', True),
        ("12", True),
        ('"990012"', False),
        ('"12"', False),
        ("120", False),
        ("null", True),
    ],
)
def test_digits_must_be_the_field_exactly(account: str, is_found: bool) -> None:
    findings = answered(
        json(f'[{{"status": "GOLD", "account": {account}}}]'), digits_job("0012", key_digits_field="account")
    )

    assert bool(findings.records) is is_found
    assert ("not exactly the digits" in findings.problem) is not is_found


def test_digits_are_the_crms_business_where_the_record_does_not_show_them() -> None:
    assert answered(json('{"status": "GOLD"}'), digits_job("0012", key_digits_field="account")).records


# What was answered: not found


@pytest.mark.parametrize(
    "response",
    [
        text("no such customer", status=404),
        text("", status=204),
        text(""),
        text(" \r\n\t "),
        text(b"\xef\xbb\xbf"),
        text("null"),
        text("{}"),
        text("[]"),
        text('""'),
        json("null"),
        json("{}"),
        json("[]"),
        json('""'),
        json('" "'),
        json("[null]"),
        json("[{}]"),
        json(""),
    ],
)
def test_not_found(response: Response) -> None:
    assert answered(response, job()).records == ()


def test_404_can_be_an_error() -> None:
    with pytest.raises(LookupRefused, match=r"there is nothing at this address \(404\)"):
        answered(text("<html>", "text/html", 404), job(), not_found_statuses=[])


def test_other_statuses_can_be_not_found() -> None:
    assert answered(text("x", status=410), job(), not_found_statuses=[404, 410]).records == ()
    assert asked(settings(not_found_statuses=[500]), job()).final_statuses == {500}


def test_text_takes_everything_as_the_value() -> None:
    assert answered(json("null"), job(), answer="text").records[0].values == {"status": "null"}
    assert answered(text('{"a": 1}'), job(), answer="text").records[0].values == {"status": '{"a": 1}'}


# What was answered: errors


@pytest.mark.parametrize(
    ("response", "told"),
    [
        (text("no", status=401), "refused the user name or password"),
        (text("no", status=403), "(403)"),
        (text("missing caller", status=400), "request is wrong (400)"),
        (text("<h1>Oops</h1>", "text/html", 400), "request is wrong (400)"),
        (text("x", status=418), "status 418"),
        (text("", status=304), "status 304"),
        (text("<!DOCTYPE html><html><body>Log in"), "web page"),
        (text("\n <html lang=fr>", "application/json"), "web page"),
        (text("<br />\n<b>Warning</b>: mysqli", "text/html"), "web page"),
        (text("<?xml version='1.0'?><a/>", "text/xml"), "web page"),
        (json('{"status": "GO'), "not valid JSON"),
        (json("GOLD"), "not valid JSON"),
        (text('{"status": "GO'), "not valid JSON"),
        (text('[{"status": 1}'), "not valid JSON"),
        (json("[" * 60_000), "not valid JSON"),
        (json('"\\ud800"'), "not valid JSON"),
        (json('[{"a": 1}, 2]'), "neither records nor plain values"),
        (json("[[1]]"), "neither records nor plain values"),
    ],
)
def test_refused(response: Response, told: str) -> None:
    with pytest.raises(LookupRefused) as raised:
        answered(response, job())

    assert told in raised.value.problem
    assert "\n" not in raised.value.problem


def test_an_errors_own_words_are_handed_on() -> None:
    with pytest.raises(LookupRefused) as raised:
        answered(text("missing caller", status=400), job())

    assert raised.value.said == "missing caller"


def test_an_errors_web_page_is_not_quoted() -> None:
    with pytest.raises(LookupRefused) as raised:
        answered(text("<h1>Oops</h1>", "text/html", 400), job())

    assert raised.value.said == ""


def test_hostile_values_are_bounded() -> None:
    findings = answered(text("G" * 60_000), job())

    assert findings.records[0].values == {"status": "G" * 2000}


def test_hostile_names_stay_inside_their_parameter() -> None:
    """The address itself is made, and encoded, by `workers.http`; here the pairs stay pairs."""
    request = asked(settings(), digits_job("12\r\n&x=1#", "a&b=c#d\r\nX: y"))

    assert dict(request.query) == {"field_name": "a&b=c#d\r\nX: y", "dtmf": "12\r\n&x=1#"}


def test_the_key_and_the_request_agree() -> None:
    """What `caller` carries for a number is the key's subject."""
    made = job()

    assert made.key.by is AskedBy.NUMBER
    assert dict(asked(settings(parameters={"c": "caller"}), made).query)["c"] == made.key.subject
