"""Test calls: an operator places them on a server of theirs, to see that its promises hold. Pure.

They are told by their tenant, which is crmroute's own. A router knows both without any file or record: a call
of the one it sends to a place where it ends at once, a call of the other it leaves alone, which is to that
call as if no router ran. `deploy/asterisk/crmroute-prove.conf` is the only dialplan that makes such calls.
"""

from datetime import UTC

from router.core.destinations import Destination, DestinationKind, Target
from router.core.identities import TenantId
from router.core.plans import TenantPlan
from router.core.tenants import Tenant

TEST_TENANT = TenantId("crmroute-test")
PAUSED_TENANT = TenantId("crmroute-paused")
OWN_TENANTS = frozenset({TEST_TENANT, PAUSED_TENANT})

TEST_PLACE = Destination("route-prove", "landed")

_TEMPLATES = {DestinationKind.EXTENSION: f"{TEST_PLACE.context},{{option}},{TEST_PLACE.priority}"}


def plan_of_test_calls() -> TenantPlan:
    """Whatever their number, they go to `TEST_PLACE` at once, and no CRM is asked."""
    default = Target(DestinationKind.EXTENSION, TEST_PLACE.exten)
    return TenantPlan(Tenant(id=TEST_TENANT, country="FR", default=default), _TEMPLATES, UTC)
