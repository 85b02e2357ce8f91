"""Several instances of an app: how a save, a restart and a death go through them, and what a client sees of it."""

import collections
import os
import re
import signal
import socket
import threading

import pytest

from helpers.census import children, name
from helpers.load import Load

WSGI = """import os, time
MARK = "one"
ME = os.environ["LEANCLOUD_APP_INSTANCE"]
SEEN = []

def application(environ, start_response):
    what = environ["PATH_INFO"].strip("/")
    if what == "write":
        open("/tmp/written", "w").close()
        SEEN.append(1)
    elif what == "slow":
        time.sleep(2)
    elif what == "bad":
        SEEN.append("bad")
    elif what == "grow":
        SEEN.append(b"x" * (120 << 20))
        time.sleep(30)
    answer = "%s %s %s %d" % (MARK, ME, os.path.exists("/tmp/written"), len(SEEN))
    start_response("500 Sorry" if "bad" in SEEN else "200 OK", [("Content-Type", "text/plain")])
    return [answer.encode()]
"""
FILES = {"wsgi.py": WSGI, "requirements.txt": ""}


def of(mark):
    return WSGI.replace('"one"', '"%s"' % mark)


def answers(instance, count=9):
    """{instance: its mark} of so many requests, one after the other."""
    return dict(reversed(instance.http("/").text.split()[:2]) for _ in range(count))


def serving(instance, mark, names):
    """Until these and no others answer, each with that mark."""
    want = {each: mark for each in names}
    instance.wait_until(lambda: answers(instance) == want, 30)


class Clients(threading.Thread):
    """Asks without a pause; what is no 200 is kept."""

    def __init__(self, instance):
        super().__init__(daemon=True)
        self.instance, self.bad, self.seen = instance, [], collections.Counter()
        self.ending = threading.Event()
        self.start()

    def run(self):
        while not self.ending.is_set():
            try:
                answer = self.instance.http("/")
                self.seen[answer.text.split()[0]] += 1
                if answer.status != 200:
                    self.bad.append(answer)
            except OSError as error:
                self.bad.append(error)

    def finish(self):
        self.ending.set()
        self.join(20)
        assert self.seen and self.bad == []


@pytest.fixture
def three(project, up):
    instance = up(project(FILES), "--instances", "3")
    instance.wait_healthy()
    return instance


@pytest.mark.contract("P-133", "P-156", "P-170", "P-173", "P-176")
def test_three_answer_in_turn_and_a_save_goes_through_them(three):
    names = ["web1-1", "web2-2", "web3-3"]
    turn = [three.http("/").text.split()[1] for _ in range(9)]
    assert sorted(turn[:3]) == names and turn[:3] == turn[3:6] == turn[6:9]
    assert three.http("/write").text.split()[2:] == ["True", "1"]
    shared = collections.Counter(three.http("/").text.split(" ", 2)[2] for _ in range(6))
    assert shared == {"True 1": 2, "False 0": 4}  # neither files nor memory
    clients = Clients(three)
    (three.root / "wsgi.py").write_text(of("two"))
    for number in (1, 2, 3):
        three.wait_line(r"web%d-%d serves version \S+ \(%d of 3\)" % (number, number + 3, number))
    three.wait_line(r"ready +\S+.* in \d+ ms", since=three.position() - 1)
    serving(three, "two", ["web1-4", "web2-5", "web3-6"])
    clients.finish()
    assert set(clients.seen) <= {"one", "two"}


@pytest.mark.contract("P-173", "P-174")
def test_a_broken_save_changes_nothing_and_one_that_breaks_later_neither(three):
    clients = Clients(three)
    (three.root / "wsgi.py").write_text("def broken(:\n")
    three.wait_line(r"failed +.*wsgi\.py:1: SyntaxError.*keeps serving")
    serving(three, "one", ["web1-1", "web2-2", "web3-3"])
    # Its second instance does not start: the first one has served, and is taken back.
    (three.root / "wsgi.py").write_text("import os\nassert os.environ['LEANCLOUD_APP_INSTANCE'] != 'web2-6'\n" + of("two"))
    three.wait_line(r"failed +.*AssertionError.*keeps serving")
    three.wait_line(r"it was instance 2 of 3; all of them serve version \S+ again")
    serving(three, "one", ["web1-1", "web2-2", "web3-3"])
    (three.root / "wsgi.py").write_text(of("three"))
    serving(three, "three", ["web1-7", "web2-8", "web3-9"])
    clients.finish()


@pytest.mark.contract("P-173")
def test_a_save_during_a_rollout_wins(three):
    clients = Clients(three)
    slow = "import os, time\nif os.environ['LEANCLOUD_APP_INSTANCE'] == 'web2-5':\n    time.sleep(60)\n"
    (three.root / "wsgi.py").write_text(slow + of("two"))
    three.wait_line(r"web1-4 serves version \S+ \(1 of 3\)")
    (three.root / "wsgi.py").write_text(of("three"))
    serving(three, "three", ["web1-6", "web2-7", "web3-8"])
    clients.finish()


