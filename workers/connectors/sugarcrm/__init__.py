"""SugarCRM: the REST service v4_1 of Community Edition 6.5, and the REST API v11 of Sugar 7 and later.

Facts: exchanges recorded from SugarCRM CE 6.5.26, which `tests/recorded/sugarcrm` holds, for v4_1; SugarCRM's
developer guide for v11.
"""

from workers.connectors.steps import Connector
from workers.connectors.sugar_rest import describe as old_describe
from workers.connectors.sugar_rest import find as old_find
from workers.connectors.sugar_rest import write as old_write
from workers.connectors.sugar_rest.beans import MODULES, by_api
from workers.connectors.sugarcrm import describe, find, write
from workers.connectors.sugarcrm.api import Settings, sign_in

CONNECTOR = Connector(
    slug="sugarcrm",
    settings=Settings,
    find=by_api(v4_1=old_find.find, v11=find.find),
    sign_in=sign_in,
    identity=("url", "api", "username", "password", "client_id", "client_secret", "platform"),
    check=by_api(v4_1=old_describe.check, v11=describe.check),
    modules=by_api(v4_1=old_describe.modules, v11=describe.modules),
    fields=by_api(v4_1=old_describe.fields, v11=describe.fields),
    log_call=by_api(v4_1=old_write.log_call, v11=write.log_call),
    create=by_api(v4_1=old_write.create, v11=write.create),
    default_modules=MODULES,
)
