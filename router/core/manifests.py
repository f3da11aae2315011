"""What a connector asks of a tenant: the settings of an integration, and what the connector can tell.

A manifest is data (`config/connectors/<connector>.toml`). The settings' checks, the web page's forms and the
documentation are made from it. Keys that this version does not know are let through, so that a manifest may
say more than is checked.
"""

from enum import StrEnum
from typing import Any

from msgspec import Struct


class SettingType(StrEnum):
    TEXT = "text"
    URL = "url"
    SECRET = "secret"  # noqa: S105 (a kind of setting)
    NUMBER = "number"
    WHOLE = "whole"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    TABLE = "table"
    """Names and texts, such as HTTP headers."""
    LIST = "list"


class Setting(Struct, frozen=True):
    """One setting of an integration."""

    name: str
    type: SettingType = SettingType.TEXT
    required: bool = False
    choices: tuple[str, ...] = ()
    pattern: str = ""
    """An RE2 expression that the whole text must match."""
    when: dict[str, tuple[str, ...]] = {}
    """The setting counts only while each of these other ones has one of its values; empty: always."""
    default: Any = None
    label: str = ""
    help: str = ""
    label_fr: str = ""
    help_fr: str = ""


class Manifest(Struct, frozen=True):
    slug: str
    settings: tuple[Setting, ...]
    label: str = ""
    label_fr: str = ""
    """In French, where that is another one."""
    modules: tuple[str, ...] = ()
    """The CRM's modules that can be searched; empty: any name."""
    default_modules: tuple[str, ...] = ()
    """Those that are searched where a rule names none."""
    abilities: tuple[str, ...] = ("find",)
    by: tuple[str, ...] = ()
    """What a record can be found by: number, digits."""
    auth: tuple[str, ...] = ()
    person_when: dict[str, tuple[str, ...]] | None = None
    """With which settings a person signs in at the CRM; None: nobody ever does."""
    requests_per_lookup: int = 1
    """Of a cold look-up by number that finds somebody."""
    requests_per_second: float = 0
    """The budget where an integration sets none; 0: no limit."""

    def setting(self, name: str) -> Setting | None:
        return next((setting for setting in self.settings if setting.name == name), None)
