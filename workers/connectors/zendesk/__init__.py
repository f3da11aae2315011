"""Zendesk Support: users by their numbers, and the organisations they belong to.

Facts: Zendesk's Support API description, and its pages on search, OAuth, rate limits and callers' user ids.
"""

from workers.connectors.steps import Connector
from workers.connectors.zendesk.api import MODULES, Settings, client_of, sign_in
from workers.connectors.zendesk.describe import check, fields, modules
from workers.connectors.zendesk.find import find
from workers.connectors.zendesk.write import create, log_call

CONNECTOR = Connector(
    slug="zendesk",
    settings=Settings,
    find=find,
    sign_in=sign_in,
    needs_grant=lambda settings: settings.auth != "token",
    oauth=lambda settings: client_of(settings) if settings.auth == "person" else None,
    identity=("url", "auth", "client_id", "client_secret"),
    check=check,
    modules=modules,
    fields=fields,
    log_call=log_call,
    create=create,
    default_modules=MODULES[:1],
)
