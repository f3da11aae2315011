"""The sheet that shows a setting's field only while the setting counts: made of a connector's manifest.

The browser itself holds the conditions against what is chosen, so that a field comes and goes in place,
without a script, and what was typed into it stays. A browser that cannot (`:has`) shows all fields.
"""

from collections.abc import Iterator
from typing import Any

from litestar import Controller, Response, get

from router.admin.handed import TextInPath, TheSite
from router.admin.pages.integration_form import SETTINGS
from router.admin.pages.rule_form import CUSTOM
from router.core.checks.sources import CUSTOM_CONNECTOR
from router.core.manifest_conditions import conditions_of
from router.core.manifests import Manifest
from router.records.errors import NotFound


class SettingSheets(Controller):
    path = "/sheets"
    include_in_schema = False

    @get("/{connector:str}/fields.css")
    async def sheet(self, site: TheSite, connector: TextInPath) -> Response[Any]:
        """Nothing of a tenant is in it, so it is there for everybody."""
        if connector not in site.manifests:
            raise NotFound(f"connector {connector}")
        return Response(sheet_of(site.manifests[connector]), media_type="text/css")


def sheet_of(manifest: Manifest) -> str:
    rules = "".join(_rules(manifest, "#integration", SETTINGS))
    if manifest.slug == CUSTOM_CONNECTOR:
        rules += "".join(_rules(manifest, "#rule", CUSTOM))
    return f"@supports selector(:has(*)) {{\n{rules}}}\n"


def _rules(manifest: Manifest, form: str, prefix: str) -> Iterator[str]:
    """One for each condition that hides a setting's field while it does not hold."""
    for setting in manifest.settings:
        for name, values in conditions_of(manifest, setting):
            chosen = ", ".join(
                f'[name="{prefix}.{name}"] option[value="{value}"]:checked' for value in values
            )
            yield f'{form}:not(:has({chosen})) [data-setting="{setting.name}"] {{ display: none; }}\n'
