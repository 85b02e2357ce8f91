"""Drives tests/tools/sandbox_run: each test in each environment of helpers/environments.py that it is for.

The build directory is LEANLOCAL_BUILD, else build/dev. Nothing sleeps: wait_for() looks every 20 ms.
"""

import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from helpers import environments
from helpers.environments import BUILD, ORDINARY_UID, ROOT  # noqa: F401

APP_UID = 54321  # sandbox_run's --host-uid
PYTHON = "/usr/bin/python3"
LEGS = [name for name in environments.NAMES if name != "root" or os.geteuid() == 0]
_addresses = itertools.count(1)


def wait_for(condition, what, limit_s=10):
    end = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail("waited %d s for %s" % (limit_s, what))
        time.sleep(0.02)


def marked(mark):
    """Processes of the host that carry the mark in their environment: the census."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/environ" % pid, "rb") as file:
                if mark.encode() in file.read():
                    found.append(int(pid))
        except OSError:
            pass
    return found


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


def new_address():
    number = os.getpid() * 50 + next(_addresses)
    return "127.77.%d.%d" % (100 + number // 250 % 150, 1 + number % 250)


class Box:
    """One leg: how the driver is started, where its files are."""

    def __init__(self, leg, directory):
        self.leg = leg
        self.directory = directory
        self.drop = leg != "root" and os.geteuid() == 0
        self.host_uid = APP_UID if leg == "root" else (ORDINARY_UID if self.drop else os.getuid())
        self.mark = "LEANLOCAL_TEST_MARK=%d-%s" % (os.getpid(), os.path.basename(directory))
        for name in ("sandbox_run", "sandbox_attack", "container"):
            shutil.copy(os.path.join(BUILD, "tests", "tools", name), directory)
        self.driver = os.path.join(directory, "sandbox_run")
        self.events_path = os.path.join(directory, "events")

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def give(self, path):
        """To the user that the app is outside."""
        if os.geteuid() == 0:
            subprocess.run(["chown", "-hR", "%d:%d" % (self.host_uid, self.host_uid), path], check=True)

    def write(self, name, text, mode=0o755):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def command(self, *options):
        if os.path.exists(self.events_path):
            os.unlink(self.events_path)
        private = self.path("private")
        shutil.rmtree(private, ignore_errors=True)
        os.mkdir(private)
        if os.geteuid() == 0:
            uid = ORDINARY_UID if self.drop else 0
            os.chown(private, uid, uid)
            os.chown(self.directory, uid, uid)
        return environments.prefix(self.leg, self.path("container")) + [self.driver, "--events", self.events_path, "--private", private,
                        "--env", self.mark, *options]

    def start(self, *arguments, deny="", options=(), **keywords):
        environment = dict(os.environ, LEANLOCAL_SANDBOX_DENY=deny)
        return subprocess.Popen(self.command(*options) + ["--", *arguments], env=environment,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, **keywords)

    def run(self, *arguments, deny="", options=(), limit_s=20):
        process = self.start(*arguments, deny=deny, options=options)
        try:
            out, err = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def shell(self, script, **keywords):
        return self.run("/bin/sh", "-c", script, **keywords)

    def python(self, script, **keywords):
        return self.run(PYTHON, "-c", script, **keywords)

    def attack(self, name, **keywords):
        options = list(keywords.pop("options", ())) + ["--bind", self.path("sandbox_attack") + ":/attack"]
        result = self.run("/attack", name, options=options, **keywords)
        assert result.returncode == 0, result
        return result.stdout.strip()

    def events(self, kind=None):
        try:
            with open(self.events_path) as file:
                events = [json.loads(line) for line in file if line.endswith("\n")]
        except FileNotFoundError:
            return []
        return [event for event in events if kind in (None, event["event"])]

    def wait_event(self, kind, count=1):
        wait_for(lambda: len(self.events(kind)) >= count, "%d event(s) %s" % (count, kind))
        return self.events(kind)

    def probe(self, deny=""):
        result = subprocess.run(self.command("--probe"), capture_output=True, text=True, check=True,
                                env=dict(os.environ, LEANLOCAL_SANDBOX_DENY=deny))
        return json.loads(result.stdout)


def legs_of(markers, names):
    """full: none but those where level full is promised. A mark may choose among them."""
    chosen = [name for marker in markers for name in marker.args] or LEGS
    return [name for name in LEGS if name in chosen and ("full" not in names or name in environments.NAMESPACED)]


def parametrize_box(metafunc):
    if "box" in metafunc.fixturenames:
        markers = metafunc.definition.iter_markers("environments")
        metafunc.parametrize("box", legs_of(markers, metafunc.fixturenames), indirect=True)


@pytest.fixture
def box(request):
    environments.note(request.node, request.param)
    if not os.path.exists(os.path.join(BUILD, "tests", "tools", "sandbox_run")):
        pytest.fail("not built: %s/tests/tools/sandbox_run (set LEANLOCAL_BUILD)" % BUILD)
    directory = tempfile.mkdtemp(prefix="leanlocal-sandbox-")
    os.chmod(directory, 0o755)
    made = Box(request.param, directory)
    mounts = open("/proc/self/mountinfo").read()
    yield made
    left = wait_for(lambda: [marked(made.mark)] if not marked(made.mark) else None,
                    "no process of the test to be left", 5)[0]
    assert left == []
    assert open("/proc/self/mountinfo").read() == mounts, "a mount was left on the host"
    shutil.rmtree(directory)


@pytest.fixture
def full(box):
    level = box.probe()
    if level["level"] != "full":
        pytest.skip("this host is not at level full: %s" % level)
    return box


def end(process, number=signal.SIGTERM):
    process.send_signal(number)
    process.communicate(timeout=10)
