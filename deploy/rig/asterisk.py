"""Starts real Asterisk servers for the tests, the demo and the benchmark, several at once on one machine.

`deploy/rig/get-asterisk` brings the program; this module makes instances of it. An instance is one directory
with its own configuration (made from `deploy/asterisk`), spool, logs and control socket, and its own ports on
the loopback interface. Where Asterisk lives in a root of its own (`.cache/asterisk/root`), the directory is
inside that root and the program is started with `chroot`: nothing is mounted, so nothing is left mounted
when a run is killed. An instance holds a lock on its directory; what a killed run left, program and
directory, is known by the lock that nobody holds, and the next start removes it.

What became of the calls is read from the instance's own log: `deploy/rig/ledger.py`.

As a command, `python -m deploy.rig.asterisk start --name pbx-a` runs one until SIGINT or SIGTERM.
"""

import argparse
import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from deploy.rig.errors import AsteriskFailed as AsteriskFailed
from deploy.rig.errors import AsteriskMissing as AsteriskMissing
from deploy.rig.ledger import Fates, fates_of, read_ledger
from deploy.rig.ledger import LedgerLine as LedgerLine
from deploy.rig.leftovers import locked, remove_leftovers
from deploy.rig.ports import Ports as Ports
from deploy.rig.ports import free_ports as free_ports
from deploy.rig.remote_cli import command_by_ami, says_fully_booted

PROJECT = Path(__file__).resolve().parents[2]
ROOT = PROJECT / ".cache" / "asterisk" / "root"
SAMPLES = PROJECT / "deploy" / "asterisk"
RIG_FILES = PROJECT / "deploy" / "rig" / "etc"

_EMPTY_FILES = ("acl.conf", "ccss.conf", "cel.conf", "features.conf", "pjproject.conf", "udptl.conf")
"""Asterisk's core complains of an error for each of these that is missing."""


