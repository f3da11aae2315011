"""Where Redis is: `redis.url` as an operator writes it, parsed once.

    redis://user:password@host:6379/0                       one server
    rediss://host:6379/0?ssl_ca_certs=/etc/ssl/ca.pem       the same by TLS
    unix:///run/redis/redis.sock?db=0                       a socket on this machine
    redis+sentinel://host1:26379,host2:26379/service?db=0   a master that Sentinel names
    redis+cluster://host1:6379,host2:6379                   a Cluster; any of its nodes

`rediss+sentinel` and `rediss+cluster` use TLS. Sentinels with a password of their own take it from
`?sentinel_username=…&sentinel_password=…`. Whatever is shown of an address leaves the credentials out.
"""

from enum import StrEnum
from urllib.parse import parse_qsl, unquote

from msgspec import Struct

from router.store.errors import StoreMisconfigured


class Scheme(StrEnum):
    SERVER = "redis"
    SOCKET = "unix"
    SENTINEL = "redis+sentinel"
    CLUSTER = "redis+cluster"


_TLS_SCHEMES = {
    "rediss": Scheme.SERVER,
    "rediss+sentinel": Scheme.SENTINEL,
    "rediss+cluster": Scheme.CLUSTER,
}
_TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname")
_OPTIONS = {
    Scheme.SERVER: ("db",),
    Scheme.SOCKET: ("db",),
    Scheme.SENTINEL: ("db", "sentinel_username", "sentinel_password"),
    Scheme.CLUSTER: (),
}
_PORTS = {Scheme.SENTINEL: 26379}


class Host(Struct, frozen=True):
    name: str
    port: int


class Login(Struct, frozen=True):
    username: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return "Login(hidden)"


class Address(Struct, frozen=True, kw_only=True):
    scheme: Scheme
    hosts: tuple[Host, ...] = ()
    """The server; or the Sentinels; or some nodes of the Cluster."""
    path: str = ""
    """The socket's file."""
    service: str = ""
    """The master's name in Sentinel."""
    db: int = 0
    login: Login = Login()
    sentinel_login: Login = Login()
    tls: bool = False
    tls_options: dict[str, str] = {}

    @property
    def shown(self) -> str:
        """For logs and errors: without credentials."""
        where = self.path or ",".join(f"{host.name}:{host.port}" for host in self.hosts)
        return f"{self.scheme}://{where}{'/' + self.service if self.service else ''}"


def parse_address(url: str) -> Address:
    """Raises `StoreMisconfigured`, which never shows the text itself: it may hold a password."""
    name, separator, rest = url.strip().partition("://")
    scheme = _TLS_SCHEMES.get(name) or (Scheme(name) if name in list(Scheme) else None)
    if not separator or scheme is None:
        known = ", ".join([*Scheme, *_TLS_SCHEMES])
        raise StoreMisconfigured(f"redis.url: it must begin with one of {known} and ://")
    place, _, query = rest.partition("?")
    userinfo, _, place = place.rpartition("@")
    netloc, slash, path = place.partition("/")
    is_tls = name in _TLS_SCHEMES
    options = _options(query, scheme, is_tls)
    return Address(
        scheme=scheme,
        hosts=() if scheme is Scheme.SOCKET else _hosts(netloc, scheme),
        path=_socket(netloc, slash + path) if scheme is Scheme.SOCKET else "",
        service=_service(path) if scheme is Scheme.SENTINEL else "",
        db=_db(scheme, path, options),
        login=_login(userinfo),
        sentinel_login=Login(options.get("sentinel_username"), options.get("sentinel_password")),
        tls=is_tls,
        tls_options={key: text for key, text in options.items() if key in _TLS_OPTIONS},
    )


def _options(query: str, scheme: Scheme, is_tls: bool) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    known = (*_OPTIONS[scheme], *(_TLS_OPTIONS if is_tls else ()))
    for key in options:
        if key not in known:
            takes = ", ".join(known) or "no options"
            raise StoreMisconfigured(f"redis.url: option {key!r} is not known here; {scheme} takes {takes}")
    return options


def _login(userinfo: str) -> Login:
    username, _, password = userinfo.partition(":")
    return Login(unquote(username) or None, unquote(password) or None)


def _hosts(netloc: str, scheme: Scheme) -> tuple[Host, ...]:
    if scheme is Scheme.SERVER and "," in netloc:
        raise StoreMisconfigured("redis.url: several hosts need redis+sentinel:// or redis+cluster://")
    return tuple(_host(text.strip(), _PORTS.get(scheme, 6379)) for text in netloc.split(","))


def _host(text: str, default_port: int) -> Host:
    if text.startswith("["):
        name, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    else:
        name, _, port = text.partition(":")
    if not name:
        raise StoreMisconfigured("redis.url: a host is missing; write host:port")
    if not port:
        return Host(name, default_port)
    if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65_535:
        raise StoreMisconfigured(f"redis.url: the port of host {name} must be a number from 1 to 65535")
    return Host(name, int(port))


def _socket(netloc: str, path: str) -> str:
    if netloc or len(path) < 2:
        raise StoreMisconfigured(
            "redis.url: a socket is written with three slashes, unix:///path/to/redis.sock"
        )
    return unquote(path)


def _service(path: str) -> str:
    if not path or "/" in path:
        raise StoreMisconfigured(
            "redis.url: name the master after the hosts, redis+sentinel://host:26379/service"
        )
    return unquote(path)


def _db(scheme: Scheme, path: str, options: dict[str, str]) -> int:
    text = options.get("db") or (path if scheme is Scheme.SERVER else "") or "0"
    if not text.isascii() or not text.isdigit():
        raise StoreMisconfigured(
            f"redis.url: database {text!r} must be a number, such as redis://host:6379/0"
        )
    if scheme is Scheme.CLUSTER and path:
        raise StoreMisconfigured("redis.url: a Cluster has no databases; leave out what follows the hosts")
    return int(text)
