"""A site of real processes: an Asterisk, a Redis, routers, workers, a CRM, and callers by SIP.

Everything is a child of this process, and is signalled and ended by its process id. A site serves one fault
after another: `ready` brings back what a fault has killed.
"""

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from deploy.rig.accounts import Account, account_of
from deploy.rig.asterisk import PROJECT, RunningAsterisk
from deploy.rig.callers import CallCounts, Caller, PlacedCalls, start_calls
from deploy.rig.sample_site import Process, SiteFailed, wait_until
from tests.faults.scripted import ScriptedAsterisk, ScriptedCalls
from tests.faults.taps import AmiTap, Tap
from tests.faults.tenants import DIALPLAN, SETTINGS, TRUNK, TRUNK_ADDRESS, did_of, write_tenant
from tests.store.servers import Server, free_ports, running_server
from tests.store.test_topologies import running_sentinel

START_SECONDS = 60.0
QUIET_SECONDS = 30.0
"""How long after the last hang-up a channel or a bridge may be left."""
ROUTERS = ("router-a", "router-b")
_numbers = itertools.count()


@dataclass(frozen=True)
class Plan:
    """What the site is made of."""

    hold: int = 6
    grace: int = 2
    routers: int = 2
    workers: int = 4
    tenants: int = 1
    dialplan: str = ""
    """Added to the tenants' own."""
    settings: str = ""
    """Added to local.toml."""
    worker_settings: tuple[tuple[str, str], ...] = ()
    budget_seconds: float = 0.0
    is_cached: bool = True
    is_scripted: bool = False
    """No Asterisk, but one that plays the dialplan (`tests.faults.scripted`)."""
    has_sentinel: bool = False
    """Redis has a replica, and a Sentinel that decides alone."""
    taps_redis: bool = False
    """Each process reaches Redis through a tap of its own."""
    taps_ami: bool = False
    """Each router reaches Asterisk through a tap of its own."""
    is_watched: bool = False
    """Event loops tell when they stand still."""
    tls_tenant: int = -1
    """The tenant whose CRM has a certificate that nobody signed."""
    has_records: bool = False
    """Tenants come from the records, and an admin process keeps Redis' copy whole."""


class Placed:
    """Calls under way, and the count of them that the ledger must show."""

    def __init__(self, calls: PlacedCalls | ScriptedCalls, count: int) -> None:
        self.count = count
        self._calls = calls
        self._counts: CallCounts | None = None

    def wait(self) -> CallCounts:
        """Until they have ended; what SIPp counted."""
        if self._counts is None:
            self._counts = self._calls.wait()
        return self._counts

    def stop(self) -> None:
        """The callers vanish, without a word to Asterisk."""
        self._calls.stop()


@dataclass(frozen=True)
class LogLine:
    at: float
    """Seconds since the epoch."""
    fields: dict[str, Any]


