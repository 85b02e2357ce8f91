"""exec: one command where the app lives: only its own output, its own terminal, its signals, its status."""

import os
import signal
import subprocess

import pytest

from helpers.pty_run import PtyRun
from helpers.waiting import wait_for

OK = "def application(e, s):\n    s('200 OK', [])\n    return [b'x']\n"
FILES = {"wsgi.py": OK, "requirements.txt": ""}


@pytest.fixture
def root(project, run):
    """Built already, so that each test begins at the command."""
    made = project(FILES)
    assert run("build", made).returncode == 0
    return made


@pytest.fixture
def on_terminal(place):
    return lambda *arguments, **keywords: PtyRun(place, *arguments, **keywords)


# ---- output ----

def test_silent_when_cached(root, run):
    done = run("exec", root, "--", "echo", "only this")
    assert (done.returncode, done.stdout, done.stderr) == (0, "only this\n", "")


def test_progress_is_on_stderr(place, project, run):
    place.env["XDG_CACHE_HOME"] = place.directory("own-cache")
    made = project(dict(FILES, **{"leanengine.yaml": "install: sleep 1.2\n"}))
    done = run("exec", made, "--", "echo", "only this")
    assert done.stdout == "only this\n" and done.returncode == 0
    assert "install" in done.stderr and "Python runtime detected" in done.stderr


def test_a_failed_build_is_told_and_nothing_is_run(place, project, run):
    made = project(dict(FILES, **{"leanengine.yaml": "install: echo why it fails; exit 3\n"}))
    done = run("exec", made, "--", "echo", "never")
    assert done.returncode == 1 and done.stdout == ""
    assert "install" in done.stderr and "why it fails" in done.stderr


def test_both_outputs_and_input_are_the_commands_own(root, run):
    done = run("exec", root, "--", "sh", "-c", "cat; echo out; echo err >&2; test -t 0 || test -t 1 || exit 5",
               input="in\n")
    assert (done.returncode, done.stdout, done.stderr) == (5, "in\nout\n", "err\n")


def test_huge_output_comes_whole(root, place):
    size = 50_000_000
    command = place.command("exec", root, "--", "head", "-c", size, "/dev/zero")
    with subprocess.Popen(command, env=place.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as child:
        got = 0
        while chunk := child.stdout.read(1 << 20):
            got += len(chunk)
    assert (child.returncode, got) == (0, size)


def test_a_reader_that_has_enough(root, place):
    command = place.command("exec", root, "--", "yes")
    with subprocess.Popen(command, env=place.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as child:
        assert child.stdout.read(4) == b"y\ny\n"
        child.stdout.close()
        assert child.wait(10) == 128 + signal.SIGPIPE


def test_input_that_is_not_read(root, run):
    done = run("exec", root, "--", "true", input="x" * 1_000_000)
    assert done.returncode == 0


# ---- arguments ----

def test_arguments_are_bytes(root, place):
    words = [b"caf\xe9", b"a b", b"", b"$HOME", b"-x", b"--", b"\n\t", "程序".encode()]
    done = subprocess.run([*place.command("exec", root, "--", "printf", "[%s]"), *words], env=place.env,
                          stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60)
    assert done.stdout == b"".join(b"[%s]" % word for word in words), done.stderr


def test_a_directory_of_any_name(place):
    for name in (b"caf\xe9", "项目 1".encode(), b"new\nline", b"-x"):
        made = os.path.join(place.root.encode(), name)
        os.mkdir(made)
        for file, text in FILES.items():
            with open(os.path.join(made, file.encode()), "w") as out:
                out.write(text)
        done = subprocess.run([*place.command("exec"), made, b"--", b"ls"], env=place.env,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60)
        assert done.stdout == b"requirements.txt\nwsgi.py\n", done.stderr


def test_many_arguments(root, run):
    done = run("exec", root, "--", "sh", "-c", "echo $#", "sh", *["x" * 40] * 20000)
    assert (done.returncode, done.stdout) == (0, "20000\n"), done.stderr


# ---- status ----

@pytest.mark.parametrize("script, status", [
    ("exit 0", 0), ("exit 1", 1), ("exit 7", 7), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137),
    ("kill -SEGV $$", 139), ("no-such-command", 127)])
def test_status(root, run, script, status):
    assert run("exec", root, "--", "sh", "-c", script).returncode == status


def test_commands_that_can_not_be_run(root, run):
    done = run("exec", root, "--", "no-such-command")
    assert done.returncode == 127 and "no-such-command" in done.stderr
    assert run("exec", root, "--", "/etc/hostname-not-there").returncode == 127
    assert run("exec", root, "--", "./wsgi.py").returncode == 126


def test_what_it_leaves_behind_ends_with_it(root, run):
    # The census at the end of each test finds what is left.
    done = run("exec", root, "--", "sh", "-c", "sleep 1000 & setsid sleep 1000 & echo done")
    assert (done.returncode, done.stdout) == (0, "done\n")


# ---- signals ----

def started(place, root, script, **keywords):
    command = place.command("exec", root, "--", "sh", "-c", script)
    child = subprocess.Popen(command, env=place.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                             **keywords)
    assert child.stdout.readline() == "ready\n"
    return child


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "QUIT"])
def test_signals_are_passed_on(root, place, name):
    number = getattr(signal, "SIG" + name)
    child = started(place, root, "trap 'echo got %s; exit 9' %s; echo ready; while :; do sleep 0.05; done"
                    % (name, name))
    child.send_signal(number)
    assert child.stdout.read() == "got %s\n" % name and child.wait(10) == 9


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_a_signal_that_ends_it_is_the_status(root, place, name):
    number = getattr(signal, "SIG" + name)
    child = started(place, root, "echo ready; exec sleep 1000")
    child.send_signal(number)
    assert child.wait(10) == 128 + number
    child.stdout.close()


