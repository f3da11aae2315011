"""Every connector's rigs: each suite that is the same for all connectors runs over them."""

from tests.crms import (
    bullhorn,
    dynamics,
    hubspot,
    pipedrive,
    proprietary,
    proprietary_i,
    salesforce,
    sugarcrm,
    suitecrm,
    vtiger,
    zendesk,
    zoho,
)
from tests.crms.rig import CrmRig

ALL: tuple[CrmRig, ...] = (
    *bullhorn.RIGS,
    *dynamics.RIGS,
    *hubspot.RIGS,
    *pipedrive.RIGS,
    *proprietary.RIGS,
    *proprietary_i.RIGS,
    *salesforce.RIGS,
    *sugarcrm.RIGS,
    *suitecrm.RIGS,
    *vtiger.RIGS,
    *zendesk.RIGS,
    *zoho.RIGS,
)
