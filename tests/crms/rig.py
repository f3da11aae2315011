"""How a local CRM is used by the tests: which settings lead to it, and what its records are called there."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.crms.server import StrictCrm
from workers.connectors.steps import Grant

Given = dict[str, Any]


@dataclass(frozen=True)
class CrmRig:
    """One connector on its local server; a connector with several ways in has a rig for each."""

    name: str
    """In the tests' names: `salesforce`, `sugarcrm-v11`."""
    slug: str
    make: Callable[[], StrictCrm]
    settings: Callable[[Any], Given]
    """Settings that work, for a server that runs."""
    refused: Callable[[Any], Given]
    """The same with a wrong password, key or secret."""
    tier: str
    """The CRM's name of the field that holds Gold, Silver or Bronze; others likewise."""
    vip: str = ""
    seats: str = ""
    renewal: str = ""
    tier_value: Callable[[str], str] = lambda tier: tier
    """How the CRM writes a tier."""
    company: str = ""
    """A field of the contact that gives the company's name; empty where the CRM has none in reach."""
    account_no: str = ""
    contacts: str = "Contacts"
    leads: str = ""
    companies: str = ""
    unknown_field: str = "no_such_field_c"
    """A name that could be one."""
    refuses_unknown_field: bool = True
    """Off where the CRM leaves an unknown field out in silence: the trace then tells it."""
    values: dict[str, Any] = field(default_factory=dict)
    """Alice's values, as a look-up brings them: tier, vip, seats, renewal, company."""
    link: Callable[[Any], str] | None = None
    """The address of Alice's record on an agent's screen."""
    grant: Callable[[Any], Grant] | None = None
    """For a CRM in which a person signs in: what that brought, with a refresh token that the server knows."""
    signs_in: bool = True
    """Whether there is a token or session that can expire."""
    requests_known: int = 1
    """Requests of a cold look-up by number that finds somebody, the sign-in not counted."""
    requests_unknown: int = 1
    """And of one that finds nobody in one module."""
    logs_unknown_callers: bool = True
    """Off where a logged call must hang on a record."""
    knows_repeats: bool = True
    """Off where the CRM cannot tell whether a call was written already."""
    matches_loosely: bool = True
    """Whether the server brings neighbours too, so that the connector must compare by itself."""
    lacks: frozenset[str] = frozenset()
    """Abilities of the connector that this way in has not."""
