"""Taking an address apart that a tenant or a CRM wrote: it may be none, and Python then raises ValueError."""

from urllib.parse import SplitResult, urljoin, urlsplit

from router.core.faults import Fault
from workers.errors import LookupRefused

NOT_AN_ADDRESS = "the address cannot be used: it is not a valid URL"


def parts_of(address: str) -> SplitResult:
    """Raises LookupRefused."""
    try:
        return urlsplit(address)
    except ValueError as error:
        raise LookupRefused(NOT_AN_ADDRESS, fault=Fault.ADDRESS) from error


def joined(base: str, reference: str) -> str:
    """Where a reference on the page `base` leads. Raises LookupRefused."""
    try:
        return urljoin(base, reference)
    except ValueError as error:
        raise LookupRefused(NOT_AN_ADDRESS, fault=Fault.ADDRESS) from error
