"""`up --debug`: the app on a terminal, so that breakpoint() works; one instance, no limits of time, no health checks."""

import json
import os
import re
import socket
import subprocess
import threading
import time

import pytest

from helpers.http import ask
from helpers.pty_run import PtyRun
from helpers.waiting import wait_for

WSGI = """def application(environ, start_response):
    answer = 41
    if environ["PATH_INFO"] == "/stop":
        breakpoint()
        answer += 1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("MARK %d" % answer).encode()]
"""
FILES = {"wsgi.py": WSGI, "requirements.txt": "", ".python-version": "3.11\n"}
LISTENER = """import socket
door = socket.socket()
door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
door.bind(("127.0.0.1", 5678))
door.listen(1)
""" + WSGI


class Asked:
    """One request under way, in a thread of its own."""

    def __init__(self, place, path):
        self.answer = None
        self.thread = threading.Thread(target=self._ask, args=(place.address, path), daemon=True)
        self.thread.start()

    def _ask(self, address, path):
        self.answer = ask(address, 3000, path, limit_s=60)

    def wait(self):
        self.thread.join(20)
        assert self.answer is not None, "no answer"
        return self.answer


def plain(place, root, **env):
    return PtyRun(place, "up", root, "--debug", "--plain", "--host", place.address, env={"NO_COLOR": "1", **env})


def test_a_breakpoint_is_used_on_the_screen(place, screen):
    shown = screen("up", place.project(FILES), "--debug", "--host", place.address)
    shown.wait_text(r"● healthy")
    shown.wait_text(r"t type to the app")
    asked = Asked(place, "/stop")
    shown.wait_text(r"(?m)^ +\(Pdb\)$")
    assert re.search(r"-> (answer \+= 1|breakpoint\(\))", shown.capture())
    shown.type("t")
    shown.wait_text(r"C-\] back")
    shown.type("p answer * 100\n")
    shown.wait_text(r"out  4100")
    shown.type("p 'x'\b\b\b'y'\n")  # the app's own terminal edits
    shown.wait_text(r"'y'")
    shown.type("n\n")
    shown.wait_text(r"-> start_response")
    shown.type("c\n")
    assert asked.wait().body == b"MARK 42"
    shown.wait_gone(r"(?m)^ *> *\(Pdb\)$")
    shown.send_keys("C-]")
    shown.wait_text(r"t type to the app")
    shown.send_keys("q")
    assert shown.wait_exit() == 0


def test_a_breakpoint_is_used_in_plain_lines(place):
    run = plain(place, place.project(FILES))
    run.wait_output(b" ready ")
    assert b"--debug: one instance on a terminal" in run.output
    asked = Asked(place, "/stop")
    run.wait_output(b"out (Pdb) ")
    run.type(b"p answer * 100\n")
    run.wait_output(b" out 4100")
    run.type(b"c\n")
    assert asked.wait().body == b"MARK 42"
    before = run.attributes()
    run.signal(2)
    assert run.wait_exit() == 0
    assert run.attributes() != before, "the terminal's settings are put back"


def test_what_is_typed_is_passed_on_when_the_output_goes_elsewhere(place):
    log = os.path.join(place.directory("log"), "log")
    with open(log, "wb") as out:
        run = PtyRun(place, "up", place.project(FILES), "--debug", "--plain", "--host", place.address, stdout=out)
    wait_for(lambda: b" ready " in open(log, "rb").read(), "the start", 30)
    asked = Asked(place, "/stop")
    wait_for(lambda: b"-> answer += 1" in open(log, "rb").read(), "the breakpoint", 20)
    run.type(b"c\n")
    assert asked.wait().body == b"MARK 42"
    assert b"\033" not in open(log, "rb").read()
    run.signal(2)
    assert run.wait_exit() == 0


