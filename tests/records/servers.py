"""A real PostgreSQL for tests, in a folder of its own, on a socket alone; ended by its id."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

SETTINGS = ("listen_addresses=", "fsync=off", "synchronous_commit=off", "full_page_writes=off", "jit=off")


def programs() -> Path | None:
    """The folder of PostgreSQL's programs: the newest of Debian's, else the PATH's."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@contextmanager
def running_postgres(settings: Sequence[str] = SETTINGS) -> Iterator[str]:
    """The address of a fresh server, `{database}` standing for the name of a database."""
    where = programs()
    if where is None:
        raise RuntimeError("PostgreSQL is not installed: make rig brings it")
    folder = Path(mkdtemp(prefix="crmroute-pg-"))
    try:
        _as_server(
            folder, [where / "initdb", "-D", folder / "data", "-U", "crmroute", "-A", "trust", "--no-sync"]
        )
        options = " ".join(f"-c {setting}" for setting in (*settings, f"unix_socket_directories={folder}"))
        control = [where / "pg_ctl", "-D", folder / "data", "-l", folder / "log", "-w"]
        _as_server(folder, [*control, "-o", options, "start"])
        try:
            yield f"postgresql://crmroute@/{{database}}?host={folder}"
        finally:
            _as_server(folder, [*control, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_server(folder: Path, command: Sequence[object]) -> None:
    """PostgreSQL refuses to run as root: then Debian's own user runs it."""
    user = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    if os.geteuid() == 0:
        os.chown(folder, user.pw_uid, user.pw_gid)
    ran = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        capture_output=True,
        check=False,
        user=user.pw_uid if os.geteuid() == 0 else None,
        group=user.pw_gid if os.geteuid() == 0 else None,
        extra_groups=[] if os.geteuid() == 0 else None,
    )
    if ran.returncode:
        log = folder / "log"
        raise RuntimeError(ran.stderr.decode() + (log.read_text()[-2000:] if log.exists() else ""))
