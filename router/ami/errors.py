"""The AMI edge's errors. None passes the seam: `router.ami.link` turns them into answers and news.

AmiError
 +-- LinkFailed         the connection cannot be had, or is of no use any more: a new one may be
 |    +-- LinkLost          it ended, or we ended it
 |    +-- AnswerMissing     Asterisk did not answer an action in time; it may still carry the action out
 +-- ServerRefused      a person must mend something; trying again soon does not help
 |    +-- LoginRefused      the account, its secret or its address is not accepted
 |    +-- CertificateRefused   TLS: the certificate, its authority or the port is not the right one
 |    +-- ServerTooOld      an Asterisk that loses calls by known faults
 |    +-- NotAsterisk       what answers there does not speak AMI
 +-- UnsafeAction       a name or value cannot be sent to Asterisk; nothing was sent
"""


class AmiError(Exception):
    """Anything that goes wrong between Asterisk and us."""


class LinkFailed(AmiError):
    """Try again, with a new connection."""


class LinkLost(LinkFailed):
    """The connection ended while something waited for it, or had ended before."""


class AnswerMissing(LinkFailed):
    """Whether Asterisk has done what was asked is not known."""


class ServerRefused(AmiError):
    """Try again, but seldom: each attempt stands in Asterisk's security log."""


class LoginRefused(ServerRefused):
    pass


class CertificateRefused(ServerRefused):
    """TLS cannot begin; `mend` says what puts it right."""

    def __init__(self, what: str, mend: str = "") -> None:
        super().__init__(f"{what} ({mend})" if mend else what)
        self.what = what
        self.mend = mend


class ServerTooOld(ServerRefused):
    pass


class NotAsterisk(ServerRefused):
    pass


class UnsafeAction(AmiError):
    """The message names the header, never the value: it may be a caller's or a secret."""
