"""What the fault suite's short forms stand on."""

import subprocess

import pytest

from deploy.rig.asterisk import PROJECT, get_asterisk


@pytest.fixture(scope="session")
def rig() -> None:
    """Asterisk and SIPp, brought once if they are not here."""
    get_asterisk()
    subprocess.run([PROJECT / "deploy" / "rig" / "get-tools"], check=True)