class FaultSite:
    def __init__(self, folder: Path, plan: Plan | None = None) -> None:
        self.plan = plan or Plan()
        self.folder = folder
        self.config = folder / "config"
        self.pbx = _asterisk(self.plan)
        self.processes: dict[str, Process] = {}
        self.redis_taps: dict[str, Tap] = {}
        self.ami_taps: dict[str, AmiTap] = {}
        self.environment: dict[str, str] = {}
        """Added to what every router and worker is told."""
        self.redis_url = ""
        self.counted: list[CallCounts] = []
        """What SIPp counted of the calls of the latest account."""
        self.replica: Server | None = None
        self._redis: Server | None = None
        self._stack = ExitStack()
        self._crm_port, self._crm_tls_port = free_ports(2)
        self._lives: dict[str, int] = {}

    # Life

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.config / "tenants").mkdir(parents=True)
        for name in ("default.toml", "connectors"):
            (self.config / name).symlink_to(PROJECT / "config" / name)
        for tenant in range(self.plan.tenants):
            self.write_tenant(tenant)
        self._stack.enter_context(self.pbx)
        (self.config / "local.toml").write_text(SETTINGS + self.plan.settings)
        self._stack.callback(self._stop_processes)
        self._start_redis()
        self.start_crm()
        self._start_taps()
        if self.plan.has_records:
            self._publish()

    def _start_redis(self) -> None:
        folder = self.folder / "redis"
        if self.plan.has_sentinel:
            sentinel = running_sentinel(folder)
            self.redis_url, self._redis, self.replica = self._stack.enter_context(sentinel)
            return
        self._redis = self._stack.enter_context(running_server(folder, port=free_ports(1)[0]))
        self.redis_url = self._redis.url

    def _start_taps(self) -> None:
        if self.plan.taps_redis:
            port = int(self.redis_url.rpartition(":")[2])
            for name in (*ROUTERS, *(f"worker-{number}" for number in range(self.plan.workers))):
                self.redis_taps[name] = self._stack.enter_context(Tap(port))
        if self.plan.taps_ami:
            for name in ROUTERS:
                self.ami_taps[name] = self._stack.enter_context(AmiTap(self.pbx.ami_port))

    def _publish(self) -> None:
        records = f'[tenants]\nsource = "records"\n[records]\nurl = "sqlite:///{self.folder}/records.db"\n'
        (port,) = free_ports(1)
        with (self.config / "local.toml").open("a") as settings:
            settings.write(f"{records}[admin]\nport = {port}\n")
        command = [sys.executable, "-m", "router", "apply", "--yes"]
        environment = {**os.environ, **self._environment("apply")}
        subprocess.run(command, env=environment, cwd=PROJECT, check=True, capture_output=True)
        self._begin("admin", [sys.executable, "-m", "router", "admin"], self._environment("admin"))
        wait_until(lambda: _listens(port), START_SECONDS, "the admin process listens")

    @property
    def redis(self) -> Server:
        if self._redis is None:
            raise SiteFailed("this site has no Redis of its own")
        return self._redis

    def write_tenant(self, tenant: int) -> None:
        write_tenant(
            self.config / "tenants",
            tenant,
            self.crm_address if tenant != self.plan.tls_tenant else self.crm_tls_address,
            budget_seconds=self.plan.budget_seconds,
            is_cached=self.plan.is_cached,
        )

    def ready(self, routers: int | None = None, workers: int | None = None) -> None:
        """So many routers and workers run, and the CRM behaves; what is missing is started."""
        routers = self.plan.routers if routers is None else routers
        workers = self.plan.workers if workers is None else workers
        for name in ROUTERS[routers:]:
            self.stop(name)
        self.behave()
        begun = [self._begin_worker(f"worker-{number}") for number in range(workers)]
        begun += [self._begin_router(name) for name in ROUTERS[:routers]]
        for process, text in begun:
            process.wait_for(text, seconds=START_SECONDS)

    def _begin_router(self, name: str) -> tuple[Process, str]:
        if (running := self._running(name)) is not None:
            return running, "asterisk.connected"
        port = self.ami_taps[name].port if name in self.ami_taps else self.pbx.ami_port
        environment = {
            **self._environment(name),
            "CRMROUTE__ROUTER__NAME": name,
            "CRMROUTE__ASTERISK__0__NAME": self.pbx.name,
            "CRMROUTE__ASTERISK__0__PORT": str(port),
            "CRMROUTE__ASTERISK__0__USERNAME": name,
            "CRMROUTE__ASTERISK__0__SECRET": self.pbx.ami_secret,
        }
        return self._begin(name, self._command("router", "router"), environment), "asterisk.connected"

    def _begin_worker(self, name: str) -> tuple[Process, str]:
        if (running := self._running(name)) is not None:
            return running, "worker.started"
        environment = self._environment(name) | dict(self.plan.worker_settings)
        environment["CRMROUTE__WORKER__NAME"] = name
        return self._begin(name, self._command("workers"), environment), "worker.started"

    def _command(self, *words: str) -> list[str]:
        watched = ["tests.faults.watched"] if self.plan.is_watched else []
        return [sys.executable, "-m", *watched, *words]

    def start_router(self, name: str) -> Process:
        """Started, not yet connected."""
        return self._begin_router(name)[0]

    def start_worker(self, name: str) -> Process:
        return self._begin_worker(name)[0]

    def start_crm(self) -> None:
        certificate = self.folder / "crm.pem"
        if not certificate.exists():
            write_certificate(certificate)
        words = ["--port", self._crm_port, "--tls-port", self._crm_tls_port, "--certificate", certificate]
        crm = self._begin("crm", [sys.executable, "-m", "tests.faults.crm", *map(str, words)], {})
        crm.wait_for("crm.started")

    def _begin(self, name: str, arguments: list[str], environment: Mapping[str, str]) -> Process:
        life = self._lives[name] = self._lives.get(name, 0) + 1
        process = Process(name, arguments, self.folder / f"{name}.{life}.log", environment)
        self.processes[name] = process
        return process

    def _running(self, name: str) -> Process | None:
        process = self.processes.get(name)
        return process if process is not None and not process.has_ended() else None

    def _environment(self, name: str) -> dict[str, str]:
        return {
            "CRMROUTE_CONFIG": str(self.config),
            "CRMROUTE__WORKER__HTTPS_ONLY": "false",
            "CRMROUTE__WORKER__ALLOWED_NETWORKS": "127.0.0.0/8",
            "CRMROUTE__VAULT__KEY_FILE": str(self.folder / "vault.key"),
            "CRMROUTE__VAULT__FOLDER": str(self.folder / "grants"),
            "CRMROUTE__REDIS__URL": self._redis_url_for(name),
            **self.environment,
        }

    def _redis_url_for(self, name: str) -> str:
        tap = self.redis_taps.get(name)
        return f"redis://127.0.0.1:{tap.port}" if tap else self.redis_url

    # Doing things to it

    def stop(self, name: str, seconds: float = 20.0) -> float:
        """SIGTERM, and SIGKILL to what takes longer; how many seconds it took."""
        began = time.monotonic()
        if (process := self._running(name)) is not None:
            process.signal(signal.SIGCONT)
            process.stop(seconds)
        return time.monotonic() - began

    def ending(self, name: str) -> int:
        """SIGTERM; the exit code."""
        return self.processes[name].end()

    def kill(self, name: str) -> None:
        self.processes[name].kill()

    def signal(self, name: str, number: signal.Signals) -> None:
        self.processes[name].signal(number)

    @property
    def workers(self) -> list[str]:
        return [name for name in self.processes if name.startswith("worker-") and self._running(name)]

    @property
    def routers(self) -> list[str]:
        return [name for name in ROUTERS if self._running(name)]

    @property
    def all_alive(self) -> bool:
        return not any(process.has_ended() for process in self.processes.values())

    def _stop_processes(self) -> None:
        for process in self.processes.values():
            if not process.has_ended():
                process.signal(signal.SIGCONT)
                process.signal(signal.SIGTERM)
        for process in self.processes.values():
            process.stop(10)

    # Asterisk

    @property
    def asterisk(self) -> RunningAsterisk:
        """The real one. Raises SiteFailed where the site has none."""
        if not isinstance(self.pbx, RunningAsterisk):
            raise SiteFailed("this site has no real Asterisk")
        return self.pbx

    def restart_asterisk(self) -> None:
        """As after a crash: no call is ended in order, and channel names begin anew."""
        self.asterisk.kill()
        self.asterisk.start()

    def wait_connected(self) -> None:
        """Until each router has a connection that it did not lose since."""

        def are_connected() -> bool:
            return all(
                _last(self, name, "asterisk.connected") > _last(self, name, "asterisk.disconnected")
                for name in self.routers
            )

        wait_until(are_connected, START_SECONDS, "every router is connected")

    def channel_names(self) -> set[str]:
        lines = self.pbx.command("core show channels concise").splitlines()
        return {line.partition("!")[0] for line in lines if "!" in line}

    # The CRM

    @property
    def crm_address(self) -> str:
        return f"http://127.0.0.1:{self._crm_port}"

    @property
    def crm_tls_address(self) -> str:
        return f"https://127.0.0.1:{self._crm_tls_port}"

    def behave(
        self,
        what: str = "well",
        *,
        low_ms: float = 0,
        high_ms: float = 0,
        tenant: str = "all",
        text: str = "",
    ) -> None:
        words = urllib.parse.urlencode({"what": what, "low_ms": low_ms, "high_ms": high_ms})
        address = f"{self.crm_address}/behave/{tenant}?{words}"
        request = urllib.request.Request(address, text.encode(), method="POST")  # noqa: S310 - our own CRM
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 - our own CRM

    def seen(self) -> dict[str, int]:
        """How often each caller was looked up."""
        with urllib.request.urlopen(f"{self.crm_address}/seen", timeout=10) as answer:  # noqa: S310 - our own CRM
            found: dict[str, int] = json.load(answer)
            return found

    # Calls

    def mark(self) -> int:
        """The ledger's length: `account` looks at what is written behind it."""
        return len(self.pbx.ledger())

    def call(
        self,
        count: int,
        rate: float,
        *,
        tenant: int = 0,
        tenants: Sequence[int] = (),
        did: str = "",
        stay_ms: int = 200,
        is_abandoned: bool = False,
        callers: list[Caller] | None = None,
    ) -> Placed:
        """Callers whom nobody has heard of, so that each is looked up."""
        if isinstance(self.pbx, ScriptedAsterisk):
            numbers = callers or new_callers(count)
            return Placed(self.pbx.place(numbers, tenants or [tenant], rate, stay_ms), count)
        calls = start_calls(
            self.pbx.sip_port,
            did or did_of(tenant),
            callers=callers or new_callers(count),
            count=count,
            rate=rate,
            stay_ms=stay_ms,
            is_abandoned=is_abandoned,
            source=TRUNK_ADDRESS,
        )
        self._stack.callback(calls.stop)
        return Placed(calls, count)

    def wait_parked(self, count: int, mark: int, seconds: float = 30.0) -> None:
        """Until so many have been parked behind the mark."""
        wait_until(
            lambda: sum(line.what == "parked" for line in self.pbx.ledger()[mark:]) >= count,
            seconds,
            f"{count} parked calls",
        )

    def account(self, mark: int, *placed: Placed, may_hang_up: bool = False) -> Account:
        """Of the calls behind the mark, once all have ended and nothing of them is left in Asterisk."""
        self.counted = [one.wait() for one in placed]
        self.wait_quiet()
        count = sum(one.count for one in placed)
        # The logger has a thread of its own; calls that never were parked are no reason to wait for ever.
        with contextlib.suppress(SiteFailed):
            wait_until(lambda: self._ended_behind(mark) >= count, 5, "the ledger's last line")
        account = account_of(self.pbx.ledger()[mark:], count, may_hang_up=may_hang_up)
        self._keep_evidence(account)
        return account

    def _keep_evidence(self, account: Account) -> None:
        """What the ledger and SIPp say of calls that were lost or double, in a file of the site's folder."""
        wrong = {one.uniqueid for one in (*account.without_destination, *account.moved_twice)}
        if wrong or account.missing:
            lines = [str(line) for line in self.pbx.ledger() if line.uniqueid in wrong]
            heard = [f"{count}" for count in self.counted if count.failed]
            (self.folder / "evidence.txt").write_text(
                "\n".join([f"missing {account.missing}", *lines, *heard])
            )

    def _ended_behind(self, mark: int) -> int:
        return len({line.uniqueid for line in self.pbx.ledger()[mark:] if line.what == "gone"})

    def wait_quiet(self) -> None:
        """Raises SiteFailed when a channel or a bridge is left 30 s after the last hang-up."""

        def is_quiet() -> bool:
            bridges = self.pbx.command("bridge show all").splitlines()
            return self.pbx.channels() == 0 and len(bridges) <= 1

        wait_until(is_quiet, QUIET_SECONDS, "no channel and no bridge is left")

    def logs(self, *names: str) -> str:
        """What processes of these names have said, over all their lives."""
        paths = [path for name in names for path in sorted(self.folder.glob(f"{name}.*.log"))]
        return "".join(path.read_text(errors="replace") for path in paths)

    def events(self, name: str, event: str) -> list[LogLine]:
        """What a process has said under this event name, in all its lives."""
        found = []
        for text in self.logs(name).splitlines():
            if f'"{event}"' in text:
                with contextlib.suppress(ValueError):
                    fields = json.loads(text)
                    told = fields.get("timestamp")
                    at = datetime.fromisoformat(told).timestamp() if told else 0.0
                    found.append(LogLine(at, fields))
        return [line for line in found if line.fields.get("event") == event]

    def moments(self, name: str, event: str) -> list[float]:
        return [line.at for line in self.events(name, event)]

    def errors_logged(self) -> int:
        """How many errors routers and workers have told in all their lives.

        A Redis that was slow for a moment is none: this machine is shared by all parts of the site.
        """
        lines = self.logs("router-[ab]", "worker-*").splitlines()
        told = [line for line in lines if '"level": "error"' in line and "StoreUnavailable" not in line]
        return len(told) + sum("Traceback" in line for line in lines if line not in told)

    def decisions(self, latest: int) -> list[dict[str, Any]]:
        """What `crmroute calls` tells of so many calls."""
        found: list[dict[str, Any]] = self._ask("calls", "--limit", str(latest))
        return found

    def wait_decided(self, account: Account, seconds: float = 15.0) -> None:
        """Until every call of the account is in the history: the routers write it behind the calls."""
        wanted = {one.uniqueid for one in account.parkings}

        def all_told() -> bool:
            return wanted <= {one["call_id"] for one in self.decisions(2 * len(wanted))}

        wait_until(all_told, seconds, "every call's decision")

    def _ask(self, *words: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "router", *words, "--json"],
            env={**os.environ, **self._environment("ask")},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode not in (0, 1):
            raise SiteFailed(f"crmroute {' '.join(words)}: {done.stderr[-2000:]}")
        return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]

    def pids(self, *names: str) -> dict[str, int]:
        return {name: self.processes[name].pid for name in names}


