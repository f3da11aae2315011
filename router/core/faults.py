"""What can be wrong between us and a CRM, by the step at which it shows, and what to change.

A connection test walks the steps in this order: the address' name (DNS), the encryption (TLS), the address
itself, the credentials, the rights, the module, the field. A fault names the step that failed; every step
before it has been passed. The faults at the end belong to no step: they come and go by themselves.
"""

from enum import StrEnum


class Fault(StrEnum):
    SETTINGS = "settings"
    """The integration's own settings cannot be used; nothing was sent."""
    FORBIDDEN = "forbidden"
    """The address leads into a network that this system must not ask."""
    DNS = "dns"
    TLS = "tls"
    ADDRESS = "address"
    """Nothing answers there, or something that is not this CRM."""
    CREDENTIALS = "credentials"
    SIGN_IN = "sign_in"
    """Only a person can sign in again."""
    RIGHTS = "rights"
    MODULE = "module"
    FIELD = "field"
    QUERY = "query"
    """The CRM does not take the question itself."""
    ANSWER = "answer"
    """What came back cannot be read."""
    THROTTLED = "throttled"
    DOWN = "down"
    TIMEOUT = "timeout"


class Step(StrEnum):
    """A step of a connection test."""

    SETTINGS = "settings"
    DNS = "dns"
    TLS = "tls"
    ADDRESS = "address"
    CREDENTIALS = "credentials"
    RIGHTS = "rights"
    MODULE = "module"
    FIELD = "field"
    SEARCH = "search"


STEP_OF: dict[Fault, Step] = {
    Fault.SETTINGS: Step.SETTINGS,
    Fault.FORBIDDEN: Step.ADDRESS,
    Fault.DNS: Step.DNS,
    Fault.TLS: Step.TLS,
    Fault.ADDRESS: Step.ADDRESS,
    Fault.CREDENTIALS: Step.CREDENTIALS,
    Fault.SIGN_IN: Step.CREDENTIALS,
    Fault.RIGHTS: Step.RIGHTS,
    Fault.MODULE: Step.MODULE,
    Fault.FIELD: Step.FIELD,
}
"""The faults that name a step by themselves; any other one belongs to the step at which it happened."""

MENDS: dict[Fault, str] = {
    Fault.SETTINGS: "Correct the integration's settings; `crmroute check` names the place.",
    Fault.FORBIDDEN: "Use the CRM's public address, or have its network allowed (worker.allowed_networks).",
    Fault.DNS: "Check the host name in the address for a slip of the pen.",
    Fault.TLS: "The CRM needs a valid certificate for this very host name; check the name.",
    Fault.ADDRESS: "Open the address in a browser, and enter the one that the CRM itself has there.",
    Fault.CREDENTIALS: "Enter the user, password, key or token again; the CRM may have locked the account.",
    Fault.SIGN_IN: "Sign in again: on the integration's page, or with `crmroute crm authorise`.",
    Fault.RIGHTS: "Give the user, or the token's scopes, the right to read this module in the CRM.",
    Fault.MODULE: "Choose one of the modules that `crmroute crm modules` lists.",
    Fault.FIELD: "Choose one of the names that `crmroute crm fields` lists; a label is no name.",
    Fault.QUERY: "Undo the last change of the modules and fields; the CRM's words may tell which.",
    Fault.ANSWER: "See that the address is the CRM's own and not that of a portal or a maintenance page.",
    Fault.THROTTLED: "Wait; then lower the number of requests per second, or ask for a higher quota.",
    Fault.DOWN: "See whether the CRM itself is up, and try again.",
    Fault.TIMEOUT: "See how long the CRM takes in a browser; a rule may wait longer (lookup_seconds).",
}
