"""What an instance may use by its size: memory, processors (P-170, P-172), one disk (P-130). The app is asked over HTTP to
take what it should not; LEANLOCAL_INSTANCE_LIMITS makes the numbers smaller where only the way matters."""

import re

import pytest
from building import OK, files

from helpers import census
from helpers.waiting import wait_for

GREEDY = """
import os, sys, threading
held = []

def burn(seconds):
    import time
    end = time.time() + seconds
    while time.time() < end:
        pass

def take(megabytes):
    block = bytearray(megabytes << 20)
    for at in range(0, len(block), 4096):
        block[at] = 1
    held.append(block)

def write(path, megabytes):
    with open(path, 'wb') as file:
        for _ in range(megabytes):
            file.write(b'x' * (1 << 20))

def application(environ, start_response):
    what = environ['PATH_INFO'].split('/')
    start_response('200 OK', [])
    try:
        if what[1] == 'heap':
            take(int(what[2]))
        elif what[1] == 'fork':
            if os.fork() == 0:
                take(int(what[2]))
                threading.Event().wait()
        elif what[1] == 'share':
            if os.fork() == 0:
                threading.Event().wait()
        elif what[1] == 'tmp':
            write('/tmp/filled', int(what[2]))
        elif what[1] == 'app':
            os.makedirs('media', exist_ok=True)
            write('media/filled', int(what[2]))
        elif what[1] == 'cpus':
            return [str(len(os.sched_getaffinity(0))).encode()]
    except OSError as error:
        return [error.strerror.encode()]
    return [b'pid %d' % os.getpid()]
"""
KILLED = r"error: (web\d+) was killed: it took (\d+) MB of memory, an instance of size (\S+) has (\d+) MB"


def greedy(project, **more):
    return project(files("", None, **{"wsgi.py": GREEDY, **more}))


def ask(instance, path):
    """The answer; None when the instance is killed before it answers."""
    try:
        status, body = instance.http(path)
    except OSError:
        return None
    return body if status == 200 else None


def wait_replaced(instance):
    instance.wait_line(r"web2 serves version")
    assert ask(instance, "/")


@pytest.fixture
def trial(project, up):
    """An app that does what it is asked for, in 256 MB and half a processor."""
    instance = up(greedy(project), "--size", "trial", "--env", "production")
    instance.wait_healthy()
    return instance


@pytest.mark.contract("P-170", "P-172", "P-130")
def test_disk_is_no_memory_but_the_heap_is(trial):
    """200 MB in /tmp of a trial instance are disk; 300 MB of heap are more than it has."""
    before = ask(trial, "/")
    assert ask(trial, "/tmp/200") == before
    assert ask(trial, "/heap/100") == before  # 300 MB in all are charged to the instance now
    since = trial.position()
    ask(trial, "/heap/200")
    name, took, size, has = trial.wait_line(KILLED, since=since).groups()
    assert (name, size, has) == ("web1", "trial", "256") and 256 < int(took) < 400
    assert "starting it again" in trial.wait_line(r"was killed: .*", since=since).string
    trial.wait_line(r"rule +P-172", since=since)
    trial.wait_line(r"--size standard-512", since=since)
    wait_replaced(trial)
    assert trial.text.count("was killed") == 1


@pytest.mark.contract("P-172")
def test_the_whole_tree_counts_and_goes(trial):
    """No process has too much of its own; together they have."""
    for _ in range(2):
        assert ask(trial, "/fork/100")
    init = trial.init_pid()
    ask(trial, "/fork/100")
    trial.wait_line(KILLED)
    wait_for(lambda: not census.alive(init), "the tree to go", 5)
    wait_replaced(trial)


@pytest.mark.contract("P-172")
def test_what_forks_share_counts_once(trial):
    """Pre-forking servers load the app once: 150 MB that three processes share are 150 MB."""
    before = ask(trial, "/heap/150")
    assert before
    for _ in range(2):
        assert ask(trial, "/share") == before
    assert ask(trial, "/heap/10") == before
    since = trial.position()
    ask(trial, "/heap/150")
    trial.wait_line(KILLED, since=since)
    assert trial.text.count("was killed") == 1


@pytest.mark.contract("P-172")
def test_a_start_that_takes_too_much_is_refused(project, run):
    """Not healthy yet: the deployment fails, and verify says so."""
    root = project(files("", None, **{"wsgi.py": "import time\nheld = b'x' * (90 << 20)\ntime.sleep(30)\n" + OK}))
    done = run("verify", root, env={"LEANLOCAL_INSTANCE_LIMITS": "memory-mb=64"})
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"web1 was killed: it took \d+ MB of memory", done.stdout), done.stdout
    assert re.search(r"rule +P-172", done.stdout)
    assert "standard-512 has 64 MB" in done.stdout


@pytest.mark.contract("P-130")
def test_a_full_disk_is_told_once_and_by_what(project, up):
    instance = up(greedy(project), env={"LEANLOCAL_INSTANCE_LIMITS": "disk-mb=32"})
    instance.wait_healthy()
    before = ask(instance, "/app/10")
    assert before.startswith(b"pid")
    assert ask(instance, "/tmp/40") in (b"No space left on device", b"Disk quota exceeded")
    told = instance.wait_line(r"warning: web1: its disk is full: .*").string
    assert "have 32 MB together" in told and re.search(r"/tmp 2\d MB, /home/leanengine/app/media 10 MB", told), told
    instance.wait_line(r"rule +P-130")
    assert ask(instance, "/tmp/40") in (b"No space left on device", b"Disk quota exceeded")
    assert ask(instance, "/") == before  # it is not killed for that
    assert instance.text.count("its disk is full") == 1


@pytest.mark.contract("P-170")
def test_a_command_of_exec_is_no_instance(project, run):
    root = greedy(project)
    done = run("exec", root, "--", "python", "-c", "print(len(bytearray(90 << 20)))",
               env={"LEANLOCAL_INSTANCE_LIMITS": "memory-mb=64"})
    assert done.returncode == 0 and done.stdout.strip() == str(90 << 20), done.stderr
