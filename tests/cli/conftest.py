"""The real entry point, run in this process as a shell would run it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from router.cli import main
from tests.cli.site import write_site
from tests.store.servers import running_server


class Ran(Struct, frozen=True):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Crmroute = Callable[..., Ran]


@pytest.fixture
def crmroute(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Crmroute:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("CRMROUTE_CONFIG", raising=False)

    def run(*words: str) -> Ran:
        capsys.readouterr()
        code = main(words)
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return run


@pytest.fixture(scope="session")
def shared_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with running_server(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def redis_url(shared_valkey: Any) -> str:
    shared_valkey.say(b"FLUSHALL\r\n")
    return str(shared_valkey.url)


@pytest.fixture
def site(tmp_path: Path, redis_url: str) -> Path:
    return write_site(tmp_path / "config", redis_url)
