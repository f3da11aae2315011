"""Dynamics' three ways to sign in, and who is signed in.

A server on the customer's premises knows Windows' own sign-in; one that faces the internet has an AD FS in
front, at which a person signs in once; Microsoft's cloud takes a client's own id and secret.

Windows' sign-in is made anew with each connection, and brings no token. It is tried here all the same, and
its success kept as a grant: so a password that is refused is not shown again with every caller, until the
domain locks the account.
"""

from workers.connectors import oauth
from workers.connectors.addresses import parts_of
from workers.connectors.dynamics import soap
from workers.connectors.dynamics.api import Crm, Settings, answer, get
from workers.connectors.records import text_at
from workers.connectors.steps import Account, Grant, OAuthClient, Steps
from workers.secrets import Secret

ENTRA = "https://login.microsoftonline.com"


def client_of(settings: Settings) -> OAuthClient:
    """AD FS of Windows 2012 knows public clients and codes only, and takes the CRM's root as `resource`."""
    parts = parts_of(settings.url)
    root, authority = f"{parts.scheme}://{parts.netloc}", settings.authority.rstrip("/")
    if settings.sign_in == "adfs":
        return OAuthClient(
            authorize_url=f"{authority}/adfs/oauth2/authorize",
            token_url=f"{authority}/adfs/oauth2/token",
            client_id=settings.client_id,
            client_secret=Secret(),
            authorize_extra=(("resource", f"{root}/"),),
            has_pkce=False,
        )
    return OAuthClient(
        authorize_url="",
        token_url=f"{authority or ENTRA}/{settings.directory}/oauth2/v2.0/token",
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        scope=f"{root}/.default",
    )


def sign_in(settings: Settings, former: Grant | None) -> Steps[Grant]:
    if settings.sign_in == "ntlm":
        yield from who(Account(settings))
        return Grant(token=Secret("windows"))
    client = client_of(settings)
    if settings.sign_in == "client":
        return (yield from oauth.client_credentials(client))
    return (yield from oauth.refresh(client, former))


def who(account: Crm) -> Steps[str]:
    """The user's id, which only proven credentials bring."""
    if account.settings.is_web:
        return text_at(answer((yield get(account, "who", "WhoAmI"))), "UserId")
    return soap.user_in(soap.answered((yield soap.execute(account, "who", "WhoAmI", space=soap.CRM))))
