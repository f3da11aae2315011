"""A signed request's header: openssl made the digest that is compared with."""

from workers.connectors.steps import Signature
from workers.secrets import Secret
from workers.signing import header_of

SIGNATURE = Signature("Crmroute-Signature", Secret("canary-secret"), "POST\n/crmroute/v1/lookup")
BODY = b'{"number":"+33639980001"}'


def test_the_header() -> None:
    assert header_of(SIGNATURE, BODY, 1_795_473_674.9) == (
        "Crmroute-Signature",
        "t=1795473674,v1=3a69c17b4d3138314ca72ba306a5a6709c09d26cb1716a6d1f19f29675ad749d",
    )


def test_whatever_changes_changes_the_digest() -> None:
    other = Signature("Crmroute-Signature", Secret("canary-secret"), "PUT\n/crmroute/v1/lookup")

    digests = {
        header_of(SIGNATURE, BODY, 1_795_473_674)[1],
        header_of(SIGNATURE, BODY, 1_795_473_675)[1],
        header_of(SIGNATURE, BODY + b" ", 1_795_473_674)[1],
        header_of(other, BODY, 1_795_473_674)[1],
    }
    assert len({text.partition("v1=")[2] for text in digests}) == 4


def test_the_secret_does_not_show() -> None:
    assert "canary" not in f"{SIGNATURE!r}"
