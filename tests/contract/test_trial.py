"""The sleep of a trial instance: half an hour without a request, 18 hours of 24; here LEANLOCAL_TRIAL makes both short."""

import re
import socket

import pytest

from helpers.waiting import wait_for

WSGI = """import os, signal, socket, sys, threading, time
BEATS = []
ASKED = []
DOOR = None
if DOOR:
    socket.create_connection(DOOR).close()  # a service of this machine: without it the app does not start

def beat():  # what works locally and dies with the first sleep
    while True:
        BEATS.append(1)
        time.sleep(0.02)

def on_term(number, frame):
    print("term: asked %d times" % len(ASKED))
    sys.stdout.flush()
    os._exit(0)

signal.signal(signal.SIGTERM, on_term)
thread = threading.Thread(target=beat)
thread.daemon = True
thread.start()

def application(environ, start_response):
    ASKED.append(environ["PATH_INFO"])
    if environ["PATH_INFO"] == "/slow":
        time.sleep(2)
    if environ["PATH_INFO"] == "/many":
        while len(BEATS) < 30:
            time.sleep(0.02)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("one %s %d" % (os.environ["LEANCLOUD_APP_INSTANCE"], len(BEATS))).encode()]
"""
FILES = {"wsgi.py": WSGI, "requirements.txt": ""}
ASLEEP = r"asleep, after (\S+ \S+) without a request.*threads and timers end"


def up_trial(up, project, limits):
    env = {"LEANLOCAL_TRIAL": limits, "LEANLOCAL_HEALTH": "period-ms=100"}
    return up(project(FILES), "--size", "trial", env=env).wait_ready()


def nothing_runs(instance, run):
    wait_for(lambda: "web" not in run("status", instance.root).stdout, "no container")


@pytest.mark.contract("P-162", "P-171", "P-174", "P-181")
def test_it_sleeps_without_requests_and_a_request_wakes_it(project, up, run):
    instance = up_trial(up, project, "idle-ms=900")
    assert instance.http("/slow").status == 200  # longer than that, and not put to sleep under it
    assert "asleep" not in instance.text
    assert instance.http("/many").status == 200
    assert instance.wait_line(ASLEEP).group(1) == "0.9 s"
    # Health checks went on all the time: they are no requests. SIGTERM came, as ever.
    asked = int(instance.wait_line(r"term: asked (\d+) times").group(1))
    assert asked >= 6
    nothing_runs(instance, run)
    assert "asleep" in run("status", instance.root).stdout.split("\n")[0]
    # Held, not refused; its thread has begun anew.
    since = instance.position()
    answer = instance.http("/")
    word, _, beats = answer.text.split()
    assert answer.status == 200 and word == "one" and int(beats) < 30
    instance.wait_line(r"a request wakes it; it is held until the app answers", since=since)
    # A save wakes it too, and then it sleeps again.
    instance.wait_line(ASLEEP, since=since)
    nothing_runs(instance, run)
    since = instance.position()
    (instance.root / "wsgi.py").write_text(WSGI.replace('"one', '"two'))
    instance.wait_line(r"^\S* *ready\b", since=since)
    instance.wait_line(ASLEEP, since=since)
    assert instance.http("/").text.startswith("two ")


@pytest.mark.contract("P-162")
def test_who_cannot_be_woken_is_not_waited_for(project, up, address):
    with socket.create_server((address, 0)) as door:
        wsgi = WSGI.replace("DOOR = None", "DOOR = %r" % (door.getsockname(),))
        instance = up(project(dict(FILES, **{"wsgi.py": wsgi})), "--size", "trial",
                      env={"LEANLOCAL_TRIAL": "idle-ms=200"}).wait_ready()
        instance.wait_line(ASLEEP)
    answer = instance.http("/")
    assert answer.status == 503 and "Connection refused" in answer.text
    instance.wait_line(r"error: .*Connection refused")


@pytest.mark.contract("P-162", "P-171")
def test_it_is_forced_to_sleep_when_it_has_run_too_long(project, up, run):
    instance = up_trial(up, project, "budget-ms=1500,window-ms=6000,room-ms=500")
    assert instance.http("/").status == 200
    instance.wait_line(r"warning: forced to sleep: a trial instance may run 1.5 s of 6.0 s; it can be woken after \d\d:\d\d:\d\d")
    answer = instance.http("/")
    assert answer.status == 503 and "forced to sleep" in answer.text and "(P-162)" in answer.text
    assert answer.headers["X-Leanlocal-Rule"] == "P-162"
    assert re.match(r"\S+: forced to sleep", run("status", instance.root).stdout)
    instance.wait_line(r"it has slept long enough")
    assert instance.http("/").status == 200
