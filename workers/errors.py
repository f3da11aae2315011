"""What can go wrong between a worker and a CRM.

    Exception
     ├─ LookupFailed                the look-up brings no record; `problem` says why in an admin's words
     │   ├─ LookupUnavailable       trying again may help
     │   │   └─ AttemptTimedOut     one attempt brought no answer in its time
     │   └─ LookupRefused           trying again brings the same
     └─ IntegrationUnusable         somebody must mend the configuration: never retried

A `problem` never holds a secret, an address' query, or a line break. Errors of httpx and aiohttp end in
`workers.http`, which translates each of them.
"""


class LookupFailed(Exception):
    """`problem` continues the sentence "The look-up failed: …".

    `said` is the CRM's own text, raw: it is cut and shown only after the request's secrets were taken out.
    """

    def __init__(self, problem: str, said: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.said = said


class LookupUnavailable(LookupFailed):
    """`retry_after_seconds` is what the CRM itself asked for, if it did."""

    def __init__(self, problem: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(problem)
        self.retry_after_seconds = retry_after_seconds


class AttemptTimedOut(LookupUnavailable):
    """The CRM may be slow, or a connection dead without saying so; only another attempt can tell."""


class LookupRefused(LookupFailed):
    """Such as a refused password, or an answer that cannot be read."""


class IntegrationUnusable(Exception):
    """`problem` says what is missing or wrong in the integration's settings."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
