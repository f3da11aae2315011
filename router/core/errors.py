"""The core's errors.

CoreError
 +-- UnknownDestination   a target that no template reaches
 +-- ImpossibleEvent      an event that the state table does not list for a call's state
"""


class CoreError(Exception):
    """Anything the core refuses."""


class UnknownDestination(CoreError):
    """The target has no place in the dialplan; the call takes its default and the trace says why."""


class ImpossibleEvent(CoreError):
    """The state table has no row for this event: a mistake of ours, never of a caller."""
