"""Debian's Chromium without a screen, and without what it does in the background."""

import shutil

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, expect

CHROMIUM = shutil.which("chromium")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no chromium here; deploy/rig/get-tools brings it"
)


expect.set_options(timeout=30_000)
"""Milliseconds: a busy machine shows what it should, later."""


def launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))


def close(context: BrowserContext) -> None:
    """Its pages leave first: one that follows a stream has kept a context from closing at all."""
    for page in context.pages:
        page.goto("about:blank")
    context.close()
