"""HubSpot, by its dated CRM API: one search for each module, whose answers are compared here.

Facts: HubSpot's published API descriptions and its guides to CRM search, properties, calls, associations,
OAuth and account information.
"""

from workers.connectors.hubspot.api import MODULES, Settings, client_of, sign_in
from workers.connectors.hubspot.describe import check, fields, modules
from workers.connectors.hubspot.find import find
from workers.connectors.hubspot.write import create, log_call
from workers.connectors.steps import Connector

CONNECTOR = Connector(
    slug="hubspot",
    settings=Settings,
    find=find,
    sign_in=sign_in,
    oauth=lambda settings: client_of(settings) if settings.auth == "person" else None,
    identity=("auth", "token", "client_id", "client_secret", "scopes", "url"),
    check=check,
    modules=modules,
    fields=fields,
    log_call=log_call,
    create=create,
    default_modules=MODULES,
)
