"""Microsoft Dynamics: CRM 2015 by its OData 2 and SOAP services, or what came after it by the Web API.

Both APIs have the same records under names of their own, so most of the connector serves both: `records` has
the names and values, `soap` what CRM 2015's OData cannot do.

Facts: Microsoft's developer guides of Dynamics CRM 2015 and 2016, and of Dataverse.
"""

from workers.connectors.dynamics.api import Settings
from workers.connectors.dynamics.describe import check, fields, modules
from workers.connectors.dynamics.find import find
from workers.connectors.dynamics.records import MODULES
from workers.connectors.dynamics.sign_in import client_of, sign_in
from workers.connectors.dynamics.write import create, log_call
from workers.connectors.steps import Connector

PERSON = ("username", "password")
CONNECTOR = Connector(
    slug="dynamics",
    settings=Settings,
    find=find,
    sign_in=sign_in,
    oauth=lambda settings: client_of(settings) if settings.sign_in == "adfs" else None,
    identity=(
        "url",
        "sign_in",
        "directory",
        "client_id",
        "client_secret",
        "authority",
        "username",
        "password",
    ),
    check=check,
    modules=modules,
    fields=fields,
    log_call=log_call,
    create=create,
    default_modules=MODULES,
)
