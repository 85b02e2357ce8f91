"""A private place for one test: directories, environment, address, and all that was started in it.

Everything that is started carries the place's mark; leave() ends it and takes the census."""

import itertools
import os
import shutil
import subprocess
import tempfile
import uuid

from helpers.census import Census, is_port_free
from helpers.interpreters import pyenv_root
from helpers.screen import Screen
from helpers.up import Up
from helpers.waiting import wait_for

PORT = 3000
KEPT = ("PIP_", "SSL_", "REQUESTS_CA_BUNDLE")  # what pip needs to reach the index of this host
_addresses = itertools.count(1)


def new_address():
    """An address of 127/8 that no other worker has: apps themselves live in 127.77/16."""
    pid, number = os.getpid(), next(_addresses)
    return "127.%d.%d.%d" % (100 + pid // 250 % 100, 1 + pid % 250, 1 + number % 250)


class Place:
    def __init__(self, program, cache, uid=None):
        self.root = tempfile.mkdtemp(prefix="ll-")  # short: a socket's path has 107 bytes
        self.address, self.port = new_address(), PORT
        self.mark = "LEANLOCAL_TEST_ID=" + uuid.uuid4().hex
        self.uid = uid  # None: as who the tests run
        self.program = self._program(program)
        self.env = self._environment(cache)
        self.census = Census(self.mark, self.root)
        self.running = []

    def _program(self, program):
        if self.uid is None:
            return program
        os.chmod(self.root, 0o755)  # an ordinary user may not be let into the build directory
        build = os.path.join(self.root, "build")
        os.mkdir(build)
        shutil.copy(program, build)
        locale = os.path.join(os.path.dirname(program), "locale")
        if os.path.isdir(locale):
            shutil.copytree(locale, os.path.join(build, "locale"))
        return os.path.join(build, os.path.basename(program))

    def _environment(self, cache):
        env = {name: value for name, value in os.environ.items() if name.startswith(KEPT)}
        env.update(PATH="/usr/local/bin:/usr/bin:/bin", LANG="C.UTF-8", TERM="dumb", TZ="UTC")
        for name, folder in (("HOME", "home"), ("XDG_STATE_HOME", "state"), ("XDG_RUNTIME_DIR", "run")):
            env[name] = self.directory(folder)
        env["XDG_CACHE_HOME"] = cache if self.uid is None else self.directory("cache")
        if pyenv_root() and self.uid is None:
            env["PYENV_ROOT"] = pyenv_root()
        name, value = self.mark.split("=")
        env[name] = value
        return env

    def directory(self, name):
        path = os.path.join(self.root, name)
        os.makedirs(path, mode=0o700, exist_ok=True)
        self.give(path)
        return path

    def give(self, path):
        """To the user that the program runs as."""
        if self.uid is not None:
            subprocess.run(["chown", "-hR", "%d:%d" % (self.uid, self.uid), path], check=True)

    def write(self, directory, files):
        """{path: text or bytes} into directory; its path."""
        for name, content in files.items():
            path = os.path.join(directory, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content if isinstance(content, bytes) else content.encode())
        self.give(directory)
        return directory

    def project(self, files, name="project"):
        return self.write(self.directory(name), files)

    def sample(self, path, name=None):
        """A copy of a project of the tree: tests write into it."""
        copy = os.path.join(self.root, name or os.path.basename(path))
        shutil.copytree(path, copy)
        self.give(copy)
        return copy

    def command(self, *arguments):
        become = [] if self.uid is None else [
            "setpriv", "--reuid", str(self.uid), "--regid", str(self.uid), "--clear-groups", "--"]
        return become + [self.program, *map(str, arguments)]

    def run(self, *arguments, env=None, limit_s=60, check=None, **keywords):
        """One command to its end. check: the exit code that is expected."""
        keywords.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run(self.command(*arguments), env={**self.env, **(env or {})}, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=limit_s,
                              check=False, **keywords)
        if check is not None:
            assert done.returncode == check, "%s: exit %d, not %d\n%s\n%s" % (
                " ".join(map(str, arguments)), done.returncode, check, done.stdout, done.stderr)
        return done

    def up(self, directory, *options, ready=True, env=None, **keywords):
        """`leanlocal up` in plain lines; waits until it serves unless ready=False."""
        started = Up(self, directory, options, {**self.env, **(env or {})}, **keywords)
        self.running.append(started)
        if ready:
            started.wait_ready()
        return started

    def screen(self, *arguments, size=(80, 24), env=None):
        """The program on a terminal of its own (tmux)."""
        started = Screen(self, arguments, size, {**self.env, **(env or {})})
        self.running.append(started)
        return started

    def assert_nothing_left(self, limit_s=3):
        """DESIGN's promise: within 3 s no process survives, nothing is mounted, the port is free."""
        def gone():
            return not self.census.look() and is_port_free(self.address, self.port)

        def show():
            return "alive: %s\nport free: %s" % (self.census.look(),
                                                 is_port_free(self.address, self.port))
        wait_for(gone, "nothing to be left of the test", limit_s, show)
        assert self.census.left_mounts() == []

    def leave(self):
        """Ends what runs, kills what does not end, then says so if anything was left."""
        try:
            for each in self.running:
                each.end()
            self.assert_nothing_left()
        finally:
            for pid in self.census.look():
                try:
                    os.kill(pid, 9)
                except ProcessLookupError:
                    pass
            shutil.rmtree(self.root, ignore_errors=True)
