"""The tests' own tools: a census that sees nothing, or a wheel that pip refuses, would make others pass for nothing."""

import glob
import os
import re
import signal
import subprocess
import sys

import pytest

from helpers.census import is_port_free
from helpers.environments import NAMES, why_not
from helpers.place import Place, new_address
from helpers.waiting import wait_for
from helpers.wheels import Wheelhouse


@pytest.fixture
def shell(tmp_path):
    """A place whose program is a shell."""
    made = Place("/bin/sh", str(tmp_path))
    yield made
    made.leave()


def start(shell, script):
    return subprocess.Popen(shell.command("-c", script), env=shell.env, stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, start_new_session=True)


def test_census_sees_children_with_a_clean_environment(shell):
    process = start(shell, "env -i /bin/sleep 1000 & wait")
    try:
        wait_for(lambda: len(shell.census.look()) == 2, "both processes", show=shell.census.look)
        with pytest.raises(AssertionError, match="sleep 1000"):
            shell.assert_nothing_left(within=0.1)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(5)
        assert list(shell.census.look().values()) == ["/bin/sleep 1000"]  # an orphan, seen before
    finally:
        for pid in shell.census.look():
            os.kill(pid, signal.SIGKILL)
    shell.assert_nothing_left()


def test_census_is_not_taken_in_by_others(shell):
    process = subprocess.Popen(["sleep", "1000"])
    try:
        assert shell.census.look() == {}
    finally:
        process.kill()
        process.wait()


def test_taken_port_is_seen(address):
    import socket
    assert is_port_free(address, 3000)
    with socket.create_server((address, 3000)):
        assert not is_port_free(address, 3000)


def test_addresses_differ():
    made = {new_address() for _ in range(400)}
    assert len(made) == 400
    assert not [each for each in made if each.startswith(("127.77.", "127.0."))]


def test_run_gives_status_and_input(shell):
    done = shell.run("-c", "cat; exit 3", input="through")
    assert (done.returncode, done.stdout) == (3, "through")
    assert shell.run("-c", "[ -e /proc/self/fd/0 ]", close_stdin=True).returncode == 1


def test_screen_shows_takes_keys_and_tells_the_status(shell):
    screen = shell.screen("-c", "echo size $(stty size); read line; echo got $line; exit 5", size=(60, 12))
    screen.wait_text(r"size 12 60")
    screen.type("你好")
    screen.send_keys("Enter")
    screen.wait_text(r"got 你好")
    assert screen.wait_exit() == 5


def test_screen_tells_the_signal(shell):
    screen = shell.screen("-c", "echo up; kill -9 $$")
    assert screen.wait_exit() == -9


def test_screen_resizes(shell):
    screen = shell.screen("-c", "trap 'stty size' WINCH; echo up; while :; do sleep 0.02; done")
    screen.wait_text("up")
    screen.resize(40, 10)
    screen.wait_text("10 40")


def pip():
    wheels = glob.glob("/usr/share/python-wheels/pip-*.whl")
    return [sys.executable, wheels[0] + "/pip"] if wheels else [sys.executable, "-m", "pip"]


def test_wheels_install_without_an_index(tmp_path):
    house = Wheelhouse(tmp_path / "house")
    house.add("base-thing", "2.0")
    house.add("tool", "1.0", {"tool.py": "def main():\n    print('tool works')\n"},
              requires=["base-thing>=2"], scripts={"tool": "tool:main"})
    done = subprocess.run(pip() + ["install", "--quiet", "--target", str(tmp_path / "site"), "tool"],
                          env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **house.env},
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = subprocess.run([sys.executable, "-c", "import tool, base_thing; tool.main()"],
                          env={"PYTHONPATH": str(tmp_path / "site")}, capture_output=True, text=True,
                          check=False)
    assert said.stdout == "tool works\n", said.stderr
    assert os.access(tmp_path / "site" / "bin" / "tool", os.X_OK)


def test_wheel_conflict_is_refused_by_pip(tmp_path):
    house = Wheelhouse(tmp_path / "house")
    house.add("base-thing", "1.0")
    house.add("tool", "1.0", requires=["base-thing>=2"])
    done = subprocess.run(pip() + ["install", "--quiet", "--target", str(tmp_path / "site"), "tool"],
                          env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **house.env},
                          capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "base-thing" in done.stderr


def test_wheels_are_the_same_bytes_each_time(tmp_path):
    first = Wheelhouse(tmp_path / "one").add("thing", "1.0")
    second = Wheelhouse(tmp_path / "two").add("thing", "1.0")
    with open(first, "rb") as one, open(second, "rb") as two:
        assert one.read() == two.read()


# ---- environments ----

MATRIX = """
import pytest
from helpers.environments import note
@pytest.mark.parametrize("name", ["user", "nested", "container", "mountless"])
def test_passes(request, name):
    note(request.node, name)
def test_skips(request):
    note(request.node, %r)
    pytest.skip("for no good reason")
def test_skips_elsewhere():
    pytest.skip("has no environment")
"""


def run_matrix(tmp_path, name, *options):
    tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    (tmp_path / "test_matrix.py").write_text(MATRIX % name)
    return subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "helpers.environments",
                           "--rootdir", str(tmp_path), *options, str(tmp_path)], capture_output=True, text=True,
                          check=False, cwd=tmp_path, env={**os.environ, "PYTHONPATH": tests})


def test_a_skip_where_the_environment_is_offered_fails(tmp_path):
    if why_not("user"):
        pytest.skip("an ordinary user has no sandbox here: " + why_not("user"))
    done = run_matrix(tmp_path, "user")
    assert done.returncode == 1
    assert "for no good reason, but this host offers the environment: user" in done.stdout
    assert "1 failed, 4 passed, 1 skipped" in done.stdout


def test_environments_are_counted_above_the_closing_line(tmp_path):
    done = run_matrix(tmp_path, "no such host", "-k", "passes")
    lines = done.stdout.splitlines()
    assert "4 passed" in lines[-1]
    assert re.fullmatch(r"environments: root 0.*, user 1, nested 1, container 1, mountless 1", lines[-2]), lines


def test_each_environment_is_what_it_says():
    """Of this host's: root's levels and an ordinary user's are those that the tests count on."""
    lacking = {name: why_not(name) for name in NAMES if why_not(name)}
    assert set(lacking) <= {"root", "user", "nested"}, lacking
