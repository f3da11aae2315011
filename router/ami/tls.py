"""TLS to an Asterisk server: whom we believe, and what is wrong with a certificate, in plain words."""

import ssl

from router.ami.errors import CertificateRefused
from router.settings.model import AsteriskServer

SIGNER_UNKNOWN = frozenset({18, 19, 20, 21})
"""OpenSSL's codes for a chain that ends at nobody we know: self-signed, or its issuer is missing."""
NAME_DIFFERS = frozenset({62, 64})
EXPIRED = 10
SPEAKS_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"})


def tls_context(server: AsteriskServer) -> ssl.SSLContext | None:
    """None for a server without TLS. Raises CertificateRefused when the authority's file cannot be used."""
    if not server.tls:
        return None
    try:
        return ssl.create_default_context(cafile=server.tls_ca_file or None)
    except OSError as error:
        reason = getattr(error, "strerror", None) or str(error)
        mend = "Name in tls_ca_file the PEM file of the authority that signed Asterisk's certificate."
        raise CertificateRefused(f"{server.tls_ca_file} cannot be used: {reason}", mend) from error


def refused(error: ssl.SSLError, server: AsteriskServer) -> CertificateRefused | None:
    """What a failed handshake says of the settings; None when it says nothing of them."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _refused_certificate(error, server)
    if error.reason in SPEAKS_NO_TLS:
        mend = "Set port to that of tlsbindaddr in manager.conf, or tls = false."
        return CertificateRefused(f"port {server.port} does not speak TLS", mend)
    return None


def _refused_certificate(error: ssl.SSLCertVerificationError, server: AsteriskServer) -> CertificateRefused:
    code = error.verify_code
    if code in SIGNER_UNKNOWN:
        known = server.tls_ca_file or "this host's list of authorities"
        mend = "Set tls_ca_file to the PEM file of the authority that signed it."
        return CertificateRefused(f"the certificate's signer is not in {known}", mend)
    if code in NAME_DIFFERS:
        mend = "Set host to a name in its subjectAltName, or have one made that has this name there."
        return CertificateRefused(f"the certificate is not for {server.host}", mend)
    if code == EXPIRED:
        mend = "Renew it (tlscertfile in manager.conf), then `manager reload`."
        return CertificateRefused("the certificate has expired", mend)
    return CertificateRefused(error.verify_message or "the certificate is not valid")
