"""The integration's form, made of its connector's manifest: an integration as fields, and back. Pure."""

from collections.abc import Mapping

import msgspec

from router.admin.pages.settings_form import TRUE, Fields, settings_fields, settings_of
from router.core.call_logs import DEFAULT_SUBJECT, CallEnd, LogOptions
from router.core.identities import IntegrationName
from router.core.manifests import Manifest
from router.core.problems import Path
from router.core.tenants import Integration

SETTINGS = "settings"


def fields_of(integration: Integration, manifest: Manifest) -> Fields:
    """Of an integration without its secrets (`router.admin.secrets`)."""
    fields = {"name": str(integration.name)}
    fields |= settings_fields(integration.settings, manifest, SETTINGS)
    fields |= {f"log.{end.value}": TRUE for end in integration.log.calls}
    fields["log.create_unknown"] = integration.log.create_unknown
    fields["log.subject"] = integration.log.subject
    return fields


def integration_of(
    fields: Mapping[str, str], connector: str, manifest: Manifest, former: Integration | None
) -> Integration:
    """What the fields make; secrets plain. Raises msgspec.ValidationError."""
    settings = settings_of(fields, manifest, SETTINGS, former.settings if former else {})
    log = LogOptions(
        calls=tuple(end for end in CallEnd if fields.get(f"log.{end.value}")),
        create_unknown=fields.get("log.create_unknown", "").strip(),
        subject=fields.get("log.subject", "").strip() or DEFAULT_SUBJECT,
    )
    data = msgspec.to_builtins(former) if former else {}
    data |= {"name": IntegrationName(fields.get("name", "").strip()), "connector": connector}
    return msgspec.convert(data | {"settings": settings, "log": msgspec.to_builtins(log)}, Integration)


def field_at(path: Path) -> str:
    """The form's field for a place within an integration: ("settings", "url")."""
    return ".".join(str(part) for part in path[:2]) or "name"
