"""Salesforce, by its REST API: SOSL for numbers, SOQL for digits and for what the index has not met.

Facts: Salesforce's REST API guide, its SOQL and SOSL reference, and its OAuth flows.
"""

from workers.connectors.salesforce.api import MODULES, Settings, client_of, sign_in
from workers.connectors.salesforce.describe import check, fields, modules
from workers.connectors.salesforce.find import find
from workers.connectors.salesforce.write import create, log_call
from workers.connectors.steps import Connector

CONNECTOR = Connector(
    slug="salesforce",
    settings=Settings,
    find=find,
    sign_in=sign_in,
    oauth=lambda settings: client_of(settings) if settings.sign_in == "person" else None,
    identity=("url", "client_id", "client_secret", "sign_in"),
    check=check,
    modules=modules,
    fields=fields,
    log_call=log_call,
    create=create,
    default_modules=MODULES,
)
