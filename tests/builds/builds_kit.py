"""Drives tests/tools/build_run: one build in a place of its own, its report as an object.

The build directory is LEANLOCAL_BUILD, else build/dev."""

import os
import shutil
import subprocess
import tempfile

import pytest

from helpers.wheels import Wheelhouse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("LEANLOCAL_BUILD", os.path.join(ROOT, "build", "dev"))
DRIVER = os.path.join(BUILD, "tests", "tools", "build_run")
APP_UID = 61777  # build_run's
KEPT = ("PATH", "HOME", "PYENV_ROOT")


class Report:
    """What one run of the driver said."""

    def __init__(self, code, text):
        self.code = code
        self.text = text
        self.lines = text.splitlines()

    def starting(self, word):
        return [line[len(word) + 1:] for line in self.lines if line.startswith(word + " ")]

    def states(self, stage):
        return [line.split()[1] for line in self.starting("stage") if line.split()[0] == stage]

    @property
    def output(self):
        return [line.split(" ", 1)[1] for line in self.starting("output")]

    @property
    def layer(self):
        return self.starting("layer")[0].split()[0]

    @property
    def app(self):
        return self.starting("app")


class Builds:
    """A project, a cache and a wheelhouse that the app's user can read."""

    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="ll-build-")
        os.chmod(self.root, 0o755)
        self.project = os.path.join(self.root, "project")
        self.cache = os.path.join(self.root, "cache")
        os.mkdir(self.project)
        os.mkdir(self.cache)
        self.house = Wheelhouse(os.path.join(self.root, "house"))
        self.env = {name: os.environ[name] for name in KEPT if name in os.environ}
        self.env.update(self.house.env)

    def write(self, files):
        for name, text in files.items():
            path = os.path.join(self.project, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(text if isinstance(text, bytes) else text.encode())

    def give(self):
        """To the app's user, as a version's files are."""
        if os.geteuid() == 0:
            for here, dirs, files in os.walk(self.project):
                for name in [here] + [os.path.join(here, each) for each in dirs + files]:
                    os.lchown(name, APP_UID, APP_UID)

    def command(self, *options, command=()):
        after = ["--"] + list(command) if command else []
        return [DRIVER] + list(options) + [self.project, self.cache] + after

    def start(self, *options, env=None):
        return subprocess.Popen(self.command(*options), env=dict(self.env, **(env or {})),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, universal_newlines=True)

    def run(self, *options, command=(), env=None, check=0):
        done = subprocess.run(self.command(*options, command=command), stdin=subprocess.DEVNULL,
                              env=dict(self.env, **(env or {})), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, universal_newlines=True, timeout=120)
        if check is not None:
            assert done.returncode == check, done.stdout
        return Report(done.returncode, done.stdout)

    def leftovers(self):
        """What the cache holds besides complete layers, locks and salts."""
        layers = os.path.join(self.cache, "layers")
        names = os.listdir(layers) if os.path.isdir(layers) else []
        return [name for name in names if name.startswith(("tmp-", "home-")) or (
            os.path.isdir(os.path.join(layers, name))
            and not os.path.exists(os.path.join(layers, name, ".leanlocal", "layer.json")))]

    def layers(self):
        layers = os.path.join(self.cache, "layers")
        return [name for name in os.listdir(layers) if os.path.isdir(os.path.join(layers, name))]

    def leave(self):
        shutil.rmtree(self.root, ignore_errors=True)


@pytest.fixture
def builds():
    if not os.access(DRIVER, os.X_OK):
        pytest.fail("not built: %s (./dev build dev, or set LEANLOCAL_BUILD)" % DRIVER)
    made = Builds()
    yield made
    made.leave()
