"""What things are called on the pages. English here; each language's catalogue has the rest."""

from collections.abc import Mapping

from router.core.call_logs import CallEnd
from router.core.crm_states import CONDITION_WORDS, AskedFor, CrmCondition
from router.core.destinations import DestinationKind
from router.core.roles import Role
from router.core.rules import CallFact, FieldType, Location, Operator, Outcome, SeveralPolicy

DESTINATIONS: Mapping[DestinationKind, str] = {
    DestinationKind.QUEUE: "Queue",
    DestinationKind.IVR: "IVR",
    DestinationKind.VOICEMAIL: "Voicemail",
    DestinationKind.PLAYBACK: "Recording",
    DestinationKind.EXTENSION: "Extension",
    DestinationKind.RING_GROUP: "Ring group",
    DestinationKind.CONFERENCE: "Conference",
    DestinationKind.EXTERNAL: "Outside number",
    DestinationKind.HANGUP: "Hang up",
}
LOCATIONS: Mapping[Location, str] = {Location.DID: "DID", Location.IVR: "IVR"}
OPERATORS: Mapping[Operator, str] = {
    Operator.EQUALS: "is",
    Operator.DIFFERS: "is not",
    Operator.LESS: "is less than",
    Operator.GREATER: "is more than",
    Operator.AT_MOST: "is at most",
    Operator.AT_LEAST: "is at least",
    Operator.IN_LIST: "is one of",
    Operator.CONTAINS: "contains",
    Operator.STARTS_WITH: "starts with",
    Operator.ENDS_WITH: "ends with",
    Operator.IS_EMPTY: "is empty",
    Operator.IS_NOT_EMPTY: "is not empty",
    Operator.MATCHES: "matches the pattern",
}
FACTS: Mapping[CallFact, str] = {
    CallFact.CALLER: "The caller's number",
    CallFact.COUNTRY: "The caller's country",
    CallFact.CALLED: "The number dialled",
    CallFact.DIGITS: "The digits keyed",
    CallFact.WITHHELD: "Whether the number is withheld",
    CallFact.HOUR: "The hour",
    CallFact.WEEKDAY: "The day of the week",
}
TYPES: Mapping[FieldType, str] = {
    FieldType.AUTO: "As the CRM gives it",
    FieldType.TEXT: "Text",
    FieldType.NUMBER: "Number",
    FieldType.DATE: "Date",
    FieldType.BOOLEAN: "Yes or no",
}
CONDITIONS: Mapping[CrmCondition, str] = CONDITION_WORDS
ASKED: Mapping[AskedFor, str] = {
    AskedFor.TEST: "It passed its test {ago}.",
    AskedFor.SIGN_IN: "It took the sign-in {ago}.",
    AskedFor.TRIAL: "It answered somebody who tried a number {ago}.",
    AskedFor.LOOKUP: "It answered a call's look-up {ago}.",
}
FOUND = "The CRM knows the caller"
OUTCOMES: Mapping[Outcome, str] = {
    Outcome.NOT_FOUND: "The CRM does not know the caller",
    Outcome.SEVERAL: "Several records match",
    Outcome.WITHHELD: "The caller withholds the number",
    Outcome.NO_DIGITS: "No digits were keyed",
    Outcome.CRM_ERROR: "The CRM reports an error",
    Outcome.TIMEOUT: "The CRM takes too long",
    Outcome.OVERLOADED: "Too many questions are waiting",
}
NOT_ASKED = "The CRM was not asked"
EVERY_OUTCOME: Mapping[Outcome, str] = {Outcome.FOUND: FOUND, **OUTCOMES, Outcome.NO_LOOKUP: NOT_ASKED}
SEVERAL: Mapping[SeveralPolicy, str] = {
    SeveralPolicy.AGREEING: "Use what they agree on",
    SeveralPolicy.MOST_RECENT: "Take the one changed last",
    SeveralPolicy.FIRST: "Take the first",
    SeveralPolicy.OUTCOME: "Take none",
}
CALL_ENDS: Mapping[CallEnd, str] = {
    CallEnd.ANSWERED: "answered",
    CallEnd.MISSED: "missed",
    CallEnd.ABANDONED: "abandoned by the caller",
    CallEnd.VOICEMAIL: "ended at voicemail",
}
ROLES: Mapping[Role, str] = {
    Role.PROVIDER: "Provider",
    Role.ADMIN: "Administrator",
    Role.EDITOR: "Editor",
    Role.VIEWER: "Viewer",
}
ALL: tuple[str, ...] = (
    FOUND,
    NOT_ASKED,
    *(
        label
        for labels in (
            *(DESTINATIONS, LOCATIONS, OPERATORS, FACTS, TYPES, OUTCOMES, SEVERAL, CALL_ENDS, ROLES),
            *(CONDITIONS, ASKED),
        )
        for label in labels.values()
    ),
)
"""For the test that each of them is translated."""
