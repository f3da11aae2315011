"""What a CRM tells of itself: its modules, and a module's fields, for a field picker."""

from enum import StrEnum

from msgspec import Struct


class CrmModule(Struct, frozen=True, omit_defaults=True):
    """A kind of record, such as Contacts."""

    name: str
    """The CRM's own name, as a rule's source gives it."""
    label: str = ""
    """As the CRM's own pages show it."""


class CrmFieldType(StrEnum):
    TEXT = "text"
    PHONE = "phone"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    MOMENT = "moment"
    CHOICE = "choice"
    CHOICES = "choices"
    """Several of a list's values at the same time."""
    LINK = "link"
    """Another record: its name, and with `.id` behind the field's name its id."""
    OTHER = "other"


class Choice(Struct, frozen=True, omit_defaults=True):
    """One value of a picklist."""

    value: str
    """What a rule's line compares with."""
    label: str = ""


class CrmField(Struct, frozen=True, omit_defaults=True):
    name: str
    """The CRM's own name, as a rule gives it."""
    label: str = ""
    type: CrmFieldType = CrmFieldType.TEXT
    choices: tuple[Choice, ...] = ()
    is_custom: bool = False
