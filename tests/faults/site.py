"""A site of real processes: an Asterisk, a Redis, routers, workers, a CRM, and callers by SIP.

Everything is a child of this process, and is signalled and ended by its process id. A site serves one fault
after another: `ready` brings back what a fault has killed.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from deploy.rig.accounts import Account, account_of, without_refused
from deploy.rig.asterisk import PROJECT, RunningAsterisk
from deploy.rig.callers import CallCounts, Caller, start_calls
from deploy.rig.sample_site import Process, SiteFailed, wait_until
from tests.faults.crews import Crew
from tests.faults.crm_control import CrmControl
from tests.faults.placing import Placed, new_callers
from tests.faults.plans import ROUTERS, Plan, Redis
from tests.faults.scripted import ScriptedAsterisk
from tests.faults.taps import AmiTap, Tap
from tests.faults.tenants import DIALPLAN, SETTINGS, TRUNK, TRUNK_ADDRESS, did_of, write_tenant
from tests.store.servers import Server, free_ports, running_server
from tests.store.topologies import port_of, running_cluster, running_pair, running_sentinel

START_SECONDS = 60.0
QUIET_SECONDS = 30.0
"""How long after the last hang-up a channel or a bridge may be left."""


class FaultSite(Crew):
    """Built by `with`; the folder is made anew."""

    def __init__(self, folder: Path, plan: Plan | None = None) -> None:
        super().__init__(folder)
        self.plan = plan or Plan()
        self.config = folder / "config"
        self.pbx = _asterisk(self.plan)
        self.redis_taps: dict[str, Tap] = {}
        self.ami_taps: dict[str, AmiTap] = {}
        self.redis_url = ""
        self.counted: list[CallCounts] = []
        """What SIPp counted of the calls of the latest account."""
        self._begun_at: dict[int, int] = {}
        """By mark, how many calls Asterisk had counted."""
        self.replica: Server | None = None
        self.cluster: list[Server] = []
        """Its masters, and behind them the replica of each."""
        self.redis_address: Tap | None = None
        """Where an operator moves the address."""
        self._redis: Server | None = None
        self._stack = ExitStack()
        self.crm = CrmControl(folder)

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
        self._stack.callback(self.stop_all)
        self._start_redis()
        self.begin("crm", self.crm.command(), {}).wait_for("crm.started")
        self._start_taps()
        if self.plan.has_records:
            self._publish()

    def _start_redis(self) -> None:
        folder, enter = self.folder / "redis", self._stack.enter_context
        match self.plan.redis:
            case Redis.SERVER:
                self._redis = enter(running_server(folder, port=free_ports(1)[0]))
                self.redis_url = self._redis.url
            case Redis.PAIR:
                self._redis, self.replica = enter(running_pair(folder))
                self.redis_address = enter(Tap(port_of(self._redis)))
                self.redis_url = f"redis://127.0.0.1:{self.redis_address.port}"
            case Redis.SENTINEL:
                self.redis_url, self._redis, self.replica = enter(running_sentinel(folder))
            case Redis.CLUSTER:
                self.redis_url, self.cluster = enter(running_cluster(folder, has_replicas=True))

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
        self.apply()
        self.begin("admin", [sys.executable, "-m", "router", "admin"], self._environment("admin"))
        wait_until(lambda: _listens(port), START_SECONDS, "the admin process listens")

    def apply(self) -> None:
        """Publish the tenants' files."""
        command = [sys.executable, "-m", "router", "apply", "--yes"]
        environment = {**os.environ, **self._environment("apply")}
        subprocess.run(command, env=environment, cwd=PROJECT, check=True, capture_output=True)

    @property
    def redis(self) -> Server:
        if self._redis is None:
            raise SiteFailed("this site has no Redis of its own")
        return self._redis

    def write_tenant(self, tenant: int) -> None:
        write_tenant(
            self.config / "tenants",
            tenant,
            self.crm.address if tenant != self.plan.tls_tenant else self.crm.tls_address,
            budget_seconds=self.plan.budget_seconds,
            is_cached=self.plan.is_cached,
        )

    def ready(self, routers: int | None = None, workers: int | None = None) -> None:
        """So many routers and workers run, and the CRM behaves; what is missing is started."""
        routers = self.plan.routers if routers is None else routers
        workers = self.plan.workers if workers is None else workers
        for name in ROUTERS[routers:]:
            self.stop(name)
        self.crm.behave()
        begun = [self._begin_worker(f"worker-{number}") for number in range(workers)]
        begun += [self._begin_router(name) for name in ROUTERS[:routers]]
        for process, text in begun:
            process.wait_for(text, seconds=START_SECONDS)

    def _begin_router(self, name: str) -> tuple[Process, str]:
        if (running := self.running(name)) is not None:
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
        return self.begin(name, self._command("router", "router"), environment), "asterisk.connected"

    def _begin_worker(self, name: str) -> tuple[Process, str]:
        if (running := self.running(name)) is not None:
            return running, "worker.started"
        environment = self._environment(name) | dict(self.plan.worker_settings)
        environment["CRMROUTE__WORKER__NAME"] = name
        return self.begin(name, self._command("workers"), environment), "worker.started"

    def _command(self, *words: str) -> list[str]:
        watched = ["tests.faults.watched"] if self.plan.is_watched else []
        return [sys.executable, "-m", *watched, *words]

    def start_router(self, name: str) -> Process:
        """Started, not yet connected."""
        return self._begin_router(name)[0]

    def start_worker(self, name: str) -> Process:
        return self._begin_worker(name)[0]

    def _environment(self, name: str) -> dict[str, str]:
        return {
            "CRMROUTE_CONFIG": str(self.config),
            "CRMROUTE__WORKER__HTTPS_ONLY": "false",
            "CRMROUTE__WORKER__ALLOWED_NETWORKS": "127.0.0.0/8",
            "CRMROUTE__VAULT__KEY_FILE": str(self.folder / "vault.key"),
            "CRMROUTE__VAULT__FOLDER": str(self.folder / "grants"),
            "CRMROUTE__REDIS__URL": self._redis_url_for(name),
        }

    def _redis_url_for(self, name: str) -> str:
        tap = self.redis_taps.get(name)
        return f"redis://127.0.0.1:{tap.port}" if tap else self.redis_url

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

    # Calls

    def mark(self) -> int:
        """The ledger's length: `account` looks at what is written behind it."""
        mark = len(self.pbx.ledger())
        self._begun_at[mark] = self._begun()
        return mark

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
        if account.missing and self._was_overloaded():
            turned_away = sum(one.unavailable for one in self.counted)
            account = without_refused(account, turned_away, self._begun() - self._begun_at.get(mark, 0))
        self._keep_evidence(account)
        return account

    def _was_overloaded(self) -> bool:
        """PJSIP answers 503 while one of Asterisk's queues is long, before there is a channel."""
        is_real = isinstance(self.pbx, RunningAsterisk)
        return is_real and "high water mark" in self.asterisk.full_log.read_text(errors="replace")

    def _begun(self) -> int:
        """How many calls the dialplan has begun with since Asterisk started."""
        found = re.search(r"(\d+) calls? processed", self.pbx.command("core show channels count"))
        return int(found[1]) if found else 0

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


def _asterisk(plan: Plan) -> RunningAsterisk | ScriptedAsterisk:
    if plan.is_scripted:
        return ScriptedAsterisk(plan.hold, plan.grace)
    dialplan = DIALPLAN + plan.dialplan
    return RunningAsterisk("pbx-a", hold=plan.hold, grace=plan.grace, dialplan=dialplan, pjsip=TRUNK)


def _last(site: FaultSite, name: str, event: str) -> float:
    return max(site.moments(name, event), default=0.0)


def _listens(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