def test_a_signal_may_be_ignored(root, place):
    child = started(place, root, "trap 'echo still here' INT; echo ready; while :; do sleep 0.05; done")
    for _ in range(2):
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "still here\n"
    child.send_signal(signal.SIGTERM)
    assert child.wait(10) == 128 + signal.SIGTERM
    child.stdout.close()


def test_killed_it_takes_all_with_it(root, place):
    child = started(place, root, "trap '' TERM INT HUP; echo ready; while :; do sleep 0.05; done")
    child.send_signal(signal.SIGKILL)
    assert child.wait(10) == -signal.SIGKILL
    child.stdout.close()
    place.assert_nothing_left(within=6)


def test_a_signal_while_building(place, project):
    place.env["XDG_CACHE_HOME"] = place.directory("own-cache")
    made = project(dict(FILES, **{"leanengine.yaml": "install: sleep 1000\n"}))
    child = subprocess.Popen(place.command("exec", made, "--", "echo", "never"), env=place.env,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while "install" not in child.stderr.readline():
        pass
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=10)
    assert (child.returncode, out) == (128 + signal.SIGINT, "")


# ---- the terminal ----

def test_a_terminal_of_its_own(root, on_terminal):
    seen = on_terminal("exec", root, "--", "sh", "-c", "test -t 0 && test -t 1 && test -t 2 && echo $TERM",
                       env={"TERM": "xterm-256color"})
    assert seen.wait_exit() == 0
    assert seen.output == b"xterm-256color\r\n"


def test_an_ordinary_user_has_a_terminal_too(ordinary):
    # Of somebody else's: it cannot be opened again, only used.
    made = ordinary.project(FILES)
    assert ordinary.run("build", made).returncode == 0
    seen = PtyRun(ordinary, "exec", made, "--", "sh", "-c", "echo $TERM; read x; id -un; exit 4")
    seen.wait_output(b"xterm-256color")
    seen.type(b"\r")
    assert seen.wait_exit() == 4 and b"leanengine" in seen.output


def test_no_terminal_when_the_output_goes_elsewhere(root, place, tmp_path):
    # As in `leanlocal exec -- command > file` at a terminal: colours must not land in the file.
    master, slave = os.openpty()
    with open(tmp_path / "out", "wb") as out:
        done = subprocess.run(place.command("exec", root, "--", "sh", "-c", "test -t 1 || echo plain; echo $TERM."),
                              env=place.env, stdin=slave, stdout=out, stderr=subprocess.PIPE, check=False,
                              timeout=60)
    os.close(master)
    os.close(slave)
    assert done.returncode == 0 and (tmp_path / "out").read_bytes() == b"plain\n.\n"