def _asterisk(plan: Plan) -> RunningAsterisk | ScriptedAsterisk:
    if plan.is_scripted:
        return ScriptedAsterisk(plan.hold, plan.grace)
    dialplan = DIALPLAN + plan.dialplan
    return RunningAsterisk("pbx-a", hold=plan.hold, grace=plan.grace, dialplan=dialplan, pjsip=TRUNK)


def _last(site: FaultSite, name: str, event: str) -> float:
    return max(site.moments(name, event), default=0.0)


def new_callers(count: int) -> list[Caller]:
    """Numbers that no site has seen in this run."""
    return [Caller(f"+3361{next(_numbers):07d}") for _ in range(count)]


class MemoryWatch:
    """Looks at processes' memory while its `with` block lasts: how much each grew at the most."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._began = {name: resident_mb(pid) for name, pid in pids.items()}
        self._most = dict(self._began)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join(10)

    def grown_mb(self) -> float:
        return max(most - self._began[name] for name, most in self._most.items())

    def _look(self) -> None:
        while not self._is_over.wait(0.1):
            for name, pid in self._pids.items():
                with contextlib.suppress(OSError):
                    self._most[name] = max(self._most[name], resident_mb(pid))


def resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def write_certificate(path: Path) -> None:
    """One that nobody signed, for another name."""
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=elsewhere"]
    files = ["-keyout", f"{path}.key", "-out", f"{path}.crt"]
    subprocess.run(["openssl", *words, *files], check=True, capture_output=True)
    path.write_text(Path(f"{path}.key").read_text() + Path(f"{path}.crt").read_text())


def _listens(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
