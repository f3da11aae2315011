"""Proprietary CRM I: a customer's middleware that was made for PBXware's custom CRM integration, or the
smaller Custom Source.

Facts: PBXware's documents on custom integrations and custom sources, the source of the vendor's reference
middleware, and a capture of its activation. A client is activated once, for good, by its owner. Here neither
test nor look-up calls what would do it, nor what would make the middleware forget fields.
"""

from workers.connectors.proprietary_i.api import Settings, sign_in
from workers.connectors.proprietary_i.describe import check, fields, modules
from workers.connectors.proprietary_i.find import find
from workers.connectors.proprietary_i.write import create, log_call
from workers.connectors.steps import Connector

CONNECTOR = Connector(
    slug="proprietary_i",
    settings=Settings,
    find=find,
    sign_in=sign_in,
    needs_grant=lambda settings: settings.kind == "integration",
    identity=("url", "client_id", "api_key", "integration_id", "user_id", "username", "password"),
    check=check,
    modules=modules,
    fields=fields,
    log_call=log_call,
    create=create,
)
