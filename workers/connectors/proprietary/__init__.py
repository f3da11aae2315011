"""A customer's own CRM, by crmroute's contract: docs/proprietary-crm.md tells it, and an OpenAPI file beside
it.

One request looks a caller up in all modules. The customer's side may match numbers loosely, as long as it
shows them: they are compared here.
"""

from workers.connectors.proprietary.api import Settings, with_credentials
from workers.connectors.proprietary.describe import check, fields, modules
from workers.connectors.proprietary.find import find
from workers.connectors.proprietary.write import create, log_call
from workers.connectors.steps import Connector

CONNECTOR = Connector(
    slug="proprietary",
    settings=Settings,
    find=find,
    with_credentials=with_credentials,
    check=check,
    modules=modules,
    fields=fields,
    log_call=log_call,
    create=create,
)
