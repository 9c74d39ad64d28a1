"""A real PostgreSQL of this machine on loopback, empty and gone afterwards; None where it is not installed."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PASSWORD = "correct-horse-7"
USER = "keeper"


def program(name: str) -> str | None:
    """Where the server's programs are: on the path, or where Debian keeps them."""
    kept = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(kept[-1]) if kept else None)


def missing() -> str | None:
    """Why no server can be started here, as a reason to skip a test; None if one can."""
    lost = [name for name in ("initdb", "pg_ctl", "postgres") if program(name) is None]
    return f"PostgreSQL is not installed here ({', '.join(lost)})" if lost else None


@contextmanager
def server() -> Iterator[str]:
    """The URL of a database of a server that runs; it takes a password."""
    root = Path(tempfile.mkdtemp(prefix="pg-"))
    root.chmod(0o755)
    data, secret = root / "data", root / "secret"
    data.mkdir(0o700)
    secret.write_text(PASSWORD)
    who = _nobody()
    if who is not None:
        for path in (data, secret, root):
            os.chown(path, who.pw_uid, who.pw_gid)
    port = _free_port()
    _run("initdb", who, "-D", data, "-U", USER, "--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync", "-E", "UTF8")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={root} -c fsync=off"
    _run("pg_ctl", who, "-D", data, "-w", "-t", "60", "-l", root / "log", "-o", options, "start")
    try:
        yield f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        _run("pg_ctl", who, "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(root, ignore_errors=True)


def _nobody() -> pwd.struct_passwd | None:
    """Whom the server runs as: it refuses root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(name: str, who: pwd.struct_passwd | None, *words: object) -> None:
    as_other = {} if who is None else {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}
    line = [str(program(name)), *map(str, words)]
    # To a file: pg_ctl's server keeps a pipe open for as long as it runs.
    with tempfile.TemporaryFile() as said:
        run = subprocess.run(line, stdout=said, stderr=said, timeout=120, cwd="/", **as_other)
        said.seek(0)
        assert run.returncode == 0, said.read().decode(errors="replace")