def get_asterisk() -> None:
    """Bring Asterisk if it is not here yet; raises AsteriskMissing with what the script said."""
    script = PROJECT / "deploy" / "rig" / "get-asterisk"
    done = subprocess.run([script], stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise AsteriskMissing(done.stderr.strip() or f"get-asterisk ended with {done.returncode}")


class RunningAsterisk:
    """One Asterisk server, started by `start()` or by entering a `with` block, and stopped at its end.

    hold, hold_most, grace, wait   what the rendered route-settings returns; None keeps the shipped values
    dialplan                       extra text after the shipped dialplan: contexts of a test's own
    files                          extra or replaced configuration files, by name, such as {"pjsip.conf": ...}
    pjsip, queues                  text added to pjsip.conf and queues.conf
    added                          text added to further configuration files, by name
    verbose                        level of the full log: 2 is cheap, 5 shows every step; 0 and 1 leave
                                   the ledger out, for a benchmark
    ami_secret                     of the accounts router-a, router-b, prove and rig; random when not given
    certificate                    PEM of a key and its certificate: AMI over TLS, too, on `ports.ami_tls`
    """

    def __init__(
        self,
        name: str = "pbx-a",
        *,
        ports: Ports | None = None,
        hold: int | None = None,
        hold_most: int | None = None,
        grace: int | None = None,
        wait: str | None = None,
        dialplan: str = "",
        files: Mapping[str, str] | None = None,
        pjsip: str = "",
        queues: str = "",
        added: Mapping[str, str] | None = None,
        verbose: int = 2,
        ami_secret: str | None = None,
        certificate: str = "",
        boot_seconds: float = 60.0,
    ) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,30}", name):
            raise ValueError(f"{name!r} cannot be a systemname: letters, digits and hyphens only")
        self.name = name
        self.ports = ports or free_ports()
        self.ami_secret = ami_secret or secrets.token_hex(16)
        self._settings = {"hold": hold, "hold-most": hold_most, "grace": grace, "wait": wait}
        self._dialplan = dialplan
        self._files = dict(files or {})
        self._added = {"pjsip.conf": pjsip, "queues.conf": queues, **(added or {})}
        self._verbose = verbose
        self._certificate = certificate
        self._boot_seconds = boot_seconds
        self._root = _asterisk_root()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._directory: Path | None = None
        self._is_paused = False

    # Where things are.

    @property
    def directory(self) -> Path:
        if self._directory is None:
            raise AsteriskFailed(f"{self.name} was not started")
        return self._directory

    @property
    def ami_port(self) -> int:
        return self.ports.ami

    @property
    def sip_port(self) -> int:
        return self.ports.sip

    @property
    def pid(self) -> int:
        if self._process is None:
            raise AsteriskFailed(f"{self.name} does not run")
        return self._process.pid

    @property
    def chroot(self) -> Path:
        """The root that Asterisk sees."""
        return self._root

    @property
    def full_log(self) -> Path:
        return self.directory / "log" / "full"

    @property
    def ledger_log(self) -> Path:
        return self.directory / "log" / "ledger"

    @property
    def voicemail_spool(self) -> Path:
        """`<context>/<box>/INBOX/msg0000.wav` are below it."""
        return self.directory / "spool" / "voicemail"

    # Life.

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Returns when Asterisk is fully booted. After `kill()` it starts the same instance again."""
        if self._process is not None:
            raise AsteriskFailed(f"{self.name} runs already")
        if self._directory is None:
            self._make_directory()
        command = ["asterisk", "-f", "-C", f"{self._inside}/etc/asterisk.conf"]
        if self._root != Path("/"):
            command = ["chroot", str(self._root), *command]
        with (self.directory / "log" / "console").open("ab") as console:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True
            )
        (self.directory / "pid").write_text(str(self._process.pid))
        try:
            self._wait_booted(self._process)
        except BaseException:
            self.stop()
            raise

    def stop(self, *, keep_files: bool = False) -> None:
        """End it, and remove its directory unless told to keep it. Does nothing when it has ended already.

        SIGTERM ends every call and unloads; a server that takes longer than ten seconds is killed.
        """
        if self._process is not None:
            self.resume()
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if not keep_files and self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    def kill(self) -> None:
        """SIGKILL, as a crash. The directory stays: `start()` brings the server back with the same ports."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self._is_paused = False

    def pause(self) -> None:
        """SIGSTOP: the server hangs, its connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)
        self._is_paused = True

    def resume(self) -> None:
        if self._is_paused:
            os.kill(self.pid, signal.SIGCONT)
            self._is_paused = False

    # Talking to it.

    def command(self, cli: str, timeout_seconds: float = 10.0) -> str:
        """What the CLI answers to a command, as `asterisk -rx` prints it.

        Goes over AMI (`Action: Command`): a millisecond, where a second Asterisk process takes fifty.
        """
        answer = command_by_ami(self.ports.ami, self.ami_secret, cli, timeout_seconds)
        return "\n".join(line[8:] for line in answer if line.startswith("Output:"))

    def originate(
        self, did: str, *, context: str = "from-trunk-acme", app: str = "Wait", data: str = "30"
    ) -> None:
        """A caller without SIP: a Local channel dials the DID and stays in an application.

        Wait says nothing; Playback of a sound gives the call media, which a voicemail message needs.
        """
        answer = self.command(f"channel originate Local/{did}@{context} application {app} {data}".rstrip())
        if answer.strip():
            raise AsteriskFailed(f"originate: {answer.strip()}")

    def channels(self) -> int:
        """How many channels there are."""
        found = re.search(r"(\d+) active channel", self.command("core show channels count"))
        return int(found[1]) if found else 0

    def ledger(self) -> list[LedgerLine]:
        """What happened to every parking so far, in the order in which Asterisk wrote it.

        Asterisk's logger writes in a thread of its own: a line comes some milliseconds after its AMI event.
        """
        return read_ledger(self.ledger_log)

    def fates(self) -> Fates:
        """How each parking ended, by uniqueid and parking number: a list that must have one member.

        `taken CONTEXT/EXTEN/PRIORITY`, `defaulted WHY TO`, `asking` or `gone`; empty for a call still parked.
        """
        return fates_of(self.ledger())

    def wait_fates(self, ended_calls: int, seconds: float = 10.0) -> Fates:
        """`fates()` once that many calls have ended, counted from the server's first start."""
        deadline = time.monotonic() + seconds
        while (ended := len({line.uniqueid for line in self.ledger() if line.what == "gone"})) < ended_calls:
            if time.monotonic() > deadline:
                raise AsteriskFailed(f"{ended} of {ended_calls} calls had ended after {seconds} s")
            time.sleep(0.02)  # a file tells nobody that it grew
        return self.fates()

    def wait_fate(self, uniqueid: str, parking: int, seconds: float = 2.0) -> list[str]:
        """How one parking ended, as soon as the ledger knows."""
        deadline = time.monotonic() + seconds
        while not (fate := self.fates().get((uniqueid, parking), [])) and time.monotonic() < deadline:
            time.sleep(0.02)
        return fate

    # Making the instance.

    @property
    def _inside(self) -> str:
        """The instance's directory as Asterisk sees it."""
        return "/" + str(self.directory.relative_to(self._root))

    def _make_directory(self) -> None:
        instances = ROOT.parent / "instances" if self._root == Path("/") else self._root / "srv" / "instances"
        instances.mkdir(parents=True, exist_ok=True)
        remove_leftovers(instances)
        if self._root != Path("/"):
            _know_own_host_name(self._root)
        made = Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir=instances))
        made.chmod(0o755)
        self._lock = locked(made)
        self._directory = made
        for part in ("etc", "spool/voicemail", "spool/tmp", "log", "run", "lib/moh", "keys"):
            (made / part).mkdir(parents=True)
        _write_music(made / "lib" / "moh" / "music.wav")
        (made / "keys" / "manager.pem").write_text(self._certificate)
        for file_name, text in self._rendered().items():
            (made / "etc" / file_name).write_text(text)

    def _rendered(self) -> dict[str, str]:
        shipped = [path for folder in (RIG_FILES, SAMPLES) for path in folder.glob("*.conf")]
        files = {path.name: path.read_text() for path in shipped}
        files["asterisk.conf"] = _with_value(files["asterisk.conf"], "systemname", self.name)
        files["asterisk.conf"] += self._directories()
        files["crmroute-settings.conf"] = self._limits(files["crmroute-settings.conf"])
        files["manager.conf"] = self._accounts(files["manager.conf"])
        files["pjsip.conf"] = files["pjsip.conf"].replace(
            "bind = 127.0.0.1:5060", f"bind = 127.0.0.1:{self.ports.sip}"
        )
        files["rtp.conf"] = (
            f"[general]\nrtpstart = {self.ports.rtp_first}\nrtpend = {self.ports.rtp_last}\nstrictrtp = no\n"
        )
        level = f"error,verbose({self._verbose})"
        files["logger.conf"] = files["logger.conf"].replace("error,verbose(2)", level)
        if self._verbose < 2:
            files["logger.conf"] = files["logger.conf"].replace("ledger = verbose(2)", "")
        files["musiconhold.conf"] = files["musiconhold.conf"].replace("MUSIC", f"{self._inside}/lib/moh")
        files["extensions.conf"] = files["extensions.conf"] + self._dialplan
        for name, text in self._added.items():
            files[name] += "\n" + text
        for name in _EMPTY_FILES:
            files.setdefault(name, "")
        files.update(self._files)
        return files

    def _directories(self) -> str:
        inside = self._inside
        places = {
            "astetcdir": "etc", "astvarlibdir": "lib", "astdbdir": "lib", "astkeydir": ".",
            "astspooldir": "spool", "astrundir": "run", "astlogdir": "log", "astcachedir": "run",
        }  # fmt: skip
        lines = [f"{key} => {inside}/{place}" for key, place in places.items()]
        return "\n[directories]\n" + "\n".join(lines) + "\n"

    def _limits(self, text: str) -> str:
        for name, value in self._settings.items():
            if value is not None:
                line = f"exten => {name},1,Return"
                text, changes = re.subn(rf"(?m)^{line}\(.*\)$", f"{line}({value})", text)
                if changes != 1:
                    raise AsteriskFailed(f"crmroute-settings.conf has no {name}")
        return text

    def _accounts(self, text: str) -> str:
        text = _with_value(text, "port", str(self.ports.ami))
        # The account that is shipped as a comment, for whoever places test calls.
        head, begin, prove = text.partition(";[prove]")
        text = head + begin[1:] + re.sub(r"(?m)^;", "", prove)
        text = re.sub(r"(?m)^secret = .*$", f"secret = {self.ami_secret}", text)
        if self._certificate:
            text = self._with_tls(text)
        # The rig's own account: CLI commands, and no events.
        return text + (
            f"\n[rig]\nsecret = {self.ami_secret}\n"
            "deny = 0.0.0.0/0.0.0.0\npermit = 127.0.0.1/255.255.255.255\n"
            "read = system\nwrite = all\nwritetimeout = 5000\ndisplayconnects = no\n"
        )

    def _with_tls(self, text: str) -> str:
        """The lines that are shipped as comments, with places of this instance's own."""
        pem = f"{self._inside}/keys/manager.pem"
        places = {"tlsbindaddr": f"127.0.0.1:{self.ports.ami_tls}", "tlscertfile": pem, "tlsprivatekey": pem}
        for key, value in {"tlsenable": "yes", **places}.items():
            text = _with_value(text.replace(f"\n;{key} = ", f"\n{key} = "), key, value)
        return text

    def _wait_booted(self, process: "subprocess.Popen[bytes]") -> None:
        """Returns when Asterisk says FullyBooted to an AMI login: it listens before everything is loaded."""
        deadline = time.monotonic() + self._boot_seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if says_fully_booted(self.ports.ami, self.ami_secret, deadline):
                    return
            # Nothing can be awaited before Asterisk listens, except its early end.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
                raise AsteriskFailed(f"{self.name} ended while booting: {self._last_words()}")
        raise AsteriskFailed(f"{self.name} did not boot in {self._boot_seconds} s: {self._last_words()}")

    def _last_words(self) -> str:
        for path in (self.directory / "log" / "console", self.full_log):
            if path.exists() and (text := path.read_text(errors="replace").strip()):
                return text[-2000:]
        return "it said nothing"


