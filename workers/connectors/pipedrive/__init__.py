"""Pipedrive, by version 2 of its API: a loose search for numbers, and the persons that it brings.

Facts: Pipedrive's published API descriptions (versions 1 and 2), its migration guide, and its pages on OAuth,
status codes and rate limits.
"""

from workers.connectors.pipedrive.api import MODULES, Settings, client_of, sign_in
from workers.connectors.pipedrive.describe import check, fields, modules
from workers.connectors.pipedrive.find import find
from workers.connectors.pipedrive.write import create, log_call
from workers.connectors.steps import Connector

CONNECTOR = Connector(
    slug="pipedrive",
    settings=Settings,
    find=find,
    sign_in=sign_in,
    oauth=lambda settings: client_of(settings) if settings.auth == "person" else None,
    identity=("auth", "token", "client_id", "client_secret", "url", "sign_in_url"),
    check=check,
    modules=modules,
    fields=fields,
    log_call=log_call,
    create=create,
    default_modules=MODULES[:1],
)
