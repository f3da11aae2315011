"""`redis.url`, as operators write it well and badly."""

import pytest

from router.store.addresses import Address, Host, Login, Scheme, parse_address
from router.store.errors import StoreMisconfigured


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://h:7000/2", Address(scheme=Scheme.SERVER, hosts=(Host("h", 7000),), db=2)),
        ("redis://h", Address(scheme=Scheme.SERVER, hosts=(Host("h", 6379),))),
        ("redis://[::1]:7000", Address(scheme=Scheme.SERVER, hosts=(Host("::1", 7000),))),
        (
            "rediss://me:p%40ss@h:1/0?ssl_ca_certs=ca.pem",
            Address(
                scheme=Scheme.SERVER,
                hosts=(Host("h", 1),),
                login=Login("me", "p@ss"),
                tls=True,
                tls_options={"ssl_ca_certs": "ca.pem"},
            ),
        ),
        ("unix:///run/r.sock?db=3", Address(scheme=Scheme.SOCKET, path="/run/r.sock", db=3)),
        (
            "unix://:pw@/run/r.sock",
            Address(scheme=Scheme.SOCKET, path="/run/r.sock", login=Login(None, "pw")),
        ),
        (
            "redis+sentinel://:pw@a:1,b/main?db=1&sentinel_password=sp",
            Address(
                scheme=Scheme.SENTINEL,
                hosts=(Host("a", 1), Host("b", 26379)),
                service="main",
                db=1,
                login=Login(None, "pw"),
                sentinel_login=Login(None, "sp"),
            ),
        ),
        (
            "rediss+cluster://a:1,b:2",
            Address(scheme=Scheme.CLUSTER, hosts=(Host("a", 1), Host("b", 2)), tls=True),
        ),
    ],
)
def test_address_is_understood(url: str, address: Address) -> None:
    assert parse_address(url) == address


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("", "begin with"),
        ("localhost:6379", "begin with"),
        ("http://h", "begin with"),
        ("redis://", "host is missing"),
        ("redis://h:port", "must be a number"),
        ("redis://h:99999", "must be a number"),
        ("redis://h/zero", "database 'zero'"),
        ("redis://a,b", "redis\\+sentinel"),
        ("redis://h?timeout=3", "'timeout' is not known"),
        ("redis://h?ssl_ca_certs=x", "'ssl_ca_certs' is not known"),
        ("unix://run/r.sock", "three slashes"),
        ("redis+sentinel://h:1", "name the master"),
        ("redis+cluster://h:1/1", "no databases"),
    ],
)
def test_wrong_address_names_the_setting_and_the_fix(url: str, text: str) -> None:
    with pytest.raises(StoreMisconfigured, match=text) as caught:
        parse_address(url)

    assert str(caught.value).startswith("redis.url")


@pytest.mark.parametrize(
    "url", ["redis://u:hidden@h:port", "htp://u:hidden@h", "redis://u:hidden@h/x", "redis://u:hidden@a,b"]
)
def test_password_is_never_shown(url: str) -> None:
    with pytest.raises(StoreMisconfigured) as caught:
        parse_address(url)

    assert "hidden" not in str(caught.value)


def test_shown_address_leaves_the_login_out() -> None:
    address = parse_address("redis+sentinel://u:secret@a:1,b:2/main?sentinel_password=secret")

    assert address.shown == "redis+sentinel://a:1,b:2/main"
    assert "secret" not in repr(address)
