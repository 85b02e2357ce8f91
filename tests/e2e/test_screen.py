"""The full screen on a real terminal (tmux), against the real engine: what stands there, what keys do, how it ends."""

import os
import pathlib
import re
import signal
import socket

import pytest

from helpers.census import children, command_line
from helpers.http import ask
from helpers.screen import Screen
from helpers.waiting import wait_for

WSGI = """import os
MARK = "one"
print("Serving", flush=True)
def application(environ, start_response):
    if environ["PATH_INFO"] == "/die":
        os._exit(3)
    if environ["PATH_INFO"].startswith("/say"):
        print("said " + environ["PATH_INFO"], flush=True)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [MARK.encode()]
"""
BROKEN = WSGI.replace("import os", "return = 1", 1)
FILES = {"wsgi.py": WSGI, "requirements.txt": ""}
HEALTHY = r"● healthy \d+ ms"
KEEPING = r"! last save failed; \d{8}-\d{6} still serving, healthy"
LOCAL_ONLY = """import os, socketserver
socketserver.TCPServer(("127.0.0.1", int(os.environ["LEANCLOUD_APP_PORT"])),
                       socketserver.BaseRequestHandler).serve_forever()
"""


def ended(screen, limit_s=10):
    """Its exit status. tmux 3.3 now and then sleeps through the SIGCHLD of a pane that is dead already."""
    def look():
        status = screen.exit_status()
        if status is None:
            os.kill(int(screen._tmux("display-message", "-p", "#{pid}")), signal.SIGCHLD)
        return status is not None
    wait_for(look, "the program to end", limit_s, screen.capture)
    return screen.exit_status()


def said(screen):
    """All that was printed, also what tmux moved up to write that the pane is dead."""
    return screen._tmux("capture-pane", "-p", "-S", "-")


class Shown:
    """`up` of one project on a terminal."""

    def __init__(self, place, files, options, size, env):
        self.place = place
        self.root = place.project(files)
        self.options = options
        self.screen = self.open(size, env)

    def open(self, size=(80, 24), env=None):
        return self.place.screen("up", self.root, "--host", self.place.address, *self.options,
                                 size=size, env=env)

    def ask(self, path="/"):
        return ask(self.place.address, 3000, path)

    def body(self):
        return self.ask().body

    def save(self, text):
        (self.root / "wsgi.py").write_text(text)

    def row(self, number):
        return self.screen.capture().splitlines()[number]

    def wait_row(self, number, part):
        rows = wait_for(lambda: part in (self.screen.capture().splitlines() + [""] * 99)[number],
                        "%r in row %d" % (part, number), 10, self.screen.capture)
        return rows

    def engine_pid(self):
        found = [pid for pid in children(self.screen.pid()) if "@engine" in command_line(pid)]
        return found[0]

    def quit(self):
        self.screen.send_keys("q")
        assert ended(self.screen) == 0


@pytest.fixture
def shown(place):
    def start(*options, files=None, size=(80, 24), env=None, wait=HEALTHY):
        made = Shown(place, files or FILES, options, size, env)
        if wait:
            made.screen.wait_text(wait, 60)
        return made
    return start


def gone(pid):
    return not os.path.exists("/proc/%d" % pid)


# ---- what it shows ----

def test_healthy(shown, place):
    it = shown()
    it.screen.wait_text(r"new version \d{8}-\d{6} in ")
    rows = it.screen.capture().splitlines()
    assert len(rows) == 24
    assert rows[0].startswith(" project   ● healthy ")
    assert "http://%s:3000" % place.address in rows[0]
    assert rows[0].rstrip().split()[-3:-1] == ["dev", "CN"]
    for stage in ("✓ detect", "✓ python", "✓ healthy"):
        assert stage in rows[1]
    assert "▶" not in rows[1]
    assert rows[2].startswith(" web1  cpu ") and "/512M" in rows[2]
    assert rows[3].startswith("┌ 1 Logs ─") and rows[3].endswith(" follow ┐")
    assert all(row.startswith("│") and row.endswith("│") for row in rows[4:21])
    assert rows[21] == "└" + "─" * 78 + "┘"
    assert "web1 out  Serving" in it.screen.capture()
    assert "lost" not in rows[22]  # nobody asked yet
    assert "Tab pane" in rows[23]
    it.quit()


