"""A real PostgreSQL from Debian's packages, on a loopback port, that tests and benches may kill, stop and hang."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

SERVER_USER = "postgres"
START_TIMEOUT_S = 30


def binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[4]))
    if not found:
        raise RuntimeError("no PostgreSQL under /usr/lib/postgresql; scripts/setup.sh installs it")
    return found[-1].parent


class PostgresServer:
    """One server with an empty database; root has it run by Debian's own user, as a server refuses to run as root."""

    def __init__(self, port: int) -> None:
        self.port, self._bin = port, binaries()
        self._directory = Path(tempfile.mkdtemp(prefix="laar-postgres-"))
        if os.geteuid() == 0:
            shutil.chown(self._directory, SERVER_USER, SERVER_USER)
        self._data = self._directory / "data"
        self._run("initdb", "-D", str(self._data), "-A", "trust", "-U", "laar", "-E", "UTF8", "--locale=C", "--no-sync")

    @property
    def url(self) -> str:
        return f"postgresql://laar@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start the server; after a kill it is refused as long as the last of its processes has not gone."""
        deadline = time.monotonic() + START_TIMEOUT_S
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self._directory}"
        while True:
            try:
                self._run(
                    "pg_ctl", "-D", str(self._data), "-w", "-l", str(self._directory / "log"), "-o", options, "start"
                )
                return
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def kill(self) -> None:
        """SIGKILL the postmaster, as a machine without memory would; its children end by themselves."""
        pid = int((self._data / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)

    def freeze(self) -> None:
        """Stop every process of the server: connections stay, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        postmaster = psutil.Process(int((self._data / "postmaster.pid").read_text().splitlines()[0]))
        for process in (postmaster, *postmaster.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def close(self) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "stop")
        shutil.rmtree(self._directory)

    def _run(self, program: str, *arguments: str) -> None:
        user = ["runuser", "-u", SERVER_USER, "--"] if os.geteuid() == 0 else []
        command = [*user, str(self._bin / program), *arguments]
        # what pg_ctl starts keeps its pipes open
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
