"""A private place for one test: directories, environment, address, and all that was started in it.

Everything that is started carries the place's mark; leave() ends it and takes the census."""

import itertools
import os
import pathlib
import shutil
import subprocess
import tempfile
import uuid

from helpers.census import Census
from helpers.interpreters import pyenv_root
from helpers.screen import Screen
from helpers.up import PORT, Up
from helpers.waiting import wait_for

# What pip needs to reach the index of this host, and what a sanitized build is told.
KEPT = ("PIP_", "SSL_", "REQUESTS_CA_BUNDLE", "ASAN_", "UBSAN_", "LSAN_")
_addresses = itertools.count(1)


def new_address():
    """An address of 127/8 that no other worker has: apps themselves live in 127.77/16."""
    pid, number = os.getpid(), next(_addresses)
    return "127.%d.%d.%d" % (100 + (pid // 250 + number // 250 * 50) % 100, 1 + pid % 250,
                             1 + number % 250)


class Place:
    def __init__(self, program, cache, uid=None):
        self.root = tempfile.mkdtemp(prefix="ll-")  # short: a socket's path has 107 bytes
        os.chmod(self.root, 0o755)
        self.mark = "LEANLOCAL_TEST_ID=" + uuid.uuid4().hex
        self.uid = uid  # None: as who the tests run
        self.program = program if uid is None else self._copy_program(program)
        self.cache = cache if uid is None else self.directory("cache")
        self.env = self._environment()
        self.census = Census(self.mark, self.root)
        self.address, self.port = new_address(), PORT  # of the first `up`
        self.running = []

    def _copy_program(self, program):
        """An ordinary user may not be let into the build directory."""
        build = os.path.join(self.root, "build")
        os.mkdir(build)
        shutil.copy(program, build)
        locale = os.path.join(os.path.dirname(program), "locale")
        if os.path.isdir(locale):
            shutil.copytree(locale, os.path.join(build, "locale"))
        return os.path.join(build, os.path.basename(program))

    def _environment(self):
        env = {name: value for name, value in os.environ.items() if name.startswith(KEPT)}
        env.update(PATH="/usr/local/bin:/usr/bin:/bin", LANG="C.UTF-8", TERM="dumb", TZ="UTC",
                   XDG_CACHE_HOME=self.cache)
        for name, folder in (("HOME", "home"), ("XDG_STATE_HOME", "state"), ("XDG_RUNTIME_DIR", "run")):
            env[name] = self.directory(folder)
        if pyenv_root() and self.uid is None:
            env["PYENV_ROOT"] = pyenv_root()
        name, value = self.mark.split("=")
        env[name] = value
        return env

    # ---- files ----

    def directory(self, name):
        path = os.path.join(self.root, name)
        os.makedirs(path, mode=0o700, exist_ok=True)
        self.give(path)
        return path

    def give(self, path):
        """To the user that the program runs as."""
        if self.uid is not None:
            subprocess.run(["chown", "-hR", "%d:%d" % (self.uid, self.uid), str(path)], check=True)

    def _new_directory(self, name):
        path = pathlib.Path(self.root, name)
        number = 1
        while path.exists():
            number += 1
            path = pathlib.Path(self.root, "%s-%d" % (name, number))
        return path

    def project(self, files, name="project"):
        """A directory of {path: text or bytes}."""
        root = self._new_directory(name)
        root.mkdir(mode=0o755)
        for file, content in files.items():
            path = root / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.give(root)
        return root

    def copy_project(self, source):
        """A copy of a directory of the tree, which the test may write into."""
        root = self._new_directory(os.path.basename(os.path.normpath(source)))
        shutil.copytree(source, root, ignore=shutil.ignore_patterns("__pycache__", ".leancloud"))
        self.give(root)
        return root

    sample = copy_project

    # ---- programs ----

    def command(self, *arguments):
        become = [] if self.uid is None else [
            "setpriv", "--reuid", str(self.uid), "--regid", str(self.uid), "--clear-groups", "--"]
        return become + [self.program, *map(str, arguments)]

    def run(self, *arguments, env=None, limit_s=120, close_stdin=False, **more):
        """One command to its end: returncode, stdout, stderr (text). input="..." is its stdin."""
        if close_stdin:
            more["preexec_fn"] = lambda: os.close(0)
        elif not {"input", "stdin"} & set(more):
            more["stdin"] = subprocess.DEVNULL
        return subprocess.run(self.command(*arguments), env={**self.env, **(env or {})}, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              timeout=more.pop("timeout", limit_s), **more)

    def up(self, root, *options, ready=False, env=None):
        """`leanlocal up` in plain lines, on an address of its own. Waits only when ready=True."""
        again = any(isinstance(each, Up) and each.process.poll() is None for each in self.running)
        address = new_address() if again else self.address
        started = Up(self, root, address, options, {**self.env, **(env or {})})
        self.running.append(started)
        return started.wait_healthy() if ready else started

    def screen(self, *arguments, size=(80, 24), env=None):
        """The program on a terminal of its own (tmux)."""
        started = Screen(self, arguments, size, {**self.env, **(env or {})})
        self.running.append(started)
        return started

    # ---- the end ----

    def run_directories(self):
        """Of all engines of this place's projects, dead or alive. Named <project>-<pid> in the cache."""
        runs = os.path.join(self.cache, "leanlocal", "run")
        names = os.listdir(runs) if os.path.isdir(runs) else []
        pids = {str(pid) for pid, _ in self.census.seen}
        projects = {name.rpartition("-")[0] for name in names if name.rpartition("-")[2] in pids}
        return sorted(os.path.join(runs, name) for name in names
                      if name.rpartition("-")[0] in projects)

    def assert_nothing_left(self, within=3):
        """DESIGN's promise: no process survives, nothing is mounted."""
        wait_for(lambda: not self.census.look(), "no process to be left of the test", within,
                 lambda: "\n".join("%d %s" % each for each in self.census.look().items()))
        assert self.census.left_mounts() == []

    def assert_no_group_left(self, within=3):
        wait_for(lambda: not self.census.left_groups(), "no control group to be left", within,
                 self.census.left_groups)

    def sweep_groups(self):
        """Those of a killed engine go at the next start, whatever the project."""
        if self.census.left_groups():
            self.run("build", self.directory("empty"))
            self.assert_no_group_left(10)

    def leave(self):
        """Ends what runs; then says so if anything was left, and kills it."""
        try:
            for each in self.running:
                each.end()
            self.assert_nothing_left()
            self.sweep_groups()
        finally:
            for pid in self.census.look():
                try:
                    os.kill(pid, 9)
                except ProcessLookupError:
                    pass
            for directory in self.run_directories():
                shutil.rmtree(directory, ignore_errors=True)
            shutil.rmtree(self.root, ignore_errors=True)
