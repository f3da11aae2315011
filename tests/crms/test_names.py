"""Names of modules and fields: what a tenant writes reaches a query or a path only when it can be a name."""

import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.core.faults import Fault
from workers.connectors import names
from workers.connectors.hubspot.api import MODULE as HUBSPOT_MODULE
from workers.connectors.hubspot.api import PROPERTY as HUBSPOT_PROPERTY
from workers.connectors.proprietary.api import NAME as OWN_NAME
from workers.errors import LookupRefused

PATTERNS = {
    "word": names.WORD,
    "dotted": names.DOTTED,
    "hubspot-module": HUBSPOT_MODULE,
    "hubspot-property": HUBSPOT_PROPERTY,
    "own": OWN_NAME,
}
SAFE = set(string.ascii_letters + string.digits + "_.-")
NAMES = st.text(
    alphabet=st.one_of(st.characters(), st.sampled_from(string.ascii_letters + "_.' \n\0;")), max_size=90
)


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
@given(name=NAMES)
@example(name="Contact\n")
@example(name="Tier__c,Id FROM Account")
@example(name="\u0130d")
@example(name="../users")
def test_a_name_is_a_plain_word_or_refused_and_named(pattern: re.Pattern[str], name: str) -> None:
    is_a_name = set(name) <= SAFE and pattern.fullmatch(name) is not None
    for check, fault in ((names.field_name, Fault.FIELD), (names.module_name, Fault.MODULE)):
        if is_a_name:
            assert check(name, pattern) == name
            continue
        with pytest.raises(LookupRefused) as refused:
            check(name, pattern)
        assert refused.value.fault is fault
        assert refused.value.problem.isprintable()