def test_saves_broken_and_mended(shown):
    it = shown()
    it.save(BROKEN)
    it.screen.wait_text(KEEPING)
    it.wait_row(1, "✗ start: wsgi.py:1: SyntaxError")
    it.wait_row(22, "1 save · last failed")
    it.screen.wait_text(r"failed at start: wsgi\.py:1: SyntaxError")
    assert it.body() == b"one"
    it.screen.send_keys("3")
    it.screen.wait_text(r"rule +P-109: wsgi\.py:1: SyntaxError")
    it.save(WSGI.replace('"one"', '"two"'))
    it.screen.wait_text(HEALTHY)
    assert it.body() == b"two"
    it.screen.wait_gone("SyntaxError")  # neither in the stages nor in the pane
    it.wait_row(22, "0 requests lost")
    assert "2 saves · last " in it.row(22)
    it.quit()


def test_an_app_that_dies_is_said_and_replaced(shown):
    it = shown()
    it.ask("/die")
    it.screen.wait_text(r"error: web1: it ended with exit status 3")
    it.screen.wait_text(r"web2 serves version")
    it.wait_row(2, " web2 ")
    it.screen.wait_text(HEALTHY)
    it.quit()


@pytest.mark.needs_index
def test_installing_shows_pip_at_work(shown):
    it = shown("--no-cache", files={**FILES, "requirements.txt": "six\n"}, wait=r"… installing")
    it.screen.wait_text(r"▶ install \d+\.\ds")
    it.screen.wait_text(r"┌ 2 Build ")  # the pane that tells something now
    it.screen.wait_text(r"  Collecting six", 60)
    it.screen.wait_text(HEALTHY, 60)
    it.screen.wait_text(r"✓ install \d")
    it.screen.wait_text(r"┌ 1 Logs ")
    it.quit()


def test_refused_by_a_rule_stays_and_names_it(shown):
    it = shown("--env", "production", wait="✗ would not deploy: ",
               files={**FILES, "serve.py": LOCAL_ONLY, "leanengine.yaml": "run: python serve.py\n"})
    it.screen.wait_text(r"┌ 3 Health ")
    it.screen.wait_text(r"rule +P-105: ")
    it.screen.wait_text(r"cloud +实例启动失败")
    it.screen.wait_text(r"mend +app\.run\(host='0\.0\.0\.0'")
    assert "▶" not in it.row(1)
    it.quit()


def test_an_app_that_cannot_start(shown):
    it = shown(files={**FILES, "wsgi.py": "import no_such\n"}, wait=r"✗ would not deploy: ")
    it.screen.wait_text(r"rule +P-60: wsgi\.py:1: ModuleNotFoundError: No module named 'no_such'")
    it.save(WSGI)
    it.screen.wait_text(HEALTHY)
    it.quit()


# ---- sizes, languages, terminals ----

def test_sizes(shown):
    it = shown(size=(160, 45))
    it.screen.wait_text(r"┌ 1 Logs .*┌ 2 Build ")
    it.screen.wait_text(r"┌ 3 Health ")
    it.screen.resize(40, 10)
    it.screen.wait_gone("┌")
    it.screen.wait_text(r"out Serving")
    assert len(it.screen.capture().splitlines()) == 10
    it.screen.resize(20, 5)
    it.screen.wait_text(r"20x5 < 30x6")
    assert it.body() == b"one"
    it.screen.resize(80, 24)
    it.screen.wait_text(r"┌ 1 Logs ─.*┐\n(│.{78}│\n){17}└")
    it.quit()


def test_chinese_in_a_locale_that_was_never_generated(shown):
    it = shown(env={"LANG": "zh_CN.UTF-8"}, wait=r"● 健康 \d+ 毫秒")
    it.screen.wait_text(r"✓ 识别  ✓ Python .*✓ 健康")
    it.screen.wait_text(r"┌ 1 日志 ─+ 跟随 ┐")
    it.save(BROKEN)
    it.screen.wait_text(r"! 最近一次保存失败；\d{8}-\d{6} 仍在服务")
    it.quit()


@pytest.mark.parametrize("options, env", [
    (("--ascii",), {}),
    ((), {"LANG": "C"}),
    ((), {"LC_ALL": "POSIX"}),
])
def test_ascii(shown, options, env):
    it = shown(*options, env=env, wait=r"o healthy \d+ ms")
    it.screen.wait_text(r"(?m)^\+ 1 Logs -+ follow \+$")
    assert it.screen.capture().isascii()
    assert "?" not in it.screen.capture().replace("? help", "")
    assert "ok detect  ok python" in it.row(1)
    it.quit()


def test_no_language_at_all_still_has_marks(shown):
    shown(env={"LANG": ""}).quit()


def test_no_color(shown):
    colours = r"\x1b\[(\d+;)*3[1-7]m"
    it = shown()
    assert wait_for(lambda: re.search(colours, it.screen.capture(True)), "colours")
    it.quit()
    it = shown(env={"NO_COLOR": "1"})
    assert not re.search(colours, it.screen.capture(True))
    it.quit()