def inits(instance):
    return [pid for pid in children(instance.engine_pid()) if name(pid) == "leanlocal-init"]


def ask_each(instance, count, data):
    """One slow request after the other, so that each instance has one: [thread], [answer]."""
    got, threads = [], []
    for number in range(count):
        threads.append(threading.Thread(target=lambda: got.append(instance.http("/slow", data=data)), daemon=True))
        threads[-1].start()
        instance.wait_connections(number + 1 + (3 if data is None else 0))
    return threads, got


@pytest.mark.contract("P-155", "P-156", "P-172", "P-179")
def test_who_is_killed_is_replaced_while_the_others_serve(project, up):
    """Lost is what was under way there and may not be repeated; nothing else."""
    three = up(project(FILES), "--instances", "3", env={"LEANLOCAL_INSTANCE_LIMITS": "memory-mb=64"})
    three.wait_healthy()
    posts, posted = ask_each(three, 3, b"x")
    gets, got = ask_each(three, 3, None)
    os.kill(inits(three)[1], signal.SIGKILL)
    three.wait_line(r"its sandbox is gone.*starting it again")
    assert three.http("/").status == 200
    three.wait_line(r"web\d-4 serves version \S+ now")
    for thread in posts + gets:
        thread.join(30)
    assert sorted(each.status for each in posted) == [200, 200, 502]
    assert [each.status for each in got] == [200, 200, 200]
    three.wait_until(lambda: len(answers(three)) == 3)
    clients = Clients(three)
    assert three.http("/grow", data=b"x").status == 502  # P-172
    three.wait_line(r"was killed: it took \d+ MB of memory.*starting it again")
    three.wait_until(lambda: len(answers(three)) == 3)
    clients.finish()
    status = three.run("status", three.root).stdout
    assert re.search(r"requests +\d+, 2 lost", status), status


def init_of(instance, name_):
    """The first process of that instance: its app's variables name it."""
    for init in inits(instance):
        for app in children(init):
            with open("/proc/%d/environ" % app, "rb") as file:
                if b"LEANCLOUD_APP_INSTANCE=%s\0" % name_.encode() in file.read():
                    return init
    raise AssertionError("no process of %s" % name_)


@pytest.mark.contract("P-131", "P-173", "P-175")
def test_restart_and_move_with_several(three):
    clients = Clients(three)
    assert three.run("restart", three.root, "--reschedule").returncode == 0
    three.wait_line(r"rescheduled: version \S+ in a new container; what web1-1 has written is lost")
    three.wait_line(r"cloud +正在创建新实例 \.\.\.")
    three.wait_line(r"cloud +正在启动新实例 \.\.\.")
    serving(three, "one", ["web1-4", "web2-2", "web3-3"])
    assert three.run("restart", three.root).returncode == 0
    serving(three, "one", ["web1-5", "web2-6", "web3-7"])
    three.wait_line(r"serves in new containers")
    clients.finish()
    three.stop()  # within 3 s nothing is left


@pytest.mark.contract("P-133")
def test_several_on_the_screen_and_what_they_share(place):
    """What persist keeps is one for all of them, which the cloud's instances do not have: said."""
    root = place.project({**FILES, ".leanlocal.yaml": "persist: [kept/]\ninstances: 2\n"})
    screen = place.screen("up", root, "--host", place.address, size=(120, 30))
    screen.wait_text(r"web2-2 2 of 2 +cpu", 30)
    screen.wait_text(r"the 2 instances share kept")
    screen.send_keys("q")
    screen.wait_exit()


HASTY = "period-ms=100,retry-ms=100,failures=8,pause-first-ms=50,redeploy-ms=1500"


@pytest.mark.contract("P-107", "P-156", "P-172", "P-179")
def test_one_that_fails_its_checks_is_passed_over_and_one_that_cannot_start_is_tried_again(project, up):
    refuses = "import os\nassert os.environ['LEANCLOUD_APP_INSTANCE'] != 'web2-4'\n"
    instance = up(project({**FILES, "wsgi.py": refuses + WSGI}), "--instances", "2", env={"LEANLOCAL_HEALTH": HASTY})
    instance.wait_healthy()
    bad = instance.http("/bad").text.split()[1]
    instance.wait_line(r"health +%s .*500" % bad)
    assert set(answers(instance)) == {"web1-1", "web2-2"} - {bad}  # passed over
    instance.wait_line(r"%s is no longer healthy, 8 times in a row.*restarting" % bad)
    instance.wait_line(r"web\d-3 serves version")
    instance.wait_until(lambda: set(answers(instance)) == {"web1-1", "web2-2"} - {bad} | {"web%s-3" % bad[3]})
    second = [each for each in answers(instance) if each.startswith("web2")][0]
    os.kill(init_of(instance, second), signal.SIGKILL)
    instance.wait_line(r"AssertionError.*starting it again in 1\.5 s")  # web2-4, P-179
    assert set(answers(instance)) == {"web1-1" if bad != "web1-1" else "web1-3"}
    instance.wait_line(r"web2-5 serves version")
    instance.wait_until(lambda: len(answers(instance)) == 2)


