"""Checks of what an integration writes into its CRM."""

from collections.abc import Iterator

from router.core.call_logs import LogOptions
from router.core.call_subjects import PLACEHOLDERS, has_stray_brace, unknown_placeholders
from router.core.checks.scope import Scope
from router.core.manifests import Manifest
from router.core.problems import Path, Problem, error, pick_one, warning
from router.core.tenants import Integration

CHOOSE_CALLS = 'Write calls = ["answered", "missed", "abandoned", "voicemail"], or fewer of them.'


def check_log(integration: Integration, path: Path, scope: Scope) -> Iterator[Problem]:
    options = integration.log
    if options == LogOptions():
        return
    yield from _check_subject(options.subject, (*path, "subject"))
    if not options.is_on:
        yield warning(path, f"`{integration.name}` names no calls, so none is written", CHOOSE_CALLS)
    manifest = scope.manifests.get(integration.connector) if scope.manifests is not None else None
    if manifest is not None:
        yield from _check_abilities(options, manifest, path)


def _check_subject(wording: str, path: Path) -> Iterator[Problem]:
    for name in unknown_placeholders(wording):
        what = f"the subject has no placeholder `{{{name[:60]}}}`"
        yield error(path, what, pick_one(name, PLACEHOLDERS))
    if has_stray_brace(wording):
        yield error(path, "a brace of the subject has no partner", "Braces stand around placeholders only.")


def _check_abilities(options: LogOptions, manifest: Manifest, path: Path) -> Iterator[Problem]:
    if options.is_on and "log_call" not in manifest.abilities:
        what = f"the connector `{manifest.slug}` writes no calls into its CRM"
        yield error((*path, "calls"), what, "Remove the log table.")
    if not options.create_unknown:
        return
    if "create" not in manifest.abilities:
        what = f"the connector `{manifest.slug}` makes no records"
        yield error((*path, "create_unknown"), what, "Remove create_unknown.")
    elif manifest.modules and options.create_unknown not in manifest.modules:
        what = f"the connector `{manifest.slug}` has no module `{options.create_unknown[:60]}`"
        yield error((*path, "create_unknown"), what, pick_one(options.create_unknown, manifest.modules))