def test_a_dumb_terminal_gets_lines(place):
    # The helper sets TERM: env(1) in front has the last word.
    root = place.project(FILES)
    real = place.command
    place.command = lambda *arguments: ["env", "TERM=dumb", *real(*arguments)]
    screen = place.screen("up", root, "--host", place.address)
    screen.wait_text(r"ready +\d{8}-\d{6} in .*http://", 60)
    assert "┌" not in screen.capture()
    screen.send_keys("C-c")
    ended(screen)


# ---- keys ----

def test_panes_and_help(shown):
    it = shown()
    for key, title in (("2", "2 Build"), ("3", "3 Health"), ("1", "1 Logs"), ("Tab", "2 Build"),
                       ("BTab", "1 Logs"), ("?", "Help"), ("?", "1 Logs"), ("?", "Help"),
                       ("Escape", "1 Logs")):
        it.screen.send_keys(key)
        it.screen.wait_text(r"┌ %s " % title)
    it.quit()


def test_search_filter_follow_scroll(shown):
    it = shown()
    for number in range(60):
        it.ask("/say/%d." % number)
    it.screen.wait_text(r"said /say/59\.")
    it.screen.send_keys("/")
    it.screen.type("/say/7.")
    it.screen.send_keys("Enter")
    it.screen.wait_text(r"said /say/7\.")
    it.screen.wait_gone(r"follow ┐")
    it.screen.send_keys("G")
    it.screen.wait_text(r"said /say/59\.")
    it.screen.send_keys("&")
    it.screen.type("/say/4")
    it.screen.send_keys("Enter")
    it.screen.wait_gone(r"said /say/59\.")
    it.screen.wait_text(r"said /say/4\.\W[^~]*said /say/49\.")
    it.screen.send_keys("Escape")
    it.screen.wait_text(r"said /say/59\.")
    it.screen.send_keys("g")
    it.screen.wait_text(r"listening on http://")
    it.ask("/say/late")
    it.ask("/say/later")
    it.screen.wait_gone("said /say/later")
    it.screen.send_keys("G")
    it.screen.wait_text(r"said /say/later")
    it.quit()


def test_zoom(shown):
    it = shown(size=(160, 45))
    it.screen.wait_text(r"┌ 2 Build ")
    it.screen.send_keys("z")
    it.screen.wait_gone(r"┌ 2 Build ")
    it.screen.wait_text(r"(?m)^┌ 1 Logs ─+ follow ┐$")
    it.screen.send_keys("z")
    it.screen.wait_text(r"┌ 2 Build ")
    it.quit()


def test_reload_and_restart(shown):
    it = shown()
    it.screen.send_keys("r")
    it.screen.wait_text(r"new version \d{8}-\d{6} in \d[\s\S]*new version \d{8}-\d{6} in \d")
    it.wait_row(2, " web2 ")
    it.screen.send_keys("R")
    it.screen.wait_text(r"web3 serves version")
    assert it.body() == b"one"
    it.quit()


# ---- a shell around it ----

@pytest.fixture
def shell(place):
    """An interactive shell on a terminal, which starts `up` as a job."""
    class Bare:
        uid, directory, census = None, staticmethod(place.directory), place.census
        command = staticmethod(lambda *arguments: list(arguments))
    screen = Screen(Bare, ["sh", "-i"], (80, 24), {**place.env, "PS1": "# ", "EDITOR": "cat"})
    place.running.append(screen)
    screen.wait_text(r"(?m)^#")
    root = place.project(FILES)
    screen.type(" ".join(place.command("up", root, "--host", place.address)) + "\n")
    screen.wait_text(HEALTHY, 60)
    screen.root = root
    return screen


def leave_shell(shell):
    shell.send_keys("q")
    shell.wait_gone("1 Logs")
    shell.type("echo status $?\n")
    shell.wait_text(r"status 0")


def test_suspended_the_app_goes_on(shell, place):
    shell.send_keys("C-z")
    shell.wait_text(r"Stopped")
    assert "┌" not in shell.capture()
    (shell.root / "wsgi.py").write_text(WSGI.replace('"one"', '"two"'))
    wait_for(lambda: ask(place.address, 3000).body == b"two", "the save to be served")
    shell.type("fg\n")
    shell.wait_text(r"1 save")
    shell.wait_text(HEALTHY)
    leave_shell(shell)


