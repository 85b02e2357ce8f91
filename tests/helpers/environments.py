"""The five kinds of host that leanlocal must work on, made from one:

    root       real root; the sandbox drops the app's ids
    user       an ordinary user, who may make user namespaces
    nested     an ordinary user's root inside another user namespace
    container  a profile that forbids namespaces and mounts (tests/tools/container.c)
    mountless  a namespace is created, mounts in it fail: Ubuntu's AppArmor rule

A test notes where it runs: note(request.node, "user"). At the end of a run the counts of what passed are printed, one for
each; a skip in an environment that this host offers, as the sandbox's own probe says there, is a failure: it would
look like a promise kept."""

import functools
import json
import os
import shutil
import subprocess
import tempfile

import pytest

ORDINARY_UID = 12345
NAMES = ["root", "user", "nested", "container", "mountless"]
NAMESPACED = ["root", "user", "nested"]  # where level full is promised
# Before a command: a part of /proc is covered, as in containers; whoever runs it needs no rights for that.
MASKED = ["unshare", "--user", "--map-root-user", "--mount", "--", "sh", "-c",
          'mount -t tmpfs none /proc/tty && exec "$@"', "sh"]
PROPERTY = "environment"
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("LEANLOCAL_BUILD", os.path.join(ROOT, "build", "dev"))


def prefix(name, container):
    """What stands before a command so that it runs there; container: the launcher, where all may read it."""
    drop = ["setpriv", "--reuid", str(ORDINARY_UID), "--regid", str(ORDINARY_UID), "--clear-groups", "--"]
    become = drop if name != "root" and os.geteuid() == 0 else []
    return become + {"nested": ["unshare", "--user", "--map-root-user", "--"], "container": [container],
                     "mountless": [container, "--mounts"]}.get(name, [])


def note(node, name):
    if (PROPERTY, name) not in node.user_properties:
        node.user_properties.append((PROPERTY, name))


def _probe(name):
    directory = tempfile.mkdtemp(prefix="ll-env-")
    try:
        os.chmod(directory, 0o755)
        for tool in ("sandbox_run", "container"):
            shutil.copy(os.path.join(BUILD, "tests", "tools", tool), directory)
        done = subprocess.run(prefix(name, os.path.join(directory, "container")) +
                              [os.path.join(directory, "sandbox_run"), "--probe"], capture_output=True, text=True,
                              check=False, env={"PATH": os.environ["PATH"]})
        return json.loads(done.stdout) if done.returncode == 0 else {"level": done.stderr.strip() or "no answer"}
    finally:
        shutil.rmtree(directory)


@functools.lru_cache(maxsize=None)
def why_not(name):
    """Why this host cannot offer it, "" when it does: asked of the sandbox's own probe, run there."""
    if name == "root" and os.geteuid() != 0:
        return "not root"
    told = _probe(name)
    if name in NAMESPACED:
        return "" if told["level"] == "full" else "level " + told["level"]
    if told["level"] != "none" or not told["notify"]["works"]:
        return "level " + told["level"]
    made = told["user-namespace"]["works"]
    return "" if made == (name == "mountless") else "no namespace to begin with: " + told["user-namespace"]["reason"]


def environments_of(report):
    return [value for name, value in report.user_properties if name == PROPERTY]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    report = outcome.get_result()
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    offered = [name for name in environments_of(report) if name in NAMES and not why_not(name)]
    if offered:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = "%s: %s, but this host offers the environment: %s" % (item.nodeid, reason, ", ".join(offered))


def counts_text(reports):
    """ "" when no test noted an environment."""
    found = [name for report in reports if report.when == "call" for name in environments_of(report)]
    if not found:
        return ""
    return "environments: " + ", ".join(
        "%s %d%s" % (name, found.count(name), "" if name in found or not why_not(name) else " (%s)" % why_not(name))
        for name in NAMES)


def pytest_terminal_summary(terminalreporter):
    text = counts_text(terminalreporter.stats.get("passed", []))
    if text:
        terminalreporter.write_line(text)
