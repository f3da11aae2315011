"""Names of things, as types of their own, so that a tenant is never passed where a channel is meant.

Ids are opaque: a `Uniqueid` is never taken apart (`systemname-epoch.sequence` is Asterisk's business).
"""

from typing import NewType

TenantId = NewType("TenantId", str)
"""A customer of the platform: `[a-z0-9][a-z0-9-]*`, at most 40 characters."""

ServerName = NewType("ServerName", str)
"""One Asterisk server, by the operator's name for it."""

RouterName = NewType("RouterName", str)
"""One router process; stable over its restarts."""

Uniqueid = NewType("Uniqueid", str)
"""Asterisk's id of one channel, unique over servers when each has a `systemname`."""

ChannelName = NewType("ChannelName", str)
"""A channel's name, such as `PJSIP/trunk-00000012`. Restarts from zero when Asterisk restarts."""

E164 = NewType("E164", str)
"""`+` and at most 15 digits. Anything else is a `str` until parsed."""

RuleName = NewType("RuleName", str)
IntegrationName = NewType("IntegrationName", str)