def test_the_start_may_stand_at_a_breakpoint_longer_than_the_cloud_waits(place):
    files = {**FILES, "wsgi.py": "breakpoint()\n" + WSGI, "leanengine.yaml": "startupTimeout: 15\n"}
    run = plain(place, place.project(files), LEANLOCAL_HEALTH="second-ms=50")  # startupTimeout: 0.75 s
    run.wait_output(b"out (Pdb) ")
    held = Asked(place, "/")  # held, not refused
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        assert b"failed" not in run.read(0.5)
    run.type(b"c\n")
    assert held.wait().body == b"MARK 41"
    run.signal(2)
    assert run.wait_exit() == 0


def test_one_instance_a_save_ends_it_at_its_breakpoint(place):
    root = place.project(FILES)
    run = plain(place, root)
    run.wait_output(b" ready ")
    Asked(place, "/stop")
    run.wait_output(b"out (Pdb) ")
    (root / "wsgi.py").write_text(WSGI.replace("MARK", "NEW"))
    wait_for(lambda: run.read() is not None and run.output.count(b" ready ") == 2, "the new version", 20,
             lambda: run.output[-2000:])
    assert ask(place.address, 3000, "/").body == b"NEW 41"
    status = place.run("status", root).stdout
    assert len(re.findall(r"127\.77\.\d+\.\d+:3000", status)) == 1
    assert place.run("restart", root).returncode == 0
    wait_for(lambda: run.read() is not None and b"web3 serves version" in run.output, "the restart", 20,
             lambda: run.output[-2000:])
    assert ask(place.address, 3000, "/").body == b"NEW 41"
    (root / "wsgi.py").write_text("return = 1\n")
    run.wait_output(b"failed ")
    (root / "wsgi.py").write_text(WSGI.replace("MARK", "LAST"))
    wait_for(lambda: run.read() is not None and run.output.count(b" ready ") == 3, "the mended version", 20,
             lambda: run.output[-2000:])
    run.signal(2)
    assert run.wait_exit() == 0


def test_a_debuggers_port_is_told_with_its_paths(place, up):
    root = place.project({**FILES, "wsgi.py": LISTENER})
    instance = up(root, "--debug")
    instance.wait_healthy()
    host = instance.wait_line(r"the app listens on (127\.77\.\d+\.\d+):5678").group(1)
    entry = json.loads(instance.wait_line(r"note +(\{.*\})$").group(1))
    assert entry["type"] == "debugpy" and entry["request"] == "attach"
    assert entry["connect"] == {"host": host, "port": 5678}
    assert entry["pathMappings"] == [{"localRoot": str(root), "remoteRoot": "/home/leanengine/app"}]
    socket.create_connection((host, 5678), 5).close()
    (root / "wsgi.py").write_text(LISTENER.replace("MARK", "NEW"))
    instance.wait_body(b"NEW 41")
    socket.create_connection((host, 5678), 5).close()  # the same address: an editor's entry stays true
    assert len(re.findall("the app listens on", instance.text)) == 1


def test_without_debug_nothing_is_typed(place, up):
    root = place.project({**FILES, "wsgi.py": "import sys\nprint('tty', sys.stdin.isatty(), flush=True)\n" + WSGI})
    instance = up(root)
    instance.wait_line(r"out tty False")
    instance.wait_healthy()
    assert "--debug" not in instance.text


@pytest.mark.parametrize("name", ["verify", "build"])
def test_only_up_debugs(place, run, name):
    done = run(name, place.project(FILES), "--debug")
    assert done.returncode == 2 and "--debug" in done.stderr


