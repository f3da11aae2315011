"""Secrets of tenants in the records: sealed, and bound to the tenant and to what they are a secret of.

    client_secret = { sealed = "MXJz…" }

Whoever copies it to another tenant, integration or rule has nothing. The page and the API seal what is
entered there, and never show it again.
"""

import base64
import binascii

from router.core.identities import TenantId
from router.settings.errors import SecretMissing
from router.settings.vault import Unsealable, Vault

KEY = "sealed"


class Sealer:
    """Of one tenant's integration, or of a rule (`rule:Sales`)."""

    def __init__(self, vault: Vault, tenant: TenantId, owner: str) -> None:
        self._vault = vault
        self._place = f"setting|{tenant}|{owner}"

    def seal(self, text: str) -> dict[str, str]:
        """What stands in the settings in place of the secret."""
        sealed = self._vault.seal(text.encode(), self._place)
        return {KEY: base64.urlsafe_b64encode(sealed).decode()}

    def unseal(self, text: str) -> str:
        """Raises SecretMissing."""
        try:
            return self._vault.unseal(base64.urlsafe_b64decode(text), self._place).decode()
        except (Unsealable, binascii.Error, UnicodeDecodeError, ValueError) as error:
            told = str(error) if isinstance(error, Unsealable) else "it is nothing that was sealed here"
            raise SecretMissing(f"a sealed secret cannot be read: {told}") from None
