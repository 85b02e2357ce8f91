"""Ends at any moment, of any process, by any signal; and apps that do not want to end.

LEANLOCAL_ENDS=500 makes the loop longer, LEANLOCAL_SEED=7 repeats one. A failure names its seed."""

import os
import random
import signal
import threading
import time

import pytest
from helpers import census
from helpers.place import Place
from helpers.waiting import wait_for

ENDS = int(os.environ.get("LEANLOCAL_ENDS", "60"))
SEED = int(os.environ.get("LEANLOCAL_SEED", "20260301"))
LIMIT_S = 36  # of the loop as it is in every run

APP = """
import os, signal, subprocess, time
for command in (["sleep", "1000"], ["setsid", "sleep", "1000"]):
    subprocess.Popen(command)
time.sleep(%s)
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"%s"]
"""
STUBBORN = """
import os, signal, subprocess, sys, threading, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
for _ in range(20):
    subprocess.Popen(["setsid", "sh", "-c", "trap '' TERM INT HUP; while :; do sleep 100; done"])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            time.sleep(100)
    os._exit(0)
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"x"]
"""
FORKS = """
import os, threading, time
def breed():
    while True:
        try:
            pid = os.fork()
        except OSError:
            time.sleep(0.05)
            continue
        if pid == 0:
            os.setsid()
            time.sleep(0.2)
            if os.fork():
                os._exit(0)
            time.sleep(1000)
        os.waitpid(pid, 0)
threading.Thread(target=breed, daemon=True).start()
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"x"]
"""
BUILD = "install:\n  - echo begun; sleep 0.%d\n  - {use: default}\n"
ALL_DENIED = "user-namespace,mount,proc,pid-namespace,overlay,notify"
SIGNALS = [signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT]


def app(delay, text):
    return APP % (delay, text)


# ---- what can be killed: a process of the instance, or None when it is not there now ----

def tree_of(instance):
    """The engine, and its children by what they are."""
    found = {"client": [instance.pid], "engine": [], "tree": [], "python": [], "init": []}
    alive = instance.place.census.look()
    for pid in alive:
        arguments = census.arguments(pid)
        parent = census.parent(pid)
        if arguments[1:2] == ["@engine"] and parent in (instance.pid, 1) and census.name(pid) != "leanlocal-init":
            found["engine"].append(pid)
    for pid in alive:
        if census.parent(pid) in found["engine"]:
            arguments = census.arguments(pid)
            for kind in ("tree", "python"):
                if arguments[1:2] == ["@" + kind]:
                    found[kind].append(pid)
            if census.name(pid) == "leanlocal-init":
                found["init"].append(pid)
    return found


def send(instance, kind, number):
    """Whether there was one."""
    found = tree_of(instance)[kind]
    if not found:
        return False
    try:
        os.kill(found[-1], number)
    except ProcessLookupError:
        return False
    return True


# ---- moments ----

def at_once(instance, random_):
    pass


def after_the_gateway(instance, random_):
    instance.wait_line("gateway")


def while_building(instance, random_):
    instance.wait_line("begun|ready")


def while_starting(instance, random_):
    instance.wait_line(r"start|ready", 30)


def while_serving(instance, random_):
    instance.wait_healthy(30)


def while_swapping(instance, random_):
    instance.wait_healthy(30)
    (instance.root / "wsgi.py").write_text(app("0.1", "after"))


MOMENTS = [at_once, after_the_gateway, while_building, while_starting, while_serving, while_swapping]
VICTIMS = ["client", "client", "engine", "engine", "tree", "init", "python"]