def test_editors_find_interpreter_and_packages(place, run, wheelhouse):
    wheelhouse.add("foreditors", "1.0", {"tiny.py": "VALUE = 7\n"})  # no other test has made this layer
    root = place.project({**FILES, "requirements.txt": "foreditors\n"})
    before = run("env", root, "--ide")
    assert before.returncode == 0 and "leanlocal build" in before.stdout
    assert run("build", root).returncode == 0
    done = run("env", root, "--ide", "--format", "json")
    settings = json.loads(done.stdout)
    interpreter = settings["python.defaultInterpreterPath"]
    (packages,) = settings["python.analysis.extraPaths"]
    assert os.path.exists(os.path.join(packages, "tiny.py"))
    said = subprocess.run([interpreter, "-c", "import tiny, sys; print(tiny.VALUE, sys.version_info[:2])"],
                          capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}, check=True).stdout
    assert said == "7 (3, 11)\n"
    shown = run("env", root, "--ide").stdout
    assert re.search(r"remote root +/home/leanengine/app", shown) and str(root) in shown
    broken = run("env", place.project({**FILES, ".python-version": "3.5.1\n"}, name="broken"), "--ide")
    assert broken.returncode != 0 and "3.5.1" in broken.stdout


class Adapter:
    """As much of a debug adapter's client as attaching needs: JSON with a Content-Length before it."""

    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), 10)
        self.file = self.socket.makefile("rb")
        self.seq = 0

    def send(self, command, **arguments):
        self.seq += 1
        body = json.dumps({"seq": self.seq, "type": "request", "command": command, "arguments": arguments}).encode()
        self.socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def wait(self, **wanted):
        """The first message with these members."""
        while True:
            length = int(self.file.readline().split(b":")[1])
            self.file.readline()
            message = json.loads(self.file.read(length))
            if all(message.get(name) == value for name, value in wanted.items()):
                return message


@pytest.mark.needs_index
def test_debugpy_attaches_and_stops_at_a_breakpoint_of_the_project(place, up):
    root = place.project({**FILES, "requirements.txt": "debugpy\n",
                          "wsgi.py": "import debugpy\ndebugpy.listen(5678)\n" + WSGI.replace("breakpoint()", "pass")})
    instance = up(root, "--debug")
    instance.wait_healthy()
    entry = json.loads(instance.wait_line(r"note +(\{.*\})$").group(1))
    editor = Adapter(entry["connect"]["host"], entry["connect"]["port"])
    editor.send("initialize", adapterID="test", pathFormat="path", linesStartAt1=True)
    editor.wait(type="response", command="initialize", success=True)
    editor.send("attach", pathMappings=entry["pathMappings"], justMyCode=True)
    editor.wait(type="event", event="initialized")
    editor.send("setBreakpoints", source={"path": str(root / "wsgi.py")}, breakpoints=[{"line": 7}])
    assert editor.wait(type="response", command="setBreakpoints")["body"]["breakpoints"][0]["verified"]
    editor.send("configurationDone")
    asked = Asked(place, "/stop")
    stopped = editor.wait(type="event", event="stopped")["body"]
    assert stopped["reason"] == "breakpoint"
    editor.send("stackTrace", threadId=stopped["threadId"])
    frame = editor.wait(type="response", command="stackTrace")["body"]["stackFrames"][0]
    assert frame["source"]["path"] == str(root / "wsgi.py") and frame["line"] == 7
    editor.send("continue", threadId=stopped["threadId"])
    assert asked.wait().body == b"MARK 42"


def test_an_ordinary_user_debugs_too(ordinary):
    run = plain(ordinary, ordinary.project(FILES))
    run.wait_output(b" ready ")
    asked = Asked(ordinary, "/stop")
    run.wait_output(b"out (Pdb) ")
    run.type(b"c\n")
    assert asked.wait().body == b"MARK 42"
    run.signal(2)
    assert run.wait_exit() == 0


def test_without_mounts_and_broker_a_breakpoint_works_too(place):
    run = PtyRun(place, "up", place.project(FILES), "--debug", "--plain", "--host", place.address,
                 env={"NO_COLOR": "1", "LEANLOCAL_SANDBOX_DENY": "mount,notify"})
    run.wait_output(b" ready ")
    asked = Asked(place, "/stop")
    run.wait_output(b"out (Pdb) ")
    run.type(b"p 6 * 7\nc\n")
    assert asked.wait().body == b"MARK 42"
    run.signal(2)
    assert run.wait_exit() == 0