STUBBORN = """import os, signal, sys, time
pid = os.fork()
if pid == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(60)

def gone(number, frame):
    print("cleaning up", flush=True)
    time.sleep(1)
    print("cleaned up", flush=True)
    os._exit(0)

signal.signal(signal.SIGTERM, gone)
"""


@pytest.mark.contract("P-174")
def test_the_old_one_may_clean_up_and_then_the_whole_tree_goes(project, up):
    root = project({"wsgi.py": STUBBORN + WSGI, "requirements.txt": ""})
    instance = up(root)
    instance.wait_healthy()
    old = inits(instance)
    assert children(old[0])
    (root / "wsgi.py").write_text(of("two"))
    instance.wait_body(b"two")
    instance.wait_line(r"web1 .*cleaning up")
    instance.wait_line(r"web1 .*cleaned up")
    instance.wait_until(lambda: not set(old) & set(inits(instance)), 20)


@pytest.mark.contract("P-173")
def test_reloads_under_a_steady_load_lose_nothing(project, up):
    """The short form of ./dev bench reloads."""
    instance = up(project(FILES), "--instances", "2")
    instance.wait_healthy()
    load = Load(instance.address, instance.port, 200)
    for number in range(12):
        since = instance.position()
        (instance.root / "wsgi.py").write_text(of("v%d" % number))
        instance.wait_line(r"^\S* *ready\b", since=since)
    load.finish()
    assert len(load.times) > 100 and load.lost == []


STREAMS = """
def stream(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    for number in itertools.count():
        yield b"data: %d\\n\\n" % number
        time.sleep(0.05)

def hold(environ, start_response):
    environ["wsgi.input"].read(5)  # until the client says so
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [MARK.encode()]

def route(environ, start_response):
    app = {"/stream": stream, "/hold": hold}.get(environ["PATH_INFO"], application)
    return app(environ, start_response)
"""


def routed(mark):
    return "import itertools\n" + of(mark).replace("def application(", "def plain(") + STREAMS.replace(
        "def route(", "def application(").replace("application)", "plain)")


def hold(instance):
    """A request whose body is not there yet."""
    held = socket.create_connection((instance.address, instance.port), timeout=30)
    held.sendall(b"POST /hold HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n")
    return held


@pytest.mark.contract("P-173")
def test_streams_of_the_third_that_drains_end_and_requests_never(project, up):
    instance = up(project({"wsgi.py": routed("one"), "requirements.txt": ""}))
    instance.wait_healthy()
    held = [hold(instance)]
    with instance.open("/stream") as stream:
        for mark in ("two", "three"):
            (instance.root / "wsgi.py").write_text(routed(mark))
            instance.wait_body(mark.encode())
            held.append(hold(instance))  # so that it drains as well
            stream.bytes = b""
            stream.read_until(b"data: ")  # it goes on
        (instance.root / "wsgi.py").write_text(routed("four"))
        instance.wait_body(b"four")
        with pytest.raises(AssertionError, match="it ended"):
            while True:
                stream.bytes = b""
                stream.read_until(b"data: ")
    for each in held:
        each.sendall(b"hello")
        assert b"200 OK" in each.recv(65536)
        each.close()


@pytest.mark.contract("P-173")
def test_drain_as_the_cloud_does(project, up):
    """The old one has nothing to do any more, and is there nevertheless."""
    instance = up(project(FILES), "--drain", "cloud")
    instance.wait_healthy()
    old = inits(instance)
    (instance.root / "wsgi.py").write_text(of("two"))
    instance.wait_body(b"two")
    for number in (3, 4):  # such as have come later are not through earlier
        (instance.root / "wsgi.py").write_text(of("v%d" % number))
        instance.wait_body(b"v%d" % number)
    assert set(old) < set(inits(instance)) and len(inits(instance)) == 4
    assert re.search(r"web1 +draining", instance.run("status", instance.root).stdout)


@pytest.mark.contract("P-231", "P-232")
def test_the_deploy_log_in_english(project, run):
    done = run("verify", project(FILES), "--region", "us-w1")
    assert done.returncode == 0, done.stdout
    found = re.findall(r"cloud +((?:Dep|Cre|Sta|Ins).*)", done.stdout)
    assert len(found) == 5 and re.fullmatch(r"Deploying \d{8}-\d{6} to web1", found[0]), done.stdout
    assert found[1:3] == ["Creating new instance ...", "Starting new instance ..."]
    assert found[3].startswith("Instance started: ") and found[4] == "Deploy finished: 1 instances deployed"


@pytest.mark.contract("P-170")
@pytest.mark.parametrize("options, words", [
    (["--instances", "13"], r"--instances: .*1 to 12"),
    (["--instances", "0"], r"--instances: .*1 to 12"),
    (["--instances", "2", "--size", "trial"], r"size trial has one instance, not 2"),
    (["--instances", "2", "--debug"], r"--debug has one instance, not 2"),
])
def test_how_many_there_may_be(project, run, options, words):
    done = run("up", project(FILES), "--plain", *options)
    assert done.returncode == 2 and re.search(words, done.stderr), done.stderr
