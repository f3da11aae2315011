"""What can go wrong with an Asterisk of the rig: it is not here, or it failed."""


class AsteriskMissing(Exception):
    """Neither a root made by `deploy/rig/get-asterisk` nor an Asterisk on the PATH."""


class AsteriskFailed(Exception):
    """Asterisk ended, or did not finish booting, or did not answer in time."""
