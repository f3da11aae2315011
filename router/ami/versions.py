"""Which Asterisk may be trusted with calls. Pure.

Below 20 nothing is served: those releases are out of support, and an accepted Redirect could be lost in them
for good. Between 20 and the first sound releases calls are served with a warning, for such a server loses few
of them, and serving none would send every call to its default.
"""

import re

from msgspec import Struct

SOUND = {20: (20, 20, 1), 22: (22, 10, 1)}
OLDEST_SERVED = 20
_NEWER_ADVICE = "use 20.20.1 or newer of 20, or 22.10.1 or newer"
_RELEASE = re.compile(r"(?:certified[/-])?([0-9]{1,3})\.([0-9]{1,4})(?:\.([0-9]{1,4}))?")


class Verdict(Struct, frozen=True):
    is_served: bool
    warning: str = ""
    """What the operator should know, or why the server is not served."""


def judge(version: str) -> Verdict:
    """Judge CoreSettings' version: `22.10.1~dfsg+~cs6.16.60671435-1`, `certified/20.7-cert3`, `GIT-22-a1`."""
    found = _RELEASE.match(version)
    if found is None:
        shown = version[:60] or "unknown"
        return Verdict(True, f"Asterisk's version is {shown}, which cannot be compared: {_NEWER_ADVICE}")
    release = (int(found[1]), int(found[2]), int(found[3] or 0))
    if release[0] < OLDEST_SERVED:
        return Verdict(False, f"Asterisk {version[:60]} is too old: {_NEWER_ADVICE}")
    if release[0] == 21:
        return Verdict(True, f"Asterisk 21 loses Redirects and will not be mended: {_NEWER_ADVICE}")
    if release < SOUND.get(release[0], (0, 0, 0)):
        return Verdict(
            True, f"Asterisk {version[:60]} can lose a Redirect or hang at hangup: {_NEWER_ADVICE}"
        )
    return Verdict(True)
