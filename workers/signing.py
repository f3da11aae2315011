"""A signed request: proof, in a header of its own, that it is ours, unchanged, and of this moment.

The signed text is the moment (whole seconds since 1970), what the connector names (such as the method and the
path) and the body, byte by byte as it is sent, with a line feed between them. Its HMAC-SHA-256 (RFC 2104) in
hexadecimal digits stands in the header beside the moment, so that whoever knows the secret computes it again,
and refuses a request that is old.
"""

import hmac

from workers.connectors.steps import Signature


def header_of(signature: Signature, body: bytes, now: float) -> tuple[str, str]:
    """The header's name and value, such as `t=1795473674,v1=5257a8…`. `now` is seconds since 1970."""
    moment = str(int(now))
    signed = b"\n".join((moment.encode(), signature.what.encode(), body))
    digest = hmac.new(signature.secret.reveal().encode(), signed, "sha256").hexdigest()
    return signature.header, f"t={moment},v1={digest}"
