"""What all tests share: hypothesis judges what comes out, never how long it took."""

from hypothesis import settings

settings.register_profile("crmroute", deadline=None)
settings.load_profile("crmroute")
