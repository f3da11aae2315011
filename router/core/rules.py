"""The rule, as a tenant's admin writes it.

A rule names one field of the caller's record, where to ask for it, lines that are walked from the top, and
a default. The first line that holds decides. These structs are the file format, the API's model and the
evaluator's input alike; `router.core.evaluate` says what each operator means.
"""

from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta, Struct

from router.core.destinations import DestinationKind, Target
from router.core.identities import IntegrationName, RuleName
from router.core.packable import WHOLE_LEAST, WHOLE_MOST, require_packable


class Location(StrEnum):
    """Where a rule may be used."""

    DID = "did"
    IVR = "ivr"


class Operator(StrEnum):
    EQUALS = "="
    DIFFERS = "!="
    LESS = "<"
    GREATER = ">"
    AT_MOST = "<="
    AT_LEAST = ">="
    IN_LIST = "in list"
    CONTAINS = "contains"
    STARTS_WITH = "starts with"
    ENDS_WITH = "ends with"
    IS_EMPTY = "is empty"
    IS_NOT_EMPTY = "is not empty"
    MATCHES = "matches"


OPERATORS_WITHOUT_VALUE = frozenset({Operator.IS_EMPTY, Operator.IS_NOT_EMPTY})
ORDERING_OPERATORS = frozenset({Operator.LESS, Operator.GREATER, Operator.AT_MOST, Operator.AT_LEAST})


class FieldType(StrEnum):
    """What a field holds. `auto` takes the type the CRM gave; a text stays a text."""

    AUTO = "auto"
    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    BOOLEAN = "boolean"


class CallFact(StrEnum):
    """What a condition may test of the call itself."""

    CALLER = "caller"
    COUNTRY = "country"
    CALLED = "called"
    DIGITS = "digits"
    WITHHELD = "withheld"
    HOUR = "hour"
    WEEKDAY = "weekday"


class Outcome(StrEnum):
    """How a look-up ended. Each may have a destination of its own; unset ones take the default."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    SEVERAL = "several"
    WITHHELD = "withheld"
    NO_DIGITS = "no_digits"
    CRM_ERROR = "crm_error"
    TIMEOUT = "timeout"
    OVERLOADED = "overloaded"
    NO_LOOKUP = "no_lookup"


class SeveralPolicy(StrEnum):
    """What to do when several records match."""

    AGREEING = "agreeing"
    MOST_RECENT = "most_recent"
    FIRST = "first"
    OUTCOME = "several"


WholeNumber = Annotated[int, Meta(ge=WHOLE_LEAST, le=WHOLE_MOST)]
type_of_value = str | WholeNumber | float | bool | list[str | WholeNumber | float | bool]
RuleValue = type_of_value | None
"""The right-hand side of a line, as a file or a form gives it; None where the operator takes none."""


class Condition(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One test, or a group of tests of which all or any must hold.

    With neither `field` nor `call` it tests the rule's own field.
    """

    operator: Operator | None = None
    value: RuleValue = None
    field: str | None = None
    call: CallFact | None = None
    type: FieldType | None = None
    """Overrides the rule's field type, or types a further field."""
    all: "tuple[Condition, ...]" = ()
    any: "tuple[Condition, ...]" = ()


class Line(Condition, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A condition and where the call goes when it holds."""

    destination: DestinationKind
    option: str = ""
    voicemail: bool = False
    then: Target | None = None
    queue_priority: Annotated[int, Meta(ge=0, le=1000)] | None = None

    @property
    def target(self) -> Target:
        return Target(self.destination, self.option, self.voicemail, self.then)


class Greeting(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The recording that asks a caller for digits, and how they are read."""

    sound: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_/-]{0,79}$")]
    min_digits: Annotated[int, Meta(ge=1, le=20)] = 1
    max_digits: Annotated[int, Meta(ge=1, le=20)] = 10
    digit_seconds: Annotated[int, Meta(ge=1, le=15)] = 4
    """How long to wait for the next digit."""
    tries: Annotated[int, Meta(ge=1, le=5)] = 3
    ends_with_last_digit: bool = False
    """True: the entry ends with digit number `max_digits`, and further ones are ignored.

    False: it ends with `#` or a pause, and an entry that is too long is asked for again."""
    without_digits: Annotated[str, Meta(pattern="^(no_digits|caller)$")] = "no_digits"
    """When nothing usable was keyed: the outcome `no_digits`, or look the caller's number up instead."""
    digits_field: str | None = None
    """The CRM field that must equal the digits exactly."""


class Credentials(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The user and password that a rule uses in place of its integration's."""

    username: str | None = None
    password: Any = None
    """A text, or a reference: `{ env = "NAME" }` or `{ file = "/path" }`."""

    def __post_init__(self) -> None:
        require_packable(self.password)


class Source(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a rule asks: an integration and its modules, or a custom URL of its own."""

    integration: IntegrationName | None = None
    modules: tuple[str, ...] = ()
    """Searched in this order; the first that answers ends the search."""
    credentials: Credentials | None = None
    custom: dict[str, Any] | None = None
    """The settings of the custom URL connector, for a rule with an address of its own."""

    def __post_init__(self) -> None:
        require_packable(self.custom)


class Rule(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    name: Annotated[RuleName, Meta(min_length=1, max_length=80)]
    field: str = ""
    """The CRM's own name of the field that the lines test."""
    type: FieldType = FieldType.AUTO
    location: Location = Location.DID
    greeting: Greeting | None = None
    source: Source | None = None
    default: Target
    lines: tuple[Line, ...] = ()
    outcomes: dict[Outcome, Target] = {}
    several: SeveralPolicy = SeveralPolicy.AGREEING
    lookup_seconds: Annotated[float, Meta(gt=0, le=15)] | None = None
    """How long the caller waits for the CRM; the operator's setting when not given."""
    note: str = ""