def _asterisk_root() -> Path:
    if (ROOT / ".complete").exists():
        return ROOT
    if shutil.which("asterisk"):
        return Path("/")
    raise AsteriskMissing("there is no Asterisk here yet: run deploy/rig/get-asterisk")


def _know_own_host_name(root: Path) -> None:
    """Asterisk looks its host's name up when a call starts; in its root nothing else could answer."""
    hosts = root / "etc" / "hosts"
    wanted = f"127.0.0.1 localhost {socket.gethostname()}\n"
    if not hosts.exists() or hosts.read_text() != wanted:
        fresh = hosts.with_name(f"hosts.{os.getpid()}")
        fresh.write_text(wanted)
        fresh.rename(hosts)


def _write_music(path: Path) -> None:
    """A second of a quiet square wave: Asterisk refuses a music class without a file."""
    with wave.open(str(path), "wb") as music:
        music.setnchannels(1)
        music.setsampwidth(2)
        music.setframerate(8000)
        music.writeframes((b"\x00\x02" * 10 + b"\x00\xfe" * 10) * 400)


def _with_value(text: str, key: str, value: str) -> str:
    text, changes = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
    if changes != 1:
        raise AsteriskFailed(f"expected one line `{key} = ...`, found {changes}")
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    commands = parser.add_subparsers(required=True)
    start = commands.add_parser("start", help="run one server until SIGINT or SIGTERM")
    start.add_argument("--name", default="pbx-a", help="systemname")
    start.add_argument("--ami-port", type=int)
    start.add_argument("--sip-port", type=int)
    start.add_argument("--secret", help="of the AMI accounts; random when not given")
    start.add_argument("--hold", type=int)
    start.add_argument("--grace", type=int)
    start.add_argument("--wait", choices=("ringing", "music", "silence"))
    start.add_argument("--verbose", type=int, default=2)
    start.add_argument("--dialplan", type=Path, help="a file with further contexts")
    chosen = parser.parse_args()

    get_asterisk()
    free = free_ports()
    ports = Ports(chosen.ami_port or free.ami, chosen.sip_port or free.sip, free.rtp_first, free.rtp_last)
    # Blocked before Asterisk starts, so that a signal during its boot is not lost and still stops it.
    awaited = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    server = RunningAsterisk(
        chosen.name,
        ports=ports,
        hold=chosen.hold,
        grace=chosen.grace,
        wait=chosen.wait,
        verbose=chosen.verbose,
        ami_secret=chosen.secret,
        dialplan=chosen.dialplan.read_text() if chosen.dialplan else "",
    )
    with server:
        told = {"name": server.name, "pid": server.pid, "directory": str(server.directory)}
        told |= {"secret": server.ami_secret} | asdict(server.ports)
        print(json.dumps(told), flush=True)
        signal.sigwait(awaited)
    return 0


if __name__ == "__main__":
    sys.exit(main())
