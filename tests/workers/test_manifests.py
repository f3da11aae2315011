"""config/connectors/*.toml and workers/connectors/*.py describe each other, one for one."""

import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import re2

import workers.connectors
from router.core.manifest_conditions import person_signs_in
from router.core.manifests import SettingType
from router.settings.manifest_files import load_manifests
from workers.catalogue import BUILT_IN
from workers.connectors.steps import Connector
from workers.errors import IntegrationUnusable
from workers.secrets import Secret, read_settings

CONFIG = Path(__file__).resolve().parents[2] / "config"
MANIFESTS = load_manifests(CONFIG)
SHARED = {
    "addresses",
    "steps",
    "answers",
    "moments",
    "names",
    "oauth",
    "phones",
    "queries",
    "records",
    "sugar_rest",
}
"""Modules that are there for every connector."""
TYPES: dict[type, set[SettingType]] = {
    msgspec.inspect.StrType: {SettingType.TEXT, SettingType.URL},
    msgspec.inspect.LiteralType: {SettingType.CHOICE},
    msgspec.inspect.CustomType: {SettingType.SECRET},
    msgspec.inspect.DictType: {SettingType.TABLE},
    msgspec.inspect.VarTupleType: {SettingType.LIST},
    msgspec.inspect.BoolType: {SettingType.BOOLEAN},
    msgspec.inspect.IntType: {SettingType.WHOLE},
    msgspec.inspect.FloatType: {SettingType.NUMBER},
}


def fields(slug: str) -> dict[str, msgspec.inspect.Field]:
    info = msgspec.inspect.type_info(BUILT_IN[slug].settings)
    assert isinstance(info, msgspec.inspect.StructType)
    return {field.name: field for field in info.fields}


def document(slug: str) -> dict[str, Any]:
    made: dict[str, Any] = msgspec.toml.decode((CONFIG / "connectors" / f"{slug}.toml").read_text())
    return made


def test_every_manifest_has_its_connector_and_the_other_way_round() -> None:
    modules = {module.name for module in pkgutil.iter_modules(workers.connectors.__path__)} - SHARED

    assert set(MANIFESTS) == set(BUILT_IN) == modules
    for slug in modules:
        connector = importlib.import_module(f"workers.connectors.{slug}").CONNECTOR
        assert isinstance(connector, Connector)
        assert connector.slug == slug


@pytest.mark.parametrize("slug", BUILT_IN)
def test_the_abilities_are_those_of_the_code(slug: str) -> None:
    connector, manifest = BUILT_IN[slug], MANIFESTS[slug]
    able = ("find", "check", "modules", "fields", "log_call", "create", "sign_in")

    assert set(manifest.abilities) == {name for name in able if getattr(connector, name) is not None}
    assert manifest.default_modules == connector.default_modules
    assert (connector.sign_in is None) is (connector.identity == ())
    assert set(connector.identity) <= set(fields(slug))


@pytest.mark.parametrize("slug", BUILT_IN)
def test_the_settings_are_the_same(slug: str) -> None:
    assert [setting.name for setting in MANIFESTS[slug].settings] == list(fields(slug))


@pytest.mark.parametrize(
    ("slug", "name"), [(slug, setting.name) for slug, made in MANIFESTS.items() for setting in made.settings]
)
def test_each_setting_is_the_same(slug: str, name: str) -> None:
    setting, field = MANIFESTS[slug].setting(name), fields(slug)[name]
    assert setting is not None
    kind = field.type

    assert setting.required is field.required
    assert setting.type in TYPES[type(kind)]
    if isinstance(kind, msgspec.inspect.LiteralType):
        assert sorted(setting.choices) == sorted(map(str, kind.values))
    if not field.required:
        assert setting.default == plain(field)


def plain(field: msgspec.inspect.Field) -> Any:
    default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    if isinstance(default, Secret):
        return default.reveal()
    return list(default) if isinstance(default, tuple) else default


FILLED = {SettingType.URL: "https://crm.example", SettingType.TEXT: "given", SettingType.SECRET: "given"}


def settings_of_every_choice(slug: str) -> Iterator[dict[str, Any]]:
    """With what must be given, or all that is empty filled in; with each value of each choice."""
    listed = MANIFESTS[slug].settings
    least = {one.name: FILLED[one.type] for one in listed if one.required}
    full = least | {one.name: FILLED[one.type] for one in listed if one.type in FILLED and not one.default}
    for given in (least, full):
        yield given
        yield from (given | {one.name: value} for one in listed for value in one.choices)


@pytest.mark.parametrize("slug", BUILT_IN)
def test_the_manifest_says_when_a_person_signs_in(slug: str) -> None:
    connector, manifest = BUILT_IN[slug], MANIFESTS[slug]
    said, done = [], []
    for given in settings_of_every_choice(slug):
        with suppress(IntegrationUnusable):
            settings = read_settings(given, connector.settings, {}, slug)
            done.append(connector.oauth is not None and connector.oauth(settings) is not None)
            said.append(person_signs_in(manifest, given))

    assert said == done
    assert any(said) is (manifest.person_when is not None)


@pytest.mark.parametrize("slug", BUILT_IN)
def test_a_form_can_be_made_of_it(slug: str) -> None:
    made = document(slug)

    assert made["label"]
    assert made["icon"]
    assert "find" in made["abilities"]
    assert made["requests_per_lookup"] >= 1
    assert made["requests_per_second"] >= 0
    for setting in made["settings"]:
        for text in ("label", "label_fr", "help", "help_fr"):
            assert setting[text], (setting["name"], text)
        re2.compile(setting.get("pattern", ""))
        for other, values in setting.get("when", {}).items():
            known = MANIFESTS[slug].setting(other)
            assert known is not None
            assert set(values) <= set(known.choices)
