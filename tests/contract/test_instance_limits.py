"""What an instance may use by its size: memory, processors (P-170, P-172), one disk (P-130). The app is asked over HTTP to
take what it should not; LEANLOCAL_INSTANCE_LIMITS makes the numbers smaller where only the way matters.

Where a control group of our own can be had, all is shown twice: with it, and with the look at the process tree that
takes its place elsewhere."""

import os
import re
import signal

import pytest
from building import OK, files

from helpers import census
from helpers.explained import explain
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
            return [b'%d' % len(os.sched_getaffinity(0))]
        elif what[1] == 'burn':  # CPU time that two processes get in a second
            for _ in range(2):
                if os.fork() == 0:
                    burn(1)
                    os._exit(0)
            for _ in range(2):
                os.wait()
            used = os.times()
            return [b'%d' % (1000 * (used.children_user + used.children_system))]
    except OSError as error:
        return [error.strerror.encode()]
    return [b'pid %d' % os.getpid()]
"""
HEAVY = "import time\nheld = bytearray(b'x' * (90 << 20))\ntime.sleep(30)\n" + OK
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


def refused_for_memory(run, root, denied):
    done = run("verify", root, env={"LEANLOCAL_INSTANCE_LIMITS": "memory-mb=64",
                                    "LEANLOCAL_SANDBOX_DENY": denied})
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"web1 was killed: it took \d+ MB of memory", done.stdout), done.stdout
    assert re.search(r"rule +P-172", done.stdout)
    assert "standard-512 has 64 MB" in done.stdout


def mechanisms(run, root):
    """What limits memory and processors here: ("cgroup v2 /sys/...", "...")."""
    rows = explain(run, root, section="host").rows
    return rows["memory"], rows["processors"]


def need_groups(run, root):
    found = mechanisms(run, root)
    if not all(each.startswith("cgroup") for each in found):
        pytest.skip("no control group of our own can be had here: %s, %s" % found)
    return found


@pytest.fixture(params=["group", "tree"])
def trial(request, project, up, run):
    """An app that does what it is asked for, in 256 MB and half a processor."""
    root = greedy(project)
    if request.param == "group":
        need_groups(run, root)
    env = {"LEANLOCAL_SANDBOX_DENY": "cgroup"} if request.param == "tree" else {}
    instance = up(root, "--size", "trial", "--env", "production", env=env)
    instance.wait_healthy()
    instance.grouped = request.param == "group"
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
@pytest.mark.parametrize("denied", ["", "cgroup", "cgroup,pid-namespace", "cgroup,mount"])
def test_a_start_that_takes_too_much_is_refused(project, run, denied):
    """Not healthy yet: the deployment fails, and verify says so; whatever this host can do."""
    refused_for_memory(run, project(files("", None, **{"wsgi.py": HEAVY})), denied)


@pytest.mark.contract("P-172")
def test_an_ordinary_user_has_the_same_limit(ordinary, run_as_user):
    refused_for_memory(run_as_user, ordinary.project(files("", None, **{"wsgi.py": HEAVY})), "")


@pytest.mark.contract("P-172")
def test_what_grows_faster_than_anybody_looks_is_killed_by_the_kernel(project, up, run):
    """The backstop is size, disk and /dev/shm together; what it kills is told in the same words."""
    root = greedy(project)
    need_groups(run, root)
    instance = up(root, env={"LEANLOCAL_INSTANCE_LIMITS": "memory-mb=64,disk-mb=16"})
    instance.wait_healthy()
    ask(instance, "/heap/700")
    instance.wait_line(KILLED)
    wait_replaced(instance)


@pytest.mark.contract("P-170")
def test_processors(trial):
    """Half of one by a group; without it a whole one, and that is said."""
    if trial.grouped:
        assert int(ask(trial, "/burn")) < 800  # 2000 without a limit
    else:
        assert ask(trial, "/cpus") == b"1"
        assert "deviation: the app may use a whole processor here, in the cloud 0.5 of one" in trial.text


def groups_of(instance):
    return census.groups({instance.engine_pid()})


def test_groups_go_with_their_instance(project, up, run):
    root = greedy(project)
    need_groups(run, root)
    instance = up(root)
    instance.wait_healthy()
    before = groups_of(instance)
    assert before and all("web1" in path for path in before)
    assert all(open(os.path.join(path, "cgroup.procs")).read() for path in before)
    (root / "wsgi.py").write_text(GREEDY + "# saved\n")
    instance.wait_line(r"ready .*", since=instance.position())
    wait_for(lambda: not set(before) & set(groups_of(instance)), "the first one's groups to go", 15)
    engine = instance.engine_pid()
    assert instance.stop() == 0
    assert census.groups({engine}) == []


def test_groups_of_a_dead_engine_are_swept_at_the_next_start(project, up, run):
    root = greedy(project)
    need_groups(run, root)
    instance = up(root)
    instance.wait_healthy()
    engine = instance.engine_pid()
    assert groups_of(instance)
    os.kill(instance.process.pid, signal.SIGSTOP)  # else it would remove them
    os.kill(engine, 9)
    os.kill(instance.process.pid, 9)
    instance.wait_exit()
    assert census.groups({engine})  # nobody was there to remove them
    assert run("build", root).returncode == 0
    wait_for(lambda: not census.groups({engine}), "the sweep", 5)


def test_groups_of_a_killed_engine_are_removed_by_its_client(project, up, run):
    root = greedy(project)
    need_groups(run, root)
    instance = up(root)
    instance.wait_healthy()
    engine = instance.engine_pid()
    assert groups_of(instance)
    os.kill(engine, 9)
    assert instance.wait_exit() == 3
    wait_for(lambda: not census.groups({engine}), "the client to remove them", 5)


@pytest.mark.contract("P-130")
def test_a_full_disk_is_told_once_and_by_what(project, up):
    instance = up(greedy(project), env={"LEANLOCAL_INSTANCE_LIMITS": "disk-mb=32"})
    instance.wait_healthy()
    before = ask(instance, "/app/10")
    assert before.startswith(b"pid")
    assert ask(instance, "/tmp/40") == b"No space left on device"
    told = instance.wait_line(r"warning: web1: its disk is full: .*").string
    assert "have 32 MB together" in told and re.search(r"/tmp 2\d MB, /home/leanengine/app/media 10 MB", told), told
    assert told.endswith('The app gets "No space left on device", in the cloud "Disk quota exceeded"')
    instance.wait_line(r"rule +P-130")
    assert ask(instance, "/tmp/40") == b"No space left on device"
    assert ask(instance, "/") == before  # it is not killed for that
    assert instance.text.count("its disk is full") == 1


@pytest.mark.contract("P-170")
def test_a_command_of_exec_is_no_instance(project, run):
    root = greedy(project)
    done = run("exec", root, "--", "python", "-c", "print(len(bytearray(90 << 20)))",
               env={"LEANLOCAL_INSTANCE_LIMITS": "memory-mb=64"})
    assert done.returncode == 0 and done.stdout.strip() == str(90 << 20), done.stderr
