"""What browsers send: the forms of the pages. A body of the API is held to its schema by schemathesis."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC
from functools import cache

import msgspec

from router.admin.pages import integration_form
from router.admin.pages.calls import epoch_of
from router.admin.pages.profiles import _seconds
from router.admin.pages.rule_form import fields_of, rule_of
from router.admin.pages.rule_lines import LINES_MOST, arranged, line_count, with_lines
from router.admin.pages.trying import _epoch
from router.core.manifests import Manifest
from router.core.rules import SeveralPolicy
from router.records.configuration import Invalid
from router.settings.manifest_files import load_manifests
from tests.core import makers
from tests.fuzz.mutations import bend_document, write_json
from tests.fuzz.places import PROJECT
from tests.fuzz.targets import Target
from tests.hostile.configurations import CONFIGURATIONS

Fields = Mapping[str, str]


@cache
def _manifests() -> dict[str, Manifest]:
    return load_manifests(PROJECT / "config")


def read_form(data: bytes) -> None:
    fields = _fields(data)
    if fields is None:
        return
    custom = _manifests()["custom"]
    for former in (None, makers.rule()):
        read = rule_of(fields, former, custom)
        if read.rule is not None:
            assert msgspec.msgpack.encode(read.rule)
            fields_of(read.rule, custom)
    assert 0 <= line_count(fields) <= LINES_MOST
    with_lines(fields, range(line_count(fields)))
    arranged(fields, fields.get("intent", ""))
    for slug in (fields.get("connector", ""), "custom", "dynamics"):
        if slug in _manifests():
            with contextlib.suppress(msgspec.ValidationError):
                integration_form.integration_of(fields, slug, _manifests()[slug], makers.CRM)
    for text in list(fields.values())[:5]:
        epoch_of(text, UTC)
        _epoch(text, UTC, 1.7e9)
        with contextlib.suppress(Invalid):
            _seconds(text)


def _fields(data: bytes) -> dict[str, str] | None:
    """As a form brings them: texts in UTF-8."""
    try:
        given = json.loads(data)
    except ValueError:
        return None
    if not isinstance(given, dict):
        return None
    return {_text(name): _text(value) for name, value in given.items()}


def _text(value: object) -> str:
    return str(value).encode("utf-8", "replace").decode()


def _forms() -> Sequence[bytes]:
    custom = _manifests()["custom"]
    rule = makers.rule(greeting=makers.GREETING, several=SeveralPolicy.FIRST, note="x")
    forms = [
        {**fields_of(rule, custom), "intent": "down-0"},
        {**integration_form.fields_of(makers.CRM, custom), "since": "2026-11-27T08:00"},
        {"name": "x", "connector": "salesforce", "settings.url": "https://crm.example", "days": "30"},
    ]
    texts = [str(one["default"]["option"]) for one in CONFIGURATIONS[:60]]
    forms += [{**forms[0], "lines": text, "lines.0.value": text, "intent": f"up-{text}"} for text in texts]
    return [write_json(one) for one in forms]


TARGETS = (
    Target(
        "page-forms", "what browsers send", read_form, _forms, bend_document(json.loads, write_json), 100_000
    ),
)
