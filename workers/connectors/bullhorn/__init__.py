"""Bullhorn, by its REST API: four steps of sign-in, then one search an entity.

Facts: Bullhorn's REST API reference, its guide to REST and OAuth, and its page on links to records.
"""

from workers.connectors.bullhorn.api import MODULES, Settings, sign_in
from workers.connectors.bullhorn.describe import check, fields, modules
from workers.connectors.bullhorn.find import find
from workers.connectors.bullhorn.write import create, log_call
from workers.connectors.steps import Connector

CONNECTOR = Connector(
    slug="bullhorn",
    settings=Settings,
    find=find,
    sign_in=sign_in,
    identity=("url", "username", "password", "client_id", "client_secret"),
    check=check,
    modules=modules,
    fields=fields,
    log_call=log_call,
    create=create,
    default_modules=MODULES,
)
