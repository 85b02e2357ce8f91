"""Hot reload: a save moves the traffic, a broken save does not."""

import threading
import time

import pytest

APP = "MARK = b'%s'\ndef application(e, s):\n    s('200 OK', [])\n    return [MARK]\n"
WSGI = "from app import application\n"


@pytest.fixture
def running(project, up):
    root = project({"app.py": APP % "one", "wsgi.py": WSGI, "requirements.txt": ""})
    instance = up(root)
    instance.wait_healthy()
    instance.root = root
    return instance


def established(address, port):
    """Connections that our gateway has accepted there."""
    local = "%02X%02X%02X%02X:%04X" % (*reversed([int(x) for x in address.split(".")]), port)
    rows = [line.split() for line in open("/proc/net/tcp").read().splitlines()[1:]]
    return [row for row in rows if row[1] == local and row[3] == "01"]


class Clients(threading.Thread):
    """Asks without a pause; every answer but a 200 counts as lost."""

    def __init__(self, instance):
        super().__init__(daemon=True)
        self.instance, self.lost, self.count, self.slowest = instance, [], 0, 0.0
        self.ending = threading.Event()

    def run(self):
        while not self.ending.is_set():
            begun = time.monotonic()
            try:
                status, body = self.instance.http("/")
            except OSError as error:
                status, body = 0, str(error)
            self.slowest = max(self.slowest, time.monotonic() - begun)
            self.count += 1
            if status != 200:
                self.lost.append((status, body))

    def finish(self):
        self.ending.set()
        self.join(20)
        assert self.count > 0
        assert self.lost == []


def test_save_is_served(running):
    (running.root / "app.py").write_text(APP % "two")
    running.wait_body(b"two")
    running.wait_line(r"save +app\.py")
    running.wait_line(r"ready +\d{8}-\d{6}.* in \d+ ms")


def test_no_request_is_lost_while_versions_change(running):
    clients = Clients(running)
    clients.start()
    for number in range(5):
        (running.root / "app.py").write_text(APP % ("v%d" % number))
        running.wait_body(b"v%d" % number)
    clients.finish()


def test_syntax_error_keeps_the_old_version_and_mending_recovers(running):
    clients = Clients(running)
    clients.start()
    (running.root / "app.py").write_text("def broken(:\n")
    running.wait_line(r"failed +.*app\.py:1: SyntaxError")
    assert running.http("/")[1] == b"one"
    (running.root / "app.py").write_text(APP % "mended")
    running.wait_body(b"mended")
    clients.finish()


def test_crash_at_import_keeps_the_old_version(running):
    (running.root / "app.py").write_text("raise RuntimeError('at import')\n")
    running.wait_line(r"failed +.*RuntimeError: at import.*keeps serving")
    assert running.http("/")[1] == b"one"


def test_last_of_two_saves_wins(running):
    (running.root / "app.py").write_text(APP % "first")
    (running.root / "app.py").write_text(APP % "second")
    running.wait_body(b"second")
    assert b"first" not in {running.http("/")[1] for _ in range(50)}


def test_save_during_a_rollout_wins(running):
    (running.root / "app.py").write_text("import time\ntime.sleep(20)\n" + APP % "slow")
    running.wait_line(r"save +app\.py")
    running.wait_line(r"start +web2")
    (running.root / "app.py").write_text(APP % "quick")
    running.wait_body(b"quick", limit=10)


@pytest.mark.contract("P-173", "P-174")
def test_request_in_flight_finishes_on_the_old_version(project, up):
    slow = ("import time\nMARK = b'%s'\ndef application(e, s):\n"
            "    if e['PATH_INFO'] == '/slow':\n"
            "        open('/tmp/in', 'w').close()\n        time.sleep(1.5)\n"
            "    s('200 OK', [])\n    return [MARK]\n")
    root = project({"wsgi.py": slow % "old", "requirements.txt": ""})
    instance = up(root)
    instance.wait_healthy()
    answers = []
    client = threading.Thread(target=lambda: answers.append(instance.http("/slow")))
    client.start()
    instance.wait_until(lambda: established(instance.address, 3000))
    (root / "wsgi.py").write_text(slow % "new")
    instance.wait_body(b"new")
    client.join(10)
    assert answers == [(200, b"old")]


def test_touch_changes_nothing(running):
    (running.root / "app.py").touch()
    (running.root / "app.py").write_text(APP % "one")
    (running.root / "marker.py").write_text("x = 1\n")  # the next real change
    running.wait_line(r"save +marker\.py")
    assert "save     app.py" not in running.text


@pytest.mark.contract("P-63")
def test_requirements_change_rebuilds(project, up, wheelhouse):
    wheelhouse.add("latedep", "2.0", {"latedep.py": "WORD = b'late'\n"})
    root = project({"wsgi.py": APP % "early", "requirements.txt": ""})
    instance = up(root)
    instance.wait_healthy()
    (root / "requirements.txt").write_text("latedep\n")
    instance.wait_line(r"install")
    (root / "wsgi.py").write_text("import latedep\n" + APP.replace("b'%s'", "latedep.WORD"))
    instance.wait_body(b"late", limit=60)


def test_failed_install_keeps_the_old_version(project, up, wheelhouse):
    root = project({"wsgi.py": APP % "kept", "requirements.txt": ""})
    instance = up(root)
    instance.wait_healthy()
    (root / "requirements.txt").write_text("no-such-package-anywhere\n")
    instance.wait_line(r"failed +.*no-such-package-anywhere", limit=60)
    assert instance.http("/")[1] == b"kept"


def test_env_file_change_makes_a_new_instance(project, up):
    root = project({
        "wsgi.py": "import os\ndef application(e, s):\n    s('200 OK', [])\n"
                   "    return [os.environ['WORD'].encode()]\n",
        "requirements.txt": "", ".env": "WORD=before\n"})
    instance = up(root)
    instance.wait_healthy()
    assert instance.http("/")[1] == b"before"
    (root / ".env").write_text("WORD=after\n")
    instance.wait_body(b"after")
