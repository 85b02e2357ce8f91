"""The life of a tree: exec and its failures, signals, and that nothing survives, at every level."""

import os
import pty
import select
import signal
import subprocess

import pytest

from boxes import children, end, marked, wait_for

DENIALS = ["", "user-namespace", "pid-namespace", "proc", "overlay", "notify", "mount",
           "user-namespace,mount,notify"]
# A child, a grandchild in a session of its own that ignores TERM, and an orphan.
TREE = ("trap '' TERM; sleep 1000 & (setsid sh -c 'trap \"\" TERM; sleep 1000 & wait' &) ; "
        "echo up; wait; wait")


def start_tree(box, deny):
    process = box.start("/bin/sh", "-c", TREE, deny=deny)
    assert process.stdout.readline() == "up\n", process.communicate()
    wait_for(lambda: len(marked(box.mark)) >= 4, "the tree of four")
    return process


@pytest.mark.parametrize("deny", DENIALS)
def test_runs_at_every_level(box, deny):
    result = box.shell("id -u; echo out; echo err >&2; exit 3", deny=deny)
    assert result.returncode == 3 and result.stdout.endswith("out\n") and result.stderr == "err\n", result
    # Nested without a namespace of its own the app has the one id there is: 0 in there, ordinary outside.
    one_id = box.leg == "nested" and ("mount" in deny or "user-namespace" in deny)
    assert result.stdout.split()[0] != "0" or one_id
    kinds = [event["event"] for event in box.events()]
    assert kinds == ["parked", "started", "command-exited", "exited"]


@pytest.mark.parametrize("deny", DENIALS)
def test_denied_is_said(box, deny):
    probe = box.probe(deny)
    for name in filter(None, deny.split(",")):
        assert not probe[name]["works"] and "LEANLOCAL_SANDBOX_DENY" in probe[name]["reason"]
    if "mount" in deny:
        assert probe["level"] == "none"


@pytest.mark.parametrize("deny", DENIALS)
def test_command_exit_ends_the_rest(box, deny):
    result = box.run("/bin/sh", "-c", "setsid sleep 1000 & (sleep 1000 &) ; exit 0", deny=deny)
    assert result.returncode == 0
    assert marked(box.mark) == []


@pytest.mark.parametrize("deny", DENIALS)
def test_kill_9_of_the_parent_leaves_nothing(box, deny):
    process = start_tree(box, deny)
    process.kill()
    wait_for(lambda: not marked(box.mark), "all to be gone", 3)
    process.communicate()


@pytest.mark.parametrize("deny", DENIALS)
def test_kill_9_of_init_ends_the_tree(box, deny):
    if box.leg == "user" and "user-namespace" in deny:
        deny = deny + ",mount"
    # Without a PID namespace who left the command's session is not found; see leftovers.h.
    namespaced = not any(name in deny for name in ("mount", "pid-namespace"))
    process = start_tree(box, deny) if namespaced else box.start(
        "/bin/sh", "-c", "trap '' TERM; sleep 1000 & (sleep 1000 &) ; echo up; wait", deny=deny)
    if not namespaced:
        assert process.stdout.readline() == "up\n"
    init = children(process.pid)[0]
    os.kill(init, signal.SIGKILL)
    process.communicate(timeout=5)
    assert box.events()[-1]["event"] == "exited"
    wait_for(lambda: not marked(box.mark), "all to be gone", 3)


@pytest.mark.parametrize("deny", DENIALS)
def test_sandbox_kill(box, deny):
    process = start_tree(box, deny)
    end(process, signal.SIGUSR1)
    assert box.events()[-1]["event"] == "exited"
    assert marked(box.mark) == []


@pytest.mark.parametrize("deny", ["", "mount"])
def test_term_reaches_the_group(box, deny):
    script = "trap 'echo got; exit 5' TERM; echo up; while :; do sleep 0.05; done"
    process = box.start("/bin/sh", "-c", script, deny=deny)
    assert process.stdout.readline() == "up\n"
    process.terminate()
    out, _ = process.communicate(timeout=10)
    assert out == "got\n" and process.returncode == 5


def test_signalled_command(full):
    assert full.shell("kill -SEGV $$").returncode == 128 + signal.SIGSEGV


def test_init_reaps(full):
    script = ("for i in 1 2 3 4 5 6 7 8 9 10; do (sh -c true &) ; done; "
              "until ! grep -ls '^State:.Z' /proc/[0-9]*/status; do sleep 0.02; done; echo clean")
    assert full.shell(script).stdout.endswith("clean\n")


FAILURES = [
    (["no-such-command"], "no-such-command: command not found"),
    (["/no/such/file"], "/no/such/file: command not found"),
    (["/etc/hosts"], 'cannot run "/etc/hosts"'),
    (["/usr"], 'cannot run "/usr"'),
]


@pytest.mark.parametrize("deny", ["", "mount"])
@pytest.mark.parametrize("command,message", FAILURES)
def test_exec_failures(box, command, message, deny):
    result = box.run(*command, deny=deny)
    assert result.returncode == 125 and message in result.stderr, result
    kinds = [event["event"] for event in box.events()]
    assert kinds == ["parked", "failed", "exited"]


def test_missing_interpreter_is_said(full):
    full.write("script", "#!/no/such/python\n")
    full.run("/script", options=["--bind", full.path("script") + ":/script"])
    failed = full.events("failed")[0]
    assert "interpreter" in failed["hint"] and failed["errno"] == 2


def test_missing_cwd(full):
    full.run("/bin/true", options=["--cwd", "/nowhere"])
    assert full.events("failed")[0]["where"] == "chdir /nowhere"


@pytest.mark.parametrize("deny", ["", "mount"])
def test_large_arguments_and_environment(box, deny):
    large = "v" * 120000
    result = box.run("/bin/sh", "-c", 'echo ${#LARGE} ${#LARGE2} ${#1}', "sh", "a" * 100000, deny=deny,
                     options=["--env", "LARGE=" + large, "--env", "LARGE2=" + large])
    assert result.stdout == "120000 120000 100000\n", result.stderr


def test_environment_is_exactly_as_given(full):
    result = full.run("/usr/bin/env")
    assert sorted(result.stdout.splitlines()) == sorted(
        ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/home/leanengine", full.mark])


@pytest.mark.parametrize("deny", ["", "mount"])
def test_stdin_is_empty(box, deny):
    assert box.run("/bin/cat", deny=deny).stdout == ""


def test_terminal(full):
    master, slave = pty.openpty()
    command = full.command("--terminal", "--stdin") + ["--", "/bin/sh", "-c", "tty; echo fg > /dev/tty; ps -o tty= -p $$"]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    out = b""
    process.wait(timeout=10)
    while select.select([master], [], [], 0)[0]:
        try:
            out += os.read(master, 4096)
        except OSError:
            break
    os.close(master)
    assert process.returncode == 0 and b"fg" in out, out


def test_ptys_can_be_made_inside(full):
    assert full.python("import os, pty; m, s = pty.openpty(); print(os.ttyname(s).startswith('/dev/pts/'))").stdout == "True\n"


def test_start_cost(full, record_property):
    result = subprocess.run(full.command("--times", "15") + ["--", "/bin/true"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result
    record_property("cost", result.stdout)
    print(full.leg, result.stdout)
