"""The page on which a person agrees, as a strict CRM has it (RFC 6749, RFC 7636): it sends nobody to an
address that is not registered, and a code serves once, with its own address and verifier."""

import base64
import hashlib
import hmac
from html import escape
from secrets import token_urlsafe
from urllib.parse import urlencode

from aiohttp import web
from multidict import MultiDictProxy


class Consent:
    def __init__(self, client: str) -> None:
        self.client = client
        self.registered: set[str] = set()
        """Redirect addresses."""
        self.redeemed = 0
        self._codes: dict[str, tuple[str, str]] = {}

    async def page(self, request: web.Request) -> web.StreamResponse:
        asked = request.query
        is_known = asked.get("client_id") == self.client and asked.get("redirect_uri") in self.registered
        if not is_known or asked.get("response_type") != "code":
            return web.Response(status=400, text="redirect_uri_mismatch")
        if asked.get("code_challenge_method") != "S256" or len(asked.get("code_challenge", "")) != 43:
            return web.Response(status=400, text="a challenge is needed")
        code = f"code-{token_urlsafe(16)}"
        self._codes[code] = (asked["redirect_uri"], asked["code_challenge"])
        agreed = {"code": code, "state": asked["state"]}
        declined = {
            "error": "access_denied",
            "error_description": "end-user <b>denied</b> authorization",
            "state": asked["state"],
        }
        links = "".join(
            f'<p><a href="{escape(asked["redirect_uri"])}?{escape(urlencode(query))}">{told}</a></p>'
            for told, query in (("Allow", agreed), ("Deny", declined))
        )
        head = '<!doctype html><link rel="icon" href="data:,"><title>Consent</title>'
        return web.Response(text=head + links, content_type="text/html")

    def redeem(self, form: MultiDictProxy[str | bytes | bytearray | web.FileField]) -> bool:
        """Whether a code of the page's was shown with what belongs to it; it is spent either way."""
        redirect, challenge = self._codes.pop(str(form.get("code")), ("", ""))
        digest = hashlib.sha256(str(form.get("code_verifier")).encode()).digest()
        shown = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        is_good = bool(redirect) and form.get("redirect_uri") == redirect
        is_good = is_good and hmac.compare_digest(shown, challenge)
        self.redeemed += is_good
        return is_good
