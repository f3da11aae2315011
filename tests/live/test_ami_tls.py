"""AMI over TLS on a real Asterisk: certificate, authority and name count, and errors name the mend."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from deploy.rig.asterisk import PROJECT, RunningAsterisk
from router.ami.errors import AmiError, CertificateRefused, NotAsterisk
from router.ami.heartbeat import AsteriskClock
from router.ami.inspection import inspecting
from router.ami.session import open_session
from router.core.identities import ServerName
from router.settings.load import load_settings
from router.settings.model import AsteriskServer
from tests.cli.conftest import Crmroute

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("ami-tls")]

AMI = load_settings(PROJECT / "config", {}, with_asterisk=False).ami


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and the certificate that it signed for 127.0.0.1, which is its own authority."""
    folder = tmp_path_factory.mktemp("tls")
    key, made = folder / "key.pem", folder / "certificate.pem"
    subject = ["-subj", "/CN=pbx", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl = shutil.which("openssl") or "openssl"
    command = [openssl, "req", "-x509", *kind, *subject, "-keyout", str(key), "-out", str(made)]
    subprocess.run(command, check=True, capture_output=True)
    return made


@pytest.fixture(scope="module")
def pbx(rig: None, certificate: Path) -> Iterator[RunningAsterisk]:
    pem = certificate.with_name("key.pem").read_text() + certificate.read_text()
    with RunningAsterisk("pbx-a", certificate=pem) as server:
        yield server


@pytest.fixture
def server(pbx: RunningAsterisk, certificate: Path) -> AsteriskServer:
    """As an operator who did everything right has it in the settings."""
    return AsteriskServer(
        name=ServerName("pbx-a"),
        host="127.0.0.1",
        port=pbx.ports.ami_tls,
        username="router-a",
        secret=pbx.ami_secret,
        tls=True,
        tls_ca_file=str(certificate),
    )


async def as_a_router(server: AsteriskServer) -> str:
    session = await open_session(server, AMI, AsteriskClock())
    session.end("enough")
    return session.version


async def as_the_doctor(server: AsteriskServer) -> str:
    async with inspecting(server, AMI.connect_seconds, 2) as inspection:
        return (await inspection.core()).version


WAYS = pytest.mark.parametrize("way", [as_a_router, as_the_doctor])


@WAYS
async def test_the_right_certificate_is_believed(server: AsteriskServer, way: Any) -> None:
    assert (await way(server)).startswith("2")


@WAYS
@pytest.mark.parametrize(
    ("changes", "what", "mend"),
    [
        ({"tls_ca_file": ""}, "signer is not in this host's list", "tls_ca_file"),
        ({"host": "localhost"}, "not for localhost", "subjectAltName"),
        ({"tls_ca_file": "/nowhere/ca.pem"}, "/nowhere/ca.pem cannot be used", "PEM file"),
    ],
)
async def test_another_certificate_is_refused_before_the_secret_is_sent(
    server: AsteriskServer, way: Any, changes: dict[str, str], what: str, mend: str
) -> None:
    with pytest.raises(CertificateRefused) as refused:
        await way(replace(server, **changes))

    assert what in refused.value.what
    assert mend in refused.value.mend


@WAYS
async def test_a_port_without_tls_is_named(pbx: RunningAsterisk, server: AsteriskServer, way: Any) -> None:
    with pytest.raises(CertificateRefused, match=r"does not speak TLS.*tlsbindaddr"):
        await way(replace(server, port=pbx.ami_port))


async def test_without_tls_nothing_is_said_on_the_port_of_tls(server: AsteriskServer) -> None:
    with pytest.raises(NotAsterisk):
        await as_the_doctor(replace(server, tls=False))
    with pytest.raises(AmiError):
        await as_a_router(replace(server, tls=False))


def test_doctor_tells_what_is_wrong_with_the_encryption(
    crmroute: Crmroute, tmp_path: Path, server: AsteriskServer
) -> None:
    def doctor(host: str) -> dict[str, Any]:
        (tmp_path / "local.toml").write_text(
            f'[[asterisk]]\nname = "pbx-a"\nhost = "{host}"\nport = {server.port}\nusername = "router-a"\n'
            f'secret = "{server.secret}"\ntls = true\ntls_ca_file = "{server.tls_ca_file}"\n'
        )
        ran = crmroute("doctor", "--config", str(tmp_path), "--json")
        return {one["what"]: one for one in ran.json["findings"] if one["area"] == "asterisk pbx-a"}

    right, wrong = doctor("127.0.0.1"), doctor("localhost")

    assert (right["encryption"]["state"], right["login"]["state"]) == ("ok", "ok")
    assert wrong["encryption"]["state"] == "wrong"
    assert "subjectAltName" in wrong["encryption"]["mend"]
    assert "login" not in wrong


def test_doctor_warns_of_rights_that_no_router_needs(
    crmroute: Crmroute, tmp_path: Path, pbx: RunningAsterisk
) -> None:
    """The rig's own account may write all."""
    (tmp_path / "local.toml").write_text(
        f'[[asterisk]]\nname = "pbx-a"\nhost = "127.0.0.1"\nport = {pbx.ami_port}\nusername = "rig"\n'
        f'secret = "{pbx.ami_secret}"\n'
    )

    ran = crmroute("doctor", "--config", str(tmp_path), "--json")

    found = {one["what"]: one for one in ran.json["findings"] if one["area"] == "asterisk pbx-a"}
    assert found["rights too many"]["state"] == "warning"
    assert {"command", "config", "originate", "system"} <= set(
        found["rights too many"]["found"].removeprefix("it may also write ").split(", ")
    )
    assert "write = call,reporting" in found["rights too many"]["mend"]