def one_end(place, root, denied, random_):
    """Starts, hurts it at some moment, and sees that all is over within 3 s."""
    moment, victim, number = random_.choice(MOMENTS), random_.choice(VICTIMS), random_.choice(SIGNALS)
    (root / "wsgi.py").write_text(app(random_.choice(["0", "0.05"]), "before"))
    if moment is while_building:
        (root / "leanengine.yaml").write_text(BUILD % random_.randrange(1, 10**6))
    elif (root / "leanengine.yaml").exists():
        (root / "leanengine.yaml").unlink()
    what = "%s of the %s %s%s, uid %s" % (number.name, victim, moment.__name__,
                                          " at level none" if denied else "", place.uid)
    instance = place.up(root, env={"LEANLOCAL_SANDBOX_DENY": denied})
    try:
        moment(instance, random_)
    except AssertionError as error:
        raise AssertionError("%s: %s" % (what, error)) from None
    aside = time.monotonic() + random_.random() * 0.08
    wait_for(lambda: time.monotonic() >= aside, what)  # any moment, not the same one each time
    hit = send(instance, victim, number)
    if victim not in ("client", "engine") or not hit:
        over = time.monotonic() + 0.1 * random_.random()
        wait_for(lambda: time.monotonic() >= over, what)
        wait_for(lambda: send(instance, "client", signal.SIGTERM) or instance.process.poll() is not None, what)
    try:
        wait_for(lambda: instance.process.poll() is not None, "the client's end", 3)
        instance.assert_gone(3, files=victim != "engine")
    except AssertionError as error:
        raise AssertionError("%s: %s\n%s" % (what, error, instance.text)) from None
    place.running.remove(instance)
    return what


def many_ends(place, denied, seed, count, failures):
    """count ends, fewer where the machine is slow; the first failure ends it."""
    random_ = random.Random(seed)
    root = place.project({"wsgi.py": app("0", "before"), "requirements.txt": ""})
    begun, done = time.monotonic(), 0
    try:
        while done < count and ("LEANLOCAL_ENDS" in os.environ or time.monotonic() - begun < LIMIT_S):
            one_end(place, root, denied, random_)
            done += 1
        instance = place.up(root, env={"LEANLOCAL_SANDBOX_DENY": denied})
        instance.wait_healthy()
        own = "-%d" % instance.engine_pid()
        assert [name for name in place.run_directories() if not name.endswith(own)] == [], "not swept"
        assert instance.stop() == 0
    except Exception as error:  # of whatever kind: it is told by the test's own thread
        failures.append("LEANLOCAL_SEED=%d, end %d: %r %s" % (seed, done, error, error))
    print("%d ends in %.0f s" % (done, time.monotonic() - begun))


def test_ends_at_any_moment(place, ordinary, leanlocal, cache):
    """On three places at a time: root, an ordinary user, and one without namespaces."""
    bare = Place(leanlocal, cache, ordinary.uid)
    failures = []
    legs = [(place, ""), (ordinary, ""), (bare, ALL_DENIED)]
    threads = [threading.Thread(target=many_ends, args=(each, denied, SEED, -(-ENDS // 3), failures))
               for each, denied in legs]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        bare.leave()
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("source", [STUBBORN, FORKS], ids=["stubborn", "forks"])
@pytest.mark.parametrize("denied", ["", ALL_DENIED, "pid-namespace"], ids=["full", "none", "no-pid-namespace"])
@pytest.mark.parametrize("victim", ["client", "engine", "init"])
def test_app_that_does_not_want_to_end(ordinary, source, denied, victim):
    root = ordinary.project({"wsgi.py": source, "requirements.txt": ""})
    instance = ordinary.up(root, env={"LEANLOCAL_SANDBOX_DENY": denied})
    instance.wait_healthy()
    if victim == "init":
        before = descendants(instance.init_pid())
        os.kill(instance.init_pid(), signal.SIGKILL)
        instance.wait_line("web2 serves version")
        wait_for(lambda: not [pid for pid in before if census.alive(pid)], "the old instance to be gone", 3)
        assert instance.stop(limit=4) == 0
    else:
        number = signal.SIGTERM if victim == "client" else signal.SIGKILL
        os.kill(instance.pid if victim == "client" else instance.engine_pid(), number)
        instance.wait_exit(4)
        instance.assert_gone(3, files=victim == "client")


def descendants(pid):
    found = census.children(pid)
    for child in list(found):
        found += descendants(child)
    return found