def test_window_size_now_and_later(root, on_terminal):
    seen = on_terminal("exec", root, "--", "sh", "-c",
                       "stty size; trap 'stty size; exit 4' WINCH; echo ready; while :; do sleep 0.05; done",
                       size=(101, 33))
    seen.wait_output(b"33 101\r\nready")
    seen.resize(72, 21)
    seen.wait_output(b"21 72")
    assert seen.wait_exit() == 4


def test_keys_mean_inside_what_they_mean_outside(root, on_terminal):
    seen = on_terminal("exec", root, "--", "sh", "-c",
                       "trap 'echo interrupted' INT; echo ready; read line; echo got:$line; read more; echo end")
    seen.wait_output(b"ready")
    seen.type(b"\x03")
    seen.wait_output(b"interrupted")
    seen.type(b"hello\r")
    seen.wait_output(b"hello")
    seen.type(b"\x04")
    seen.wait_exit()


def test_ctrl_c_ends_a_command(root, on_terminal):
    seen = on_terminal("exec", root, "--", "sh", "-c", "echo ready; exec sleep 1000")
    seen.wait_output(b"ready")
    seen.type(b"\x03")
    assert seen.wait_exit() == 128 + signal.SIGINT


def test_the_terminal_is_as_it_was(root, on_terminal):
    seen = on_terminal("exec", root, "--", "sh", "-c", "stty raw -echo; echo ready; read x")
    before = seen.attributes()
    seen.wait_output(b"ready")
    assert seen.attributes() != before  # raw: the inner one echoes
    seen.type(b"x\n\r")
    seen.wait_exit()
    assert seen.attributes() == before


def test_a_reader_that_is_slow_loses_nothing(root, on_terminal):
    seen = on_terminal("exec", root, "--", "sh", "-c", "seq 1 200000")
    seen.wait_output(b"1\r\n")
    # Until nobody can write any more: the kernel's buffers, ours and the inner pty are full.
    wait_for(lambda: seen.process.poll() is None, "it to wait for the reader", 5)
    while seen.process.poll() is None or seen.read(0.2):
        seen.read(0.2, 4096 if len(seen.output) < 100_000 else 65536)
    assert seen.wait_exit() == 0
    assert seen.output.split() == [b"%d" % number for number in range(1, 200001)]


def test_typing_and_output_do_not_wait_for_each_other(root, on_terminal):
    # The command writes without end and reads nothing, and somebody pastes more than any terminal holds.
    seen = on_terminal("exec", root, "--", "sh", "-c", "stty -echo; echo ready; exec yes")
    seen.wait_output(b"ready")
    assert seen.type_until_full(b"paste\n" * 100) > 4096
    before = len(seen.output)
    while len(seen.output) < before + 1_000_000:
        assert seen.read(10), "the output stands still"
    seen.signal(signal.SIGINT)
    assert seen.wait_exit() == 128 + signal.SIGINT


def test_signals_are_passed_on_while_the_terminal_is_not_read(root, on_terminal):
    seen = on_terminal("exec", root, "--", "yes")
    seen.wait_output(b"y\r\ny\r\n")
    seen.signal(signal.SIGTERM)
    assert seen.wait_exit() == 128 + signal.SIGTERM


def test_a_terminal_that_goes_away(root, on_terminal, place):
    seen = on_terminal("exec", root, "--", "sh", "-c", "echo ready; exec sleep 1000")
    seen.wait_output(b"ready")
    os.close(seen.master)
    seen.process.wait(10)
    place.assert_nothing_left(within=6)
    seen.master = os.open("/dev/null", os.O_RDONLY)


def test_a_shell_is_the_default(root, on_terminal):
    seen = on_terminal("exec", root)
    seen.wait_output(b"$ ")
    seen.type(b"echo in $PWD\r")
    seen.wait_output(b"in /home/leanengine/app")
    seen.type(b"exit 6\r")
    assert seen.wait_exit() == 6


def test_in_tmux(root, screen):
    seen = screen("exec", root, "--", "sh", "-c", "stty size; tput cols; echo $TERM; read x; exit 3", size=(90, 20))
    seen.wait_text(r"20 90\n90\ntmux-256color")
    seen.send_keys("Enter")
    assert seen.wait_exit() == 3
