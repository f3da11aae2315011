"""A fresh Asterisk, CRMs and peers for one run, all on this machine and ended with it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.rig.asterisk import RunningAsterisk
from deploy.rig.sample_site import Site, SiteFailed
from tests.bench.dialplan import ACCOUNT, TRUNK, entry
from tests.bench.peers import PEERS
from tests.bench.peers.peer import Peer, free_port

SECRET = "bench"
"""Of the listener's account, on loopback."""


@dataclass(frozen=True)
class Stage:
    asterisk: RunningAsterisk
    peers: Mapping[str, Peer]
    programs: Mapping[str, Mapping[str, int]]
    """By peer, the process ids of its programs."""
    crm_pids: Mapping[str, int]

    def pids(self) -> dict[str, int]:
        """Of all whose processor time is looked at."""
        own = {name: pid for programs in self.programs.values() for name, pid in programs.items()}
        return {"asterisk": self.asterisk.pid, **own, **self.crm_pids}


@contextmanager
def staged(names: Sequence[str], crm_ms: Sequence[int]) -> Iterator[Stage]:
    """Peers side by side on one Asterisk; each has one tenant for each of the CRMs' delays."""
    ports = [free_port() for _ in crm_ms]
    crms = [f"http://127.0.0.1:{port}" for port in ports]
    peers = {name: PEERS[name](crms) for name in names}
    with (
        TemporaryDirectory(prefix="bench-") as folder,
        _asterisk(list(peers.values())) as asterisk,
        Site(Path(folder), [asterisk], ports[0]) as site,
    ):
        _check_modules(asterisk, [module for peer in peers.values() for module in peer.modules])
        site.write_local_settings("".join(peer.settings() for peer in peers.values()))
        crm_pids = {}
        for number, (port, delay) in enumerate(zip(ports, crm_ms, strict=True)):
            name = f"crm {number}"
            crm_pids[name] = site.start_crm(delay, port, name).pid
        programs = {name: peer.start(site) for name, peer in peers.items()}
        yield Stage(asterisk, peers, programs, crm_pids)


def _check_modules(asterisk: RunningAsterisk, modules: Collection[str]) -> None:
    """Raises SiteFailed: a peer that Asterisk cannot serve would lose every call, and look slow."""
    missing = [name for name in modules if "Running" not in asterisk.command(f"module show like {name}")]
    if missing:
        told = asterisk.full_log.read_text(errors="replace")[-2000:]
        raise SiteFailed(f"Asterisk did not load {', '.join(missing)}: {told}")


def _asterisk(peers: Collection[Peer]) -> RunningAsterisk:
    modules = [module for peer in peers for module in peer.modules]
    files = {name: text for peer in peers for name, text in peer.files().items()}
    ways = [(peer.name, tenant, peer.dialplan(tenant)) for peer in peers for tenant in range(len(peer.crms))]
    return RunningAsterisk(
        "pbx-a",
        verbose=0,
        dialplan=entry(ways),
        pjsip=TRUNK,
        files=files,
        added={
            "modules.conf": "\n".join(f"load = {module}" for module in dict.fromkeys(modules)),
            "manager.conf": ACCOUNT.format(secret=SECRET),
        },
    )
