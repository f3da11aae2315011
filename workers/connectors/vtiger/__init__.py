"""Vtiger: the open source edition by webservice.php, and Vtiger Cloud by its REST API; both speak VTQL.

Facts: exchanges recorded from Vtiger 8.2.0, which `tests/recorded/vtiger` holds; Vtiger's REST manual for
Cloud.
"""

from workers.connectors.steps import Connector
from workers.connectors.vtiger.api import MODULES, Settings, sign_in
from workers.connectors.vtiger.describe import check, fields, modules
from workers.connectors.vtiger.find import find
from workers.connectors.vtiger.write import create, log_call

CONNECTOR = Connector(
    slug="vtiger",
    settings=Settings,
    find=find,
    sign_in=sign_in,
    needs_grant=lambda settings: settings.edition == "open_source",
    identity=("url", "edition", "username", "access_key"),
    check=check,
    modules=modules,
    fields=fields,
    log_call=log_call,
    create=create,
    default_modules=MODULES,
)