def test_the_editor_has_the_terminal_and_gives_it_back(shell):
    (shell.root / "wsgi.py").write_text(BROKEN)
    shell.wait_text(KEEPING)
    shell.send_keys("e")
    shell.wait_text(KEEPING)
    shell.send_keys("q")
    shell.wait_gone("1 Logs")
    shell.wait_text(r"return = 1\s+MARK")  # what cat printed on the ordinary screen
    shell.type("stty -a | tr ' ;' '\\n\\n' | grep -x -e echo -e icanon -e isig | tr '\\n' ' '\n")
    shell.wait_text(r"isig icanon echo")


# ---- ends ----

@pytest.mark.parametrize("key", ["q", "C-c"])
def test_quitting_ends_all(shown, place, key):
    it = shown()
    engine = it.engine_pid()
    it.screen.send_keys(key)
    assert ended(it.screen) == 0
    assert "┌" not in it.screen.capture()
    wait_for(lambda: gone(engine), "the engine to be gone", 3)
    place.assert_nothing_left()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_restore_and_end(shown, place, number):
    it = shown()
    os.kill(it.screen.pid(), number)
    assert ended(it.screen) == 128 + number
    assert "┌" not in it.screen.capture()
    place.assert_nothing_left()


def test_engine_killed_is_said(shown):
    it = shown()
    os.kill(it.engine_pid(), signal.SIGKILL)
    assert ended(it.screen) == 3
    assert "the engine ended unexpectedly" in said(it.screen)
    assert "┌" not in it.screen.capture()


def test_screen_killed_takes_the_app_with_it(shown, place):
    it = shown()
    engine = it.engine_pid()
    os.kill(it.screen.pid(), signal.SIGKILL)
    wait_for(lambda: gone(engine), "the engine to end without clients", 3)


def test_a_second_one_attaches_and_leaves(shown):
    it = shown()
    second = it.open()
    second.wait_text(HEALTHY)
    second.wait_text(r"web1 out  Serving")  # the log from before
    second.send_keys("q")
    assert ended(second) == 0
    assert it.body() == b"one"
    it.save(WSGI.replace('"one"', '"two"'))
    it.screen.wait_text(r"1 save · last \d+ ms")
    assert it.body() == b"two"
    it.quit()


def test_a_stopped_screen_stalls_nothing(shown):
    it = shown()
    os.kill(it.screen.pid(), signal.SIGSTOP)
    for number in range(20):
        assert it.ask("/say/%d" % number).body == b"one"
    it.save(WSGI.replace('"one"', '"two"'))
    wait_for(lambda: it.body() == b"two", "the save to be served", 10)
    os.kill(it.screen.pid(), signal.SIGCONT)
    it.screen.wait_text(r"said /say/19")
    it.screen.wait_text(r"1 save")
    it.quit()


def test_not_a_project(place):
    screen = place.screen("up", place.project({"notes.txt": ""}), "--host", place.address,
                          size=(160, 45))
    assert ended(screen) == 1
    shown_text = said(screen)
    assert "rule P-1" in shown_text and "mend " in shown_text
    assert "┌" not in shown_text


def test_port_in_use(place):
    with socket.socket() as other:
        other.bind((place.address, 3000))
        other.listen()
        screen = place.screen("up", place.project(FILES), "--host", place.address, size=(160, 45))
        assert ended(screen) == 3
        assert "port 3000 is in use by pid %d" % os.getpid() in said(screen)
        assert "--port 3001" in said(screen)


# ---- the script mode ----

def script(place, root, *lines):
    path = pathlib.Path(place.root, "script")
    path.write_text("".join(line + "\n" for line in lines))
    return place.run("up", root, "--host", place.address, "--script", path)


def test_script_drives_keys_waits_resizes_and_dumps(place):
    first, second = (os.path.join(place.root, name) for name in ("first.txt", "second.txt"))
    done = script(place, place.project(FILES),
                  "limit 60", "wait event ready", "wait text ● healthy", "wait idle", "dump " + first,
                  "keys 3", "wait text 3 Health", "resize 160x45", "wait text 2 Build",
                  "wait idle", "dump " + second, "keys q")
    assert (done.returncode, done.stderr) == (0, "")
    rows = pathlib.Path(first).read_text().splitlines()
    assert len(rows) == 24 and rows[0].startswith(" project   ● healthy ")
    assert rows[3].startswith("┌ 1 Logs ─")
    rows = pathlib.Path(second).read_text().splitlines()
    assert len(rows) == 45 and "3 Health" in "\n".join(rows)
    assert max(map(len, rows)) <= 160


def test_script_that_waits_in_vain_fails_and_shows_the_screen(place):
    done = script(place, place.project(FILES), "limit 60", "wait event ready", "limit 0.3",
                  "wait text never there")
    assert done.returncode not in (0, 3)
    assert "never there" in done.stderr and "1 Logs" in done.stderr
    place.assert_nothing_left()
