"""postgresql.py - a PostgreSQL for tests: a child in a directory of its own, on a Unix socket and a free port of 127.0.0.1, synced to disk as a real one is.

    shared()   one for the whole run of tests, ended with it
    Postgresql(directory)   one that a test may stop, kill and start again
"""
import atexit
import functools
import os
import pathlib
import pwd
import random
import shutil
import socket
import subprocess
import tempfile
import time

BIN = pathlib.Path(os.environ.get("FIRN_POSTGRESQL_BIN", "/usr/lib/postgresql/15/bin"))


def wait_for(condition, seconds=60, what="a condition"):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.01)


def free_port():
    """A port that is free now, below those that the system gives to clients: so it still is when the server that is told of it starts."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Postgresql:
    def __init__(self, directory):
        self.directory, self.port, self.process, self.was_killed = pathlib.Path(directory), free_port(), None, False
        self.uri = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self.jdbc = f"jdbc:postgresql://127.0.0.1:{self.port}/postgres"
        # It refuses to run as root.
        self.user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        if self.user:
            entry = pwd.getpwnam("postgres")
            os.chown(self.directory, entry.pw_uid, entry.pw_gid)
        self.run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")

    def run(self, program, *arguments):
        done = subprocess.run([BIN / program, *arguments], cwd=self.directory, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, **self.user)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self):
        command = [BIN / "postgres", "-D", "data", "-c", "listen_addresses=127.0.0.1", "-c", f"port={self.port}", "-c", f"unix_socket_directories={self.directory}",
                   "-c", "max_connections=200", "-c", "fsync=on"]
        def is_up():
            with open(self.directory.parent / f"{self.directory.name}.log", "ab") as log:
                self.process = subprocess.Popen(command, cwd=self.directory, stdout=log, stderr=log, **self.user)
            wait_for(lambda: self.process.poll() is not None or self.is_ready(), what="PostgreSQL")
            return self.process.poll() is None

        # Of one that was killed a child may still be there that nobody can tell from another yet, and then the new one refuses to start.
        if self.was_killed:
            wait_for(is_up, what="PostgreSQL, after it was killed")
        else:
            assert is_up(), "PostgreSQL did not start"
        self.was_killed = False
        return self

    def is_ready(self):
        return subprocess.run([BIN / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False).returncode == 0

    def stop(self):
        if self.process:
            self.process.send_signal(3)  # SIGQUIT: at once; the next start recovers, as after a crash
            self.process.wait(timeout=60)
            self.process = None

    def kill(self):
        """SIGKILL to the postmaster; its children notice and go, and only then it can be started again."""
        self.process.kill()
        self.process.wait()
        self.process, self.was_killed = None, True
        wait_for(lambda: not self.children(), what="PostgreSQL's children to end")

    def signal_all(self, how):
        """To it and all its children."""
        for pid in [str(self.process.pid), *self.children()]:
            os.kill(int(pid), how)

    def children(self):
        found = subprocess.run(["pgrep", "-f", "^postgres: "], capture_output=True, text=True, check=False).stdout.split()
        return [pid for pid in found if self.is_ours(pid)]

    def is_ours(self, pid):
        try:
            return os.readlink(f"/proc/{pid}/cwd") == str(self.directory / "data")
        except OSError:
            return False

    def sql(self, statement):
        command = [BIN / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement, self.uri]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@functools.cache
def shared():
    directory = pathlib.Path(tempfile.mkdtemp(prefix="firn-pg-"))
    directory.chmod(0o711)
    (directory / "server").mkdir()
    p = Postgresql(directory / "server").start()
    atexit.register(lambda: (p.stop(), shutil.rmtree(directory, ignore_errors=True)))
    return p
