"""What the errors of httpx and aiohttp mean: the only place where they become `workers.errors`.

Each error names the step of a connection test at which it shows. After `Fault.DNS` and `Fault.ADDRESS`, when
trying again may help, nothing had been sent yet: there was no connection.
"""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import aiohttp
import httpx

from router.core.faults import Fault
from workers.errors import LookupFailed, LookupRefused, LookupUnavailable
from workers.guard import forbidden


@contextmanager
def translated_errors(attempts: Sequence[str] = ()) -> Iterator[None]:
    """Raises what went wrong within as a LookupFailed.

    `attempts` is what the guard noted: where it let nothing pass, that is what went wrong, whatever aiohttp
    makes of it.
    """
    try:
        yield
    except FOREIGN_ERRORS as error:
        if attempts and all(attempts):
            raise forbidden(attempts[0]) from error
        raise translated(error) from error


def translated(error: BaseException) -> LookupFailed:
    """What an error below means, by the aiohttp error where httpx only passes it on."""
    if isinstance(error, httpx.TransportError) and isinstance(error.__cause__, aiohttp.ClientError | OSError):
        error = error.__cause__
    for kind in type(error).__mro__:
        if kind in TRANSLATIONS:
            made, problem, fault = TRANSLATIONS[kind]
            return made(problem + _reason(error), fault=fault)
    return LookupUnavailable(_FAILED)


def _reason(error: BaseException) -> str:
    reason = REASONS.get(error.errno or 0) if isinstance(error, OSError) else None
    return f" ({reason})" if reason else ""


REASONS = {
    errno.ECONNREFUSED: "nothing listens at that host and port",
    errno.EHOSTUNREACH: "there is no way to that host",
    errno.ENETUNREACH: "there is no way to that network",
    errno.ETIMEDOUT: "that host does not react",
}
_ADDRESS = "the address cannot be used: it is not a valid URL"
_BROKE_OFF = "the CRM closed the connection before it had answered"
_FAILED = "the connection to the CRM failed"
_NOT_SENDABLE = "the address or a header holds signs that cannot be sent"
_CERTIFICATE = "the CRM's certificate is not valid for this address, or not from a known authority"
Translation = tuple[type[LookupRefused] | type[LookupUnavailable], str, Fault]
TRANSLATIONS: dict[type[BaseException], Translation] = {
    aiohttp.ClientConnectorCertificateError: (LookupRefused, _CERTIFICATE, Fault.TLS),
    aiohttp.ClientSSLError: (
        LookupRefused,
        "no encrypted connection to the CRM could be made (TLS)",
        Fault.TLS,
    ),
    aiohttp.ServerFingerprintMismatch: (
        LookupRefused,
        "the CRM's certificate is not the expected one",
        Fault.TLS,
    ),
    aiohttp.ClientConnectorDNSError: (
        LookupUnavailable,
        "the CRM's name could not be found in DNS",
        Fault.DNS,
    ),
    aiohttp.ClientConnectorError: (
        LookupUnavailable,
        "the CRM could not be reached: no connection",
        Fault.ADDRESS,
    ),
    aiohttp.ServerTimeoutError: (LookupUnavailable, "the CRM did not answer in time", Fault.TIMEOUT),
    aiohttp.ServerDisconnectedError: (LookupUnavailable, _BROKE_OFF, Fault.DOWN),
    aiohttp.ClientConnectionError: (LookupUnavailable, _BROKE_OFF, Fault.DOWN),
    aiohttp.ClientPayloadError: (LookupUnavailable, "the CRM's answer broke off", Fault.DOWN),
    aiohttp.ClientResponseError: (
        LookupRefused,
        "what answers at the address does not speak HTTP",
        Fault.ADDRESS,
    ),
    aiohttp.InvalidURL: (LookupRefused, _ADDRESS, Fault.ADDRESS),
    aiohttp.NonHttpUrlClientError: (LookupRefused, _ADDRESS, Fault.ADDRESS),
    aiohttp.ClientError: (LookupUnavailable, _FAILED, Fault.DOWN),
    httpx.InvalidURL: (LookupRefused, _ADDRESS, Fault.ADDRESS),
    httpx.UnsupportedProtocol: (LookupRefused, _ADDRESS, Fault.ADDRESS),
    httpx.TransportError: (LookupUnavailable, _FAILED, Fault.DOWN),
    httpx.HTTPError: (LookupUnavailable, _FAILED, Fault.DOWN),
    httpx.StreamError: (LookupUnavailable, "the CRM's answer broke off", Fault.DOWN),
    httpx.CookieConflict: (LookupRefused, "the CRM's cookies contradict each other", Fault.ANSWER),
    OSError: (LookupUnavailable, _FAILED, Fault.DOWN),
    # What cannot be put on the wire: httpx and aiohttp refuse such addresses and headers so.
    UnicodeError: (LookupRefused, _NOT_SENDABLE, Fault.SETTINGS),
    ValueError: (LookupRefused, _NOT_SENDABLE, Fault.SETTINGS),
}
FOREIGN_ERRORS: tuple[type[BaseException], ...] = tuple(kind for kind in TRANSLATIONS)
