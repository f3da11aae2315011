"""The people whom every local CRM knows, written as messily as people write: one table for all of them.

The tenant is French. Numbers are of ranges kept for fiction, with their neighbours who must not be taken for
them: the same national number in another country, a longer number that holds it, a longer account number.
"""

from dataclasses import dataclass, field

from router.core.identities import E164

ALICE = E164("+33639980001")
BRUNO = E164("+33639980002")
CHLOE = E164("+33639980003")
DAVID = E164("+33639980004")
EMMA_AND_ENZO = E164("+33639980005")
JANE = E164("+12025550143")
LUC = E164("+33639980020")
GARAGE = E164("+33142345678")
NOBODY = E164("+33639980099")


@dataclass(frozen=True)
class Person:
    """A record. `kind` is contact, lead or company; `phone` and `mobile` are as somebody typed them."""

    key: int
    kind: str
    first: str
    last: str
    phone: str = ""
    mobile: str = ""
    tier: str | None = None
    """A picklist: Gold, Silver or Bronze."""
    vip: bool | None = None
    seats: int | None = None
    renewal: str | None = None
    """A day, such as 2026-12-01."""
    company: int | None = None
    """The key of the company that the contact belongs to."""
    account_no: str = ""
    """What a caller keys."""
    changed: str = "2026-05-01T09:00:00Z"

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}".strip()

    @property
    def numbers(self) -> tuple[str, ...]:
        return tuple(number for number in (self.phone, self.mobile) if number)


def _people() -> tuple[Person, ...]:
    return (
        Person(90, "company", "", "Garage Dupont & Fils", phone="01 42 34 56 78", tier="Gold", account_no="9000"),
        Person(
            1, "contact", "Alice", "Martin", phone="06 39 98 00 01", tier="Gold", vip=True, seats=12,
            renewal="2026-12-01", company=90, account_no="4711",
        ),
        Person(2, "contact", "Bruno", "Petit", mobile="+33 (0)6.39.98.00.02", tier="Silver", vip=False, seats=0,
               account_no="0815"),
        Person(3, "contact", "Chloé", "O'Brien \"Dé\" <b>", phone="0033639980003", tier="Bronze", account_no="47110"),
        Person(4, "contact", "David", "Leroy", phone="+33639980004", account_no="14711"),
        Person(51, "contact", "Emma", "Roux", phone="0639980005", tier="Gold", changed="2026-05-03T09:00:00Z"),
        Person(52, "contact", "Enzo", "Roux", mobile="06-39-98-00-05", tier="Bronze", changed="2026-05-02T09:00:00Z"),
        Person(6, "contact", "Jane", "Doe", phone="+1 (202) 555-0143 ext. 7", tier="Silver"),
        # Not Alice: the same national number in Spain, and a longer number that holds hers.
        Person(71, "contact", "Zoé", "Voisine", phone="+34639980001", tier="Bronze"),
        Person(72, "contact", "Yann", "Long", phone="+3306399800011", tier="Bronze"),
        Person(20, "lead", "Luc", "Prospect", phone="06 39 98 00 20", tier="Silver", account_no="2020"),
    )  # fmt: skip


PEOPLE: tuple[Person, ...] = _people()


@dataclass
class Logged:
    """A call as a local CRM keeps it, read back in one shape from all of them."""

    subject: str
    text: str
    person: int | None
    """The key of the person whom the activity hangs on."""
    seconds: int | None
    """As far as the CRM's unit tells."""
    direction: str = ""
    is_answered: bool | None = None
    started: str = ""
    """ISO 8601 in UTC, as far as the CRM keeps it."""
    extra: dict[str, object] = field(default_factory=dict)
