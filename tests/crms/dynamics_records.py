"""The records behind both strict Dynamics servers: their modules, fields and values, in no API's words."""

from dataclasses import dataclass
from typing import Any

from tests.crms.people import PEOPLE, Person

TIERS = {"Gold": 100_000_001, "Silver": 100_000_002, "Bronze": 100_000_003}
INTERESTS = {"Boats": 1, "Cars": 2, "Bikes": 3}
ROUTER = "bb020000-0000-0000-0000-000000000002"
OPTIONS = {"new_tier": TIERS, "new_interests": INTERESTS, "statuscode": {"Active": 1, "Inactive": 2}}
TEXTS = ("String", "Memo")
Row = dict[str, Any]


@dataclass(frozen=True)
class Field:
    schema: str
    kind: str
    label: str

    @property
    def is_custom(self) -> bool:
        return self.schema.startswith("new_")

    @property
    def filtered_as(self) -> str:
        """What a `$filter` may compare it with."""
        if self.kind in TEXTS:
            return "text"
        return "guid" if self.kind in ("Uniqueidentifier", "Lookup", "Customer") else "number"


def _common(module: str) -> dict[str, Field]:
    return {
        f"{module.lower()}id": Field(f"{module}Id", "Uniqueidentifier", module),
        "telephone1": Field("Telephone1", "String", "Business Phone"),
        "telephone2": Field("Telephone2", "String", "Phone 2"),
        "telephone3": Field("Telephone3", "String", "Phone 3"),
        "new_tier": Field("new_Tier", "Picklist", "Tier"),
        "new_accountno": Field("new_AccountNo", "String", "Account number"),
        "modifiedon": Field("ModifiedOn", "DateTime", "Modified On"),
        "statecode": Field("StateCode", "State", "Status"),
        "statuscode": Field("StatusCode", "Status", "Status Reason"),
    }


def _personal(module: str) -> dict[str, Field]:
    return {
        **_common(module),
        "fullname": Field("FullName", "String", "Full Name"),
        "lastname": Field("LastName", "String", "Last Name"),
        "mobilephone": Field("MobilePhone", "String", "Mobile Phone"),
        "new_vip": Field("new_VIP", "Boolean", "VIP"),
        "new_seats": Field("new_Seats", "Integer", "Seats"),
    }


MODULES: dict[str, dict[str, Field]] = {
    "contact": {
        **_personal("Contact"),
        "new_renewal": Field("new_Renewal", "DateTime", "Renewal"),
        "new_balance": Field("new_Balance", "Money", "Balance"),
        "parentcustomerid": Field("ParentCustomerId", "Customer", "Company Name"),
    },
    "lead": {**_personal("Lead"), "subject": Field("Subject", "String", "Topic")},
    "account": {**_common("Account"), "name": Field("Name", "String", "Account Name")},
    "phonecall": {
        "activityid": Field("ActivityId", "Uniqueidentifier", "Phone Call"),
        "statecode": Field("StateCode", "State", "Status"),
    },
}
SETS = {"contact": "contacts", "lead": "leads", "account": "accounts", "phonecall": "phonecalls"}
KINDS = {"contact": "contact", "lead": "lead", "account": "company"}


def id_of(key: int) -> str:
    return f"{key:08d}-0000-4000-8000-000000000001"


def key_of(id_: str) -> int:
    return int(id_[:8])


def inactive(person: Person) -> Person:
    """Alice's former record, with her number: whoever finds it has not asked for active ones."""
    return Person(
        801, person.kind, "Alice", "Inactive", phone=person.phone, tier="Bronze", account_no=person.account_no
    )


PEOPLE_AND_FORMER = (*PEOPLE, inactive(PEOPLE[1]))


def row_of(module: str, person: Person, company: Person | None) -> Row:
    """Every field by its logical name; a linked record as its id and name."""
    values: Row = {
        f"{module}id": id_of(person.key),
        "fullname": person.name,
        "lastname": person.last,
        "name": person.name,
        "subject": "Wants to buy",
        "telephone1": person.phone or None,
        "mobilephone": person.mobile or None,
        "new_tier": TIERS.get(person.tier or ""),
        "new_accountno": person.account_no or None,
        "new_vip": person.vip,
        "new_seats": person.seats,
        "new_renewal": person.renewal,
        "new_balance": 1250.5 if person.key == 1 else None,
        "new_interests": "1,3" if person.key == 1 else None,
        "parentcustomerid": (id_of(company.key), company.name, "account") if company else None,
        "modifiedon": person.changed,
        "statecode": 1 if person.key == 801 else 0,
        "statuscode": 2 if person.key == 801 else 1,
    }
    return {name: values.get(name) for name in (*MODULES[module], "new_interests")}
