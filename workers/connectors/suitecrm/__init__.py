"""SuiteCRM 7.12 and newer, by its V8 API; SuiteCRM 8 serves the same API below `/legacy`.

Facts: exchanges recorded from SuiteCRM 7.12.14, which `tests/recorded/suitecrm` holds, and SuiteCRM's guide
to its V8 API.
"""

from workers.connectors.steps import Connector
from workers.connectors.suitecrm.api import MODULES, Settings, sign_in
from workers.connectors.suitecrm.describe import check, fields, modules
from workers.connectors.suitecrm.find import find
from workers.connectors.suitecrm.write import create, log_call

CONNECTOR = Connector(
    slug="suitecrm",
    settings=Settings,
    find=find,
    sign_in=sign_in,
    identity=("url", "grant", "client_id", "client_secret", "username", "password"),
    check=check,
    modules=modules,
    fields=fields,
    log_call=log_call,
    create=create,
    default_modules=MODULES,
)
