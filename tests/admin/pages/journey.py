"""What an admin does on the pages, for the tests in a browser and for the documentation's pictures."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

Say = Callable[..., str]

NAME, PASSWORD = "olga@example.com", "correct horse battery"


def set_up(page: Page, link: str, say: Say = str) -> None:
    """The first account, and a tenant `acme`. `say` gives what the pages' texts are in their language."""
    page.goto(link)
    page.get_by_label(say("Name")).fill(NAME)
    page.get_by_label(say("Password")).fill(PASSWORD)
    page.get_by_role("button", name=say("Make the account")).click()
    page.get_by_label(say("Short name")).fill("acme")
    page.get_by_label(say("Name"), exact=True).fill("Acme")
    page.get_by_label(say("Which one")).fill("reception")
    page.get_by_role("button", name=say("Make the tenant")).click()
    page.wait_for_url("**/t/acme/routing")


def sign_in(page: Page, name: str) -> None:
    page.goto("/sign-in")
    page.locator("#name").fill(name)
    page.locator("#password").fill(PASSWORD)
    page.locator("button.primary").click()
    page.wait_for_url("**/overview")


def write_rule(page: Page, name: str) -> None:
    """GOLD and SILVER to their queues, and all others to bronze."""
    page.goto("/t/acme/routing/new")
    page.get_by_label("Rule name").fill(name)
    page.get_by_label("CRM field name").first.fill("tier")
    page.get_by_label("CRM to use").select_option("custom")
    page.get_by_label("Address", exact=True).fill("https://crm.example.com/lookup")
    for number, tier in enumerate(("GOLD", "SILVER")):
        if number:
            page.get_by_role("button", name="Add a line").click()
            expect(page.locator(f'[id="lines.{number}.value"]')).to_be_focused()
        page.locator(f'[id="lines.{number}.value"]').fill(tier)
        page.locator(f'[id="lines.{number}.option"]').fill(tier.lower())
    page.locator('[id="default.option"]').fill("bronze")
