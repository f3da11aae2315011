"""The check finds each mistake, says it in an admin's words, and is silent about what is right."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
import tomli

from router.core.check import CheckLimits, Problem, check_tenant
from router.core.destinations import DestinationKind
from router.core.manifests import Manifest, Setting, SettingType
from router.core.problems import path_text
from router.core.tenants import Tenant

TEMPLATES: dict[DestinationKind, str] = {
    kind: "context,{option},1" for kind in DestinationKind if kind is not DestinationKind.EXTERNAL
}
CUSTOM = Manifest(
    slug="custom",
    settings=(
        Setting("url", SettingType.URL, required=True, help="Where the CRM answers."),
        Setting("method", SettingType.CHOICE, choices=("GET", "POST")),
        Setting("password", SettingType.SECRET),
        Setting("headers", SettingType.TABLE),
        Setting("modified_field"),
        Setting("client_id", pattern="[a-z]{3}"),
        Setting("page", SettingType.WHOLE),
        Setting("ratio", SettingType.NUMBER),
        Setting("exact", SettingType.BOOLEAN),
        Setting("paths", SettingType.LIST),
    ),
)
MANIFESTS = {"custom": CUSTOM}
ZONES = frozenset({"UTC", "Europe/Paris"})

BASE: dict[str, Any] = {"id": "acme", "country": "FR", "default": {"destination": "ivr", "option": "main"}}
IVR_MAIN = 'default = { destination = "ivr", option = "main" }\n'
CRM = '[[integrations]]\nname = "crm"\nsettings = { url = "https://crm.example" }\n'
DID = '[[numbers]]\ndid = "+33142345001"\nrule = "r"\n'


def tenant_of(text: str) -> Tenant:
    return msgspec.convert(BASE | tomli.loads(text), type=Tenant)


def check(text: str, manifests: Mapping[str, Manifest] | None = MANIFESTS) -> list[Problem]:
    return check_tenant(tenant_of(text), TEMPLATES, manifests, is_zone=ZONES.__contains__)


def rule_text(parts: str) -> str:
    """One rule `r` with a field and a source, used by one number."""
    head = '[[rules]]\nname = "r"\nfield = "status"\nsource = { integration = "crm" }\n'
    return f"{CRM}{DID}{head}{IVR_MAIN}{parts}"


def lines_text(*lines: str, rule: str = "") -> str:
    listed = "".join(
        f'  {{ {line}, destination = "queue", option = "q{n}" }},\n' for n, line in enumerate(lines)
    )
    return rule_text(f"{rule}\nlines = [\n{listed}]\n")


def told(problems: list[Problem]) -> list[str]:
    return [f"{problem.level} {path_text(problem.path)}: {problem.what}" for problem in problems]


GOLD = 'operator = "=", value = "GOLD"'


def test_a_good_tenant_has_no_problems() -> None:
    assert check(lines_text(GOLD, 'operator = "=", value = "SILVER"')) == []


# Each tenant's text, and the one problem it has.
MISTAKES = {
    # the tenant
    "a country that is none": ('country = "XX"', "error country: there is no country `XX`"),
    "a zone that is none": ('zone = "Europe/Pariss"', "error zone: there is no time zone `Europe/Pariss`"),
    "a hold beyond the system's": (
        "hold_seconds = 9",
        "warning hold_seconds: this system holds callers for 6 s",
    ),
    "a destination that is not offered": (
        'default = { destination = "external", option = "0123" }',
        "error default.destination: this system does not offer the destination `external`",
    ),
    # numbers and entries
    "a number that cannot be read": (
        '[[numbers]]\ndid = "call us"',
        "error numbers[1].did: `call us` is not a number that can be dialled in FR",
    ),
    "a number that is no number": ('[[numbers]]\ndid = ""', "error numbers[1].did: `` is not a number"),
    "a number twice, written in two ways": (
        '[[numbers]]\ndid = "+33142345001"\n[[numbers]]\ndid = "01 42 34 50 01"',
        "error numbers[2].did: +33142345001 is number 1 of the list already",
    ),
    "a number's rule that is not there": (
        lines_text(GOLD).replace('rule = "r"', 'rule = "R"') + DID.replace("001", "002"),
        "error numbers[1].rule: there is no rule `R`, so these calls take the tenant's default",
    ),
    "an IVR rule for a number": (
        rule_text('location = "ivr"\noutcomes = { timeout = { destination = "hangup" } }'),
        "error numbers[1].rule: the rule `r` is for the location `ivr`, and this is a number",
    ),
    "a DID rule for an IVR entry": (
        lines_text(GOLD) + '[[ivr_entries]]\nname = "e"\nrule = "r"',
        "error ivr_entries[1].rule: the rule `r` is for the location `did`, and this is an IVR entry",
    ),
    "an entry's rule that is not there": (
        '[[ivr_entries]]\nname = "e"\nrule = "r"',
        "error ivr_entries[1].rule: there is no rule `r`",
    ),
    # integrations
    "an integration twice": (
        lines_text(GOLD).replace(DID, CRM + DID),
        "error integrations[2].name: the integration `crm` is there already, as number 1",
    ),
    "an integration of nobody": (CRM, "warning integrations[1]: no rule asks the integration `crm`"),
    "a connector that is none": (
        lines_text(GOLD).replace('name = "crm"', 'name = "crm"\nconnector = "costum"', 1),
        "error integrations[1].connector: there is no connector `costum`",
    ),
    # the rule
    "a rule without lines": (
        rule_text("").replace('source = { integration = "crm" }', "").replace(CRM, ""),
        "warning rules[1]: no line tests the field `status`, so every call takes the rule's default",
    ),
    "a rule of nobody": (lines_text(GOLD).replace(DID, ""), "warning rules[1]: no number uses the rule `r`"),
    "a greeting on a number": (
        lines_text(GOLD, rule='greeting = { sound = "hello" }'),
        "error rules[1].greeting: a greeting is played at IVR entries only",
    ),
    "a record test without a source": (
        lines_text(GOLD).replace('source = { integration = "crm" }', "").replace(CRM, ""),
        "error rules[1].lines[1]: the line tests the CRM's record, but the rule has no source to ask",
    ),
    "a source of two kinds": (
        lines_text(GOLD).replace(
            '{ integration = "crm" }', '{ integration = "crm", custom = { url = "https://x" } }'
        ),
        "error rules[1].source: the source names an integration and a custom URL at once",
    ),
    "a source of no kind": (
        lines_text(GOLD).replace('{ integration = "crm" }', '{ modules = ["Leads"] }').replace(CRM, ""),
        "error rules[1].source: the source names nothing to ask",
    ),
    "an integration that is not there": (
        lines_text(GOLD).replace('{ integration = "crm" }', '{ integration = "crn" }').replace(CRM, ""),
        "error rules[1].source.integration: there is no integration `crn`",
    ),
    "a source that is never asked": (
        lines_text('call = "hour", operator = ">=", value = 18'),
        "warning rules[1].source: nothing depends on the CRM's answer, so it is never asked",
    ),
    "a password in clear": (
        lines_text(GOLD).replace(
            'integration = "crm" }', 'integration = "crm", credentials = { password = "x" } }'
        ),
        "warning rules[1].source.credentials.password: the secret stands in the file in clear",
    ),
    "the most recent of records without dates": (
        lines_text(GOLD, rule='several = "most_recent"'),
        "warning rules[1].several: the answer does not say when a record changed",
    ),
    "a CRM that gets longer than the caller": (
        lines_text(GOLD, rule="lookup_seconds = 7"),
        "warning rules[1].lookup_seconds: the CRM gets 7 s, but a caller is held for 6 s only",
    ),
    # targets
    "a kind without its option": (
        lines_text(GOLD).replace('option = "q0"', 'option = ""'),
        "error rules[1].lines[1]: it does not say which queue",
    ),
    "an option that fits no pattern": (
        lines_text(GOLD).replace('option = "q0"', 'option = "gold,1&evil"'),
        "error rules[1].lines[1].option: `gold,1&evil` cannot be the name of a queue",
    ),
    "a hangup with an option": (
        lines_text(GOLD).replace('destination = "queue"', 'destination = "hangup"'),
        "warning rules[1].lines[1].option: a hangup takes no option",
    ),
    "a voicemail box of a recording": (
        lines_text(GOLD).replace('destination = "queue"', 'voicemail = true, destination = "playback"'),
        "warning rules[1].lines[1].voicemail: a playback has no voicemail box",
    ),
    "a continuation of a queue": (
        lines_text(GOLD).replace('option = "q0"', 'option = "q0", then = { destination = "hangup" }'),
        "error rules[1].lines[1].then: the call does not come back from there",
    ),
    "a playback after a playback": (
        lines_text(GOLD).replace(
            'destination = "queue"',
            'then = { destination = "playback", option = "x" }, destination = "playback"',
        ),
        "error rules[1].lines[1].then: a playback cannot be followed by another one",
    ),
    "a continuation that goes nowhere": (
        lines_text(GOLD).replace(
            'destination = "queue"', 'then = { destination = "queue" }, destination = "playback"'
        ),
        "error rules[1].lines[1].then: it does not say which queue",
    ),
    "a priority outside a queue": (
        lines_text(GOLD).replace('destination = "queue"', 'queue_priority = 1, destination = "ivr"'),
        "warning rules[1].lines[1].queue_priority: only a queue knows priorities",
    ),
    # conditions
    "a line that tests nothing": (
        lines_text("voicemail = false", GOLD),
        "error rules[1].lines[1]: it tests nothing",
    ),
    "a test and a group": (
        lines_text(f"{GOLD}, all = [ {{ {GOLD} }} ]"),
        "error rules[1].lines[1]: it has a test of its own and a group `all`",
    ),
    "two groups": (
        lines_text(f"any = [ {{ {GOLD} }} ], all = [ {{ {GOLD} }} ]"),
        "error rules[1].lines[1]: it has both `all` and `any`",
    ),
    "groups too deep": (
        lines_text('all = [ { any = [ { all = [ { any = [ { operator = "is empty" } ] } ] } ] } ]', GOLD),
        "error rules[1].lines[1].all[1].any[1].all[1].any: groups are nested more than 3 deep",
    ),
    "a field and a fact at once": (
        lines_text(f'{GOLD}, field = "a", call = "digits"', 'operator = "is empty"'),
        "error rules[1].lines[1]: it tests a field of the record and a fact of the call at once",
    ),
    "a field without a name": (
        lines_text(f'{GOLD}, field = ""'),
        "error rules[1].lines[1].field: the field's name is empty",
    ),
    "a rule without a field": (
        lines_text(GOLD).replace('field = "status"\n', ""),
        "error rules[1].lines[1]: it tests the rule's field, but the rule names none",
    ),
    "no operator": (lines_text('value = "GOLD"'), "error rules[1].lines[1]: there is no operator"),
    "no value": (lines_text('operator = ">"'), "error rules[1].lines[1]: `>` needs a value"),
    "a value too many": (
        lines_text('operator = "is empty", value = "x"'),
        "warning rules[1].lines[1].value: `is empty` takes no value",
    ),
    "a list for one value": (
        lines_text('operator = "=", value = ["GOLD"]'),
        "error rules[1].lines[1].value: `=` takes one value, not a list",
    ),
    "an empty list": (
        lines_text('operator = "in list", value = []'),
        "error rules[1].lines[1].value: the list is empty",
    ),
    "an empty part": (
        lines_text('operator = "contains", value = " "'),
        "error rules[1].lines[1].value: the value is empty, so the test never holds",
    ),
    "a pattern that is none": (
        lines_text('operator = "matches", value = "(GOLD"'),
        "error rules[1].lines[1].value: the pattern cannot be used: missing ): (GOLD",
    ),
    "a pattern that looks ahead": (
        lines_text("operator = \"matches\", value = '(?=GOLD)'"),
        "error rules[1].lines[1].value: the pattern cannot be used:",
    ),
    "a text for a number": (
        lines_text('operator = ">", value = "many"', rule='type = "number"'),
        "error rules[1].lines[1].value: the test never holds: “many” is not a number",
    ),
    "an item that is no number": (
        lines_text('operator = "in list", value = [1, "many"]', rule='type = "number"'),
        "error rules[1].lines[1].value[2]: the test never holds: “many” is not a number",
    ),
    "a date of another order": (
        lines_text('operator = "<", value = "31.03.2026"', rule='type = "date"'),
        "error rules[1].lines[1].value: the test never holds: “31.03.2026” is not a date",
    ),
    "a day that the calendar lacks": (
        lines_text('operator = "<", value = "2026-02-30"', rule='type = "date"'),
        "error rules[1].lines[1].value: the test never holds:",
    ),
    "a text for yes or no": (
        lines_text('operator = "=", value = "GOLD"', rule='type = "boolean"'),
        "error rules[1].lines[1].value: the test never holds: “GOLD” is neither yes nor no",
    ),
    "an order of yes and no": (
        lines_text('operator = ">", value = true'),
        "error rules[1].lines[1].value: the test never holds: yes and no have no order",
    ),
    "a number with two meanings": (
        lines_text('operator = ">", value = "1,234"'),
        "error rules[1].lines[1].value: the test never holds: “1,234” may mean 1.234 or 1234",
    ),
    "an hour that the day lacks": (
        lines_text('call = "hour", operator = ">=", value = 24', GOLD),
        "error rules[1].lines[1].value: “24” is not an hour",
    ),
    "a day that the week lacks": (
        lines_text('call = "weekday", operator = "in list", value = ["monday", "fryday"]', GOLD),
        "error rules[1].lines[1].value: `fryday` is not a day of the week",
    ),
    "a caller in national form": (
        lines_text('call = "caller", operator = "=", value = "06 12 34 56 78"', GOLD),
        "warning rules[1].lines[1].value: numbers are compared as they are dialled from abroad",
    ),
    "a country by its name": (
        lines_text('call = "country", operator = "=", value = "France"', GOLD),
        "warning rules[1].lines[1].value: “France” is not the code of a country",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_the_one_problem_told(name: str) -> None:
    text, words = MISTAKES[name]

    problems = check(text)

    assert len(problems) == 1, told(problems)
    assert told(problems)[0].startswith(words), told(problems)
    assert problems[0].mend.rstrip('.?!)`}…"').strip(), "it says how to mend it"


def test_a_rule_twice() -> None:
    text = lines_text(GOLD) + lines_text(GOLD).removeprefix(CRM + DID)

    assert told(check(text)) == [
        "error rules[2].name: the rule `r` is there already, as number 1; only one of them is used"
    ]


def test_an_ivr_entry_twice() -> None:
    entry = '[[ivr_entries]]\nname = "e"\nrule = "r"\n'
    text = lines_text(GOLD, rule='location = "ivr"').replace(DID, entry * 2)

    assert [problem.path for problem in check(text)] == [("ivr_entries", 1, "name")]


def test_a_hold_outside_all_limits_is_an_error() -> None:
    tenant = msgspec.structs.replace(tenant_of(""), hold_seconds=0.5)

    assert told(check_tenant(tenant, TEMPLATES)) == ["error hold_seconds: callers cannot be held for 0.5 s"]


# A setting of the integration, and what is said of it.
SETTINGS = {
    'url = "crm.example"': "error settings.url: `url` must be an address that begins with https://",
    'url = "http://crm.example"': "error settings.url: the address is not encrypted",
    'url = " "': "error settings.url: `url` must be an address",
    "": "error settings: the connector `custom` needs `url`",
    'url = "https://x", metod = "GET"': "error settings.metod: the connector `custom` has no setting `metod`",
    'url = "https://x", method = "PUT"': "error settings.method: `method` cannot be `PUT`",
    'url = "https://x", client_id = "abcd"': "error settings.client_id: `abcd` does not fit `client_id`",
    'url = "https://x", page = 1.5': "error settings.page: `page` must be a whole number",
    'url = "https://x", page = true': "error settings.page: `page` must be a whole number",
    'url = "https://x", ratio = "1"': "error settings.ratio: `ratio` must be a number",
    'url = "https://x", exact = 1': "error settings.exact: `exact` must be true or false",
    'url = "https://x", headers = "X: y"': "error settings.headers: `headers` must be a table",
    'url = "https://x", paths = "a"': "error settings.paths: `paths` must be a list",
    'url = "https://x", password = 5': "error settings.password: `password` must be a text,",
    'url = "https://x", password = { evn = "A" }': "error settings.password: `password` must be a text,",
    'url = "https://x", password = "canary"': "warning settings.password: the secret stands in the file",
    'url = "https://x", headers = { Authorization = "canary" }': "warning settings.headers.Authorization:",
}


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("place", ["integration", "rule"])
def test_settings_are_checked_by_the_manifest(settings: str, place: str) -> None:
    if place == "integration":
        text, prefix = (
            lines_text(GOLD).replace('{ url = "https://crm.example" }', f"{{ {settings} }}"),
            "integrations[1].",
        )
    else:
        custom = f"{{ custom = {{ {settings} }} }}"
        text, prefix = (
            lines_text(GOLD).replace('{ integration = "crm" }', custom).replace(CRM, ""),
            "rules[1].source.",
        )

    problems = told(check(text))

    at = prefix + ("" if place == "integration" else "custom")
    expected = SETTINGS[settings].replace("settings", at + ("settings" if place == "integration" else ""), 1)
    assert len(problems) == 1, problems
    assert problems[0].startswith(expected), (problems, expected)
    assert "canary" not in str(check(text))


@pytest.mark.parametrize(
    "settings",
    ['password = { env = "NAME" }', 'password = { file = "/path" }', 'headers = { X-Tenant = "acme" }'],
)
def test_references_and_plain_headers_are_right(settings: str) -> None:
    assert (
        check(lines_text(GOLD).replace('"https://crm.example"', f'"https://crm.example", {settings}')) == []
    )


def test_without_manifests_nothing_is_said_of_connectors() -> None:
    text = lines_text(GOLD).replace('name = "crm"', 'name = "crm"\nconnector = "zoho"', 1)

    assert check(text, None) == []


def test_http_is_let_through_where_the_operator_allows_it() -> None:
    tenant = tenant_of(lines_text(GOLD).replace("https://", "http://"))

    assert check_tenant(tenant, TEMPLATES, MANIFESTS, limits=CheckLimits(https_only=False)) == []


def test_the_most_recent_is_told_where_the_answer_has_a_date() -> None:
    text = lines_text(GOLD, rule='several = "most_recent"')

    assert (
        check(text.replace('"https://crm.example"', '"https://crm.example", modified_field = "changed"'))
        == []
    )


# Pairs of lines: the first takes every call of the second.
UNREACHABLE = {
    "the same": (GOLD, GOLD),
    "the same but for case": (GOLD, 'operator = "=", value = " gold "'),
    "in an earlier list": ('operator = "in list", value = ["SILVER", "GOLD"]', GOLD),
    "a list within a list": (
        'operator = "in list", value = "A;B;C"',
        'operator = "in list", value = ["C", "a"]',
    ),
    "a list of the same value": (GOLD, 'operator = "in list", value = ["GOLD", "gold"]'),
    "a higher bound": ('operator = ">=", value = 5', 'operator = ">=", value = 10'),
    "the bound itself": ('operator = ">=", value = 5', 'operator = ">", value = 5'),
    "a lower bound downward": ('operator = "<", value = 5', 'operator = "<=", value = 4'),
    "a number within": ('operator = ">", value = 5', 'operator = "=", value = 6'),
    "a number in words within": ('operator = ">", value = 5', 'operator = "=", value = "6"'),
    "numbers within": ('operator = "<=", value = 5', 'operator = "in list", value = [5, 4.5, -1]'),
    "a later day": ('operator = ">", value = "2026-01-01"', 'operator = ">", value = "2026-03-31"'),
    "a longer beginning": (
        'operator = "starts with", value = "go"',
        'operator = "starts with", value = "GOLD"',
    ),
    "a longer end": ('operator = "ends with", value = "ld"', 'operator = "ends with", value = "gold"'),
    "a text that begins so": ('operator = "starts with", value = "go"', GOLD),
    "a text that matches": ('operator = "matches", value = "^g"', GOLD),
    "anything after not empty": ('operator = "is not empty"', GOLD),
    "any order after not empty": ('operator = "is not empty"', 'operator = ">", value = 5'),
    "a stricter group": (GOLD, f'all = [ {{ {GOLD} }}, {{ call = "hour", operator = ">", value = 8 }} ]'),
    "a group of covered ones": (
        'operator = "in list", value = ["A", "B"]',
        'any = [ { operator = "=", value = "A" }, { operator = "=", value = "B" } ]',
    ),
    "one of an earlier group": (
        f'any = [ {{ {GOLD} }}, {{ call = "withheld", operator = "=", value = true }} ]',
        GOLD,
    ),
    "another field": (f'{GOLD}, field = "level"', f'{GOLD}, field = "level"'),
    "the rule's field by its name": (GOLD, f'{GOLD}, field = "status"'),
    "the call": ('call = "hour", operator = ">=", value = 8', 'call = "hour", operator = ">=", value = 18'),
    "after what always holds": ('call = "hour", operator = ">=", value = 0', GOLD),
    "after what always holds, downward": ('call = "hour", operator = "<", value = 24.0', GOLD),
}


@pytest.mark.parametrize("name", UNREACHABLE)
def test_a_line_that_is_never_reached(name: str) -> None:
    problems = [
        problem for problem in check(lines_text(*UNREACHABLE[name])) if problem.path[-2:] == ("lines", 1)
    ]

    assert len(problems) == 1, told(problems)
    assert problems[0].level == "warning"
    assert problems[0].what.startswith(("line 1 takes every call", "line 1 always holds"))


# Pairs of lines of which the second may still be reached.
REACHABLE = {
    "another value": (GOLD, 'operator = "=", value = "SILVER"'),
    "a lower bound": ('operator = ">=", value = 10', 'operator = ">=", value = 5'),
    "the bound itself": ('operator = ">", value = 5', 'operator = ">=", value = 5'),
    "the other direction": ('operator = ">=", value = 10', 'operator = "<=", value = 20'),
    "a number outside": ('operator = ">", value = 5', 'operator = "=", value = 5'),
    "a list partly outside": (
        'operator = "in list", value = ["A", "B"]',
        'operator = "in list", value = ["A", "C"]',
    ),
    "another field": (GOLD, f'{GOLD}, field = "level"'),
    "another type": (f'{GOLD}, type = "text"', GOLD),
    "the call and a field": ('call = "digits", operator = "=", value = "1"', 'operator = "=", value = "1"'),
    "a weaker group": (f'all = [ {{ {GOLD} }}, {{ call = "hour", operator = ">", value = 8 }} ]', GOLD),
    "a part of a text, or an item of a list": ('operator = "contains", value = "old"', GOLD),
    "another than this, of several": ('operator = "!=", value = "SILVER"', GOLD),
    "empty after not empty": ('operator = "is not empty"', 'operator = "is empty"'),
    "not this after not empty": ('operator = "is not empty"', 'operator = "!=", value = "GOLD"'),
    "a moment of a day": (
        'operator = ">=", value = "2026-03-31T10:00"',
        'operator = "=", value = "2026-03-31"',
    ),
    "a number that is written otherwise": (
        'operator = "matches", value = "^10$"',
        'operator = "=", value = 10',
    ),
    "an hour of some": ('call = "hour", operator = ">=", value = 1', GOLD),
}


@pytest.mark.parametrize("name", REACHABLE)
def test_a_line_that_may_be_reached(name: str) -> None:
    assert check(lines_text(*REACHABLE[name])) == []


def test_a_part_covers_a_longer_part_of_a_text() -> None:
    lines = ('operator = "contains", value = "old"', 'operator = "contains", value = "gold"')

    assert check(lines_text(*lines)) == []
    assert len(check(lines_text(*lines, rule='type = "text"'))) == 1


# The rule's parts, the outcome, and why it never happens.
IMPOSSIBLE = [
    (
        'source = { integration = "crm" }\nseveral = "first"',
        "several",
        "of several records the first is taken",
    ),
    ('source = { integration = "crm" }', "no_digits", "no digits are asked for"),
    ('source = { integration = "crm" }', "no_lookup", "the rule always asks the CRM"),
    (
        'source = { integration = "crm" }\ngreeting = { sound = "hello", without_digits = "caller" }',
        "no_digits",
        "without digits the caller's number is looked up",
    ),
    ("", "timeout", "the rule asks no CRM"),
]


@pytest.mark.parametrize(("parts", "outcome", "why"), IMPOSSIBLE)
def test_an_outcome_that_never_happens(parts: str, outcome: str, why: str) -> None:
    line = f"lines = [ {{ {GOLD}, destination = 'queue', option = 'q' }} ]\n" if parts else ""
    text = f'{CRM}[[rules]]\nname = "r"\nfield = "f"\n{parts}\n{IVR_MAIN}{line}'
    text += f'outcomes = {{ {outcome} = {{ destination = "ivr", option = "x" }} }}\n'

    problems = told(check(text))

    assert (
        f"warning rules[1].outcomes.{outcome}: the outcome `{outcome}` never happens here: {why}" in problems
    )


def test_possible_outcomes_are_let_be() -> None:
    outcomes = ", ".join(
        f'{name} = {{ destination = "ivr", option = "x" }}'
        for name in ("found", "not_found", "several", "withheld", "crm_error", "timeout", "overloaded")
    )

    assert check(lines_text(GOLD, rule=f"outcomes = {{ {outcomes} }}")) == []


def test_an_outcomes_target_is_checked() -> None:
    problems = check(lines_text(GOLD, rule='outcomes = { timeout = { destination = "queue" } }'))

    assert [problem.path for problem in problems] == [("rules", 0, "outcomes", "timeout")]


def test_digits_of_a_greeting_that_contradict_each_other() -> None:
    text = lines_text(
        GOLD, rule='location = "ivr"\ngreeting = { sound = "a", min_digits = 6, max_digits = 4 }'
    )

    problems = check(text.replace(DID, '[[ivr_entries]]\nname = "e"\nrule = "r"\n'))

    assert told(problems) == [
        "error rules[1].greeting.min_digits: at least 6 digits are asked for and at most 4"
    ]


def test_a_rule_may_be_a_destination_with_a_name() -> None:
    assert check(f'{DID}[[rules]]\nname = "r"\n{IVR_MAIN}') == []


def test_a_short_did_is_let_be() -> None:
    assert check('[[numbers]]\ndid = "100"') == []


# What is written into the CRM

LOGS = {"custom": CUSTOM, "salesforce": Manifest(slug="salesforce", settings=(), modules=("Lead", "Contact"))}
WRITES = {**LOGS, "salesforce": msgspec.structs.replace(LOGS["salesforce"], abilities=("log_call", "create"))}


def log_text(options: str, connector: str = "salesforce") -> str:
    integration = f'[[integrations]]\nname = "crm"\nconnector = "{connector}"\nlog = {{ {options} }}\n'
    return rule_text("").replace(CRM, integration)


def log_problems(options: str, manifests: Mapping[str, Manifest] = WRITES) -> list[str]:
    return [
        f"{problem.level} {path_text(problem.path)}: {problem.what}"
        for problem in check(log_text(options), manifests)
        if "log" in problem.path
    ]


@pytest.mark.parametrize(
    "options",
    [
        'calls = ["answered"]',
        'calls = ["missed", "voicemail"], create_unknown = "Lead", subject = "{name}"',
        "",
    ],
)
def test_log_that_can_be_written_is_no_problem(options: str) -> None:
    assert log_problems(options) == []


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            'calls = ["missed"], subject = "{colour} {caller}"',
            "error integrations[1].log.subject: the subject has no placeholder `{colour}`",
        ),
        (
            'calls = ["missed"], subject = "from {caller"',
            "error integrations[1].log.subject: a brace of the subject has no partner",
        ),
        ('create_unknown = "Lead"', "warning integrations[1].log: `crm` names no calls, so none is written"),
        (
            'calls = ["missed"], create_unknown = "Leed"',
            "error integrations[1].log.create_unknown: the connector `salesforce` has no module `Leed`",
        ),
    ],
)
def test_log_that_cannot_be_written_is_told(options: str, problem: str) -> None:
    assert log_problems(options) == [problem]


def test_a_connector_that_writes_nothing_is_told() -> None:
    assert log_problems('calls = ["missed"], create_unknown = "Lead"', LOGS) == [
        "error integrations[1].log.calls: the connector `salesforce` writes no calls into its CRM",
        "error integrations[1].log.create_unknown: the connector `salesforce` makes no records",
    ]


def test_the_meant_placeholder_is_offered() -> None:
    (problem,) = [
        p for p in check(log_text('calls = ["missed"], subject = "{caler}"'), WRITES) if "log" in p.path
    ]

    assert problem.mend.startswith("Did you mean `caller`?")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('[[ivr_entries]]\nname = "account\\n"\nrule = "r"\n', "ivr_entries[1].name"),
        (CRM.replace('"crm"', '"crm\\n"'), "integrations[1].name"),
        (
            f'[[rules]]\nname = "r"\nlocation = "ivr"\ngreeting.sound = "hello\\n"\n{IVR_MAIN}',
            "rules[1].greeting.sound",
        ),
    ],
)
def test_a_line_end_behind_a_name_is_an_error(text: str, path: str) -> None:
    told = [path_text(problem.path) for problem in check(text) if "does not show" in problem.what]

    assert told == [path]


@pytest.mark.parametrize("name", ["crmroute-test", "crmroute-paused"])
def test_the_tenants_of_test_calls_are_nobody_elses(name: str) -> None:
    (problem,) = [one for one in check(f'id = "{name}"') if one.path == ("id",)]

    assert (problem.level, "own test calls" in problem.what) == ("error", True)
