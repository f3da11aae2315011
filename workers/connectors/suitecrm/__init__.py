"""SuiteCRM: its V8 API, which came with 7.12, or the REST service v4_1 of every version.

SuiteCRM 8 serves both below a path of its own. V8 has the better sign-in; labels and the options of lists
only v4_1 tells.

Facts: exchanges recorded from SuiteCRM 7.12.14, which `tests/recorded/suitecrm` holds, and SuiteCRM's guide
to its V8 API.
"""

from workers.connectors.steps import Connector
from workers.connectors.sugar_rest import describe as old_describe
from workers.connectors.sugar_rest import find as old_find
from workers.connectors.sugar_rest import write as old_write
from workers.connectors.sugar_rest.beans import MODULES, by_api
from workers.connectors.suitecrm import describe, find, write
from workers.connectors.suitecrm.api import Settings, sign_in

CONNECTOR = Connector(
    slug="suitecrm",
    settings=Settings,
    find=by_api(v8=find.find, v4_1=old_find.find),
    sign_in=sign_in,
    identity=("url", "path", "api", "grant", "client_id", "client_secret", "username", "password"),
    check=by_api(v8=describe.check, v4_1=old_describe.check),
    modules=by_api(v8=describe.modules, v4_1=old_describe.modules),
    fields=by_api(v8=describe.fields, v4_1=old_describe.fields),
    log_call=by_api(v8=write.log_call, v4_1=old_write.log_call),
    create=by_api(v8=write.create, v4_1=old_write.create),
    default_modules=MODULES,
)
