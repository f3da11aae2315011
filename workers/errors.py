"""What can go wrong between a worker and a CRM.

    Exception
     ├─ LookupFailed                asking the CRM brings nothing; `problem` says why in an admin's words
     │   ├─ LookupUnavailable       trying again may help
     │   │   └─ AttemptTimedOut     one attempt brought no answer in its time
     │   ├─ LookupRefused           trying again brings the same
     │   │   └─ SignInNeeded        until a person has signed in again
     │   └─ GrantExpired            with a new token or session it may work
     ├─ IntegrationUnusable         somebody must mend the configuration: never retried
     └─ RecordAwaited               another call of the caller makes the record at this moment

A `problem` never holds a secret, an address' query, or a line break. Errors of httpx and aiohttp end in
`workers.http_errors`, which translates each of them.
"""

from router.core.faults import Fault


class LookupFailed(Exception):
    """`problem` continues the sentence "The look-up failed: …".

    `said` is the CRM's own text, raw: it is cut and shown only after the request's secrets were taken out.
    """

    def __init__(self, problem: str, said: str = "", *, fault: Fault = Fault.ANSWER) -> None:
        super().__init__(problem)
        self.problem = problem
        self.said = said
        self.fault = fault


class LookupUnavailable(LookupFailed):
    """`retry_after_seconds` is what the CRM itself asked for, if it did."""

    def __init__(
        self,
        problem: str,
        retry_after_seconds: float | None = None,
        *,
        said: str = "",
        fault: Fault = Fault.DOWN,
    ) -> None:
        super().__init__(problem, said, fault=fault)
        self.retry_after_seconds = retry_after_seconds
        self.status: int | None = None
        """The HTTP status that said so, if one did."""


class AttemptTimedOut(LookupUnavailable):
    """The CRM may be slow, or a connection dead without saying so; only another attempt can tell."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem, fault=Fault.TIMEOUT)


class LookupRefused(LookupFailed):
    """Such as a refused password, or an answer that cannot be read."""


class SignInNeeded(LookupRefused):
    """The token that a person's sign-in brought is dead, or there never was one."""

    def __init__(self, problem: str, said: str = "") -> None:
        super().__init__(problem, said, fault=Fault.SIGN_IN)


class GrantExpired(LookupFailed):
    """The CRM no longer takes the token or session: whoever asks signs in anew, once, and begins again."""

    def __init__(self, problem: str = "the CRM no longer takes the token", said: str = "") -> None:
        super().__init__(problem, said, fault=Fault.CREDENTIALS)


class RecordAwaited(Exception):
    """Look for the record again after `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.problem = "another call of this caller makes the record"
        super().__init__(self.problem)
        self.seconds = seconds


class IntegrationUnusable(Exception):
    """`problem` says what is missing or wrong in the integration's settings."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
