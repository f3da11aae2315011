"""Zoho CRM, by version 8 of its API: a search of all phone fields, and COQL for what the index has not met.

Facts: Zoho's OpenAPI description v8.0, and its pages on tokens, data centres, search, COQL and calls.
"""

from workers.connectors.steps import Connector
from workers.connectors.zoho.api import MODULES, Settings, client_of, sign_in
from workers.connectors.zoho.describe import check, fields, modules
from workers.connectors.zoho.find import find
from workers.connectors.zoho.write import create, log_call

CONNECTOR = Connector(
    slug="zoho",
    settings=Settings,
    find=find,
    sign_in=sign_in,
    oauth=lambda settings: None if settings.refresh_token else client_of(settings),
    identity=("data_centre", "client_id", "client_secret", "refresh_token", "accounts_url", "url"),
    check=check,
    modules=modules,
    fields=fields,
    log_call=log_call,
    create=create,
    default_modules=MODULES,
)
