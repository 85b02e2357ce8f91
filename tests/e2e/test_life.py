"""Each end, alone: within 3 s nothing of the app survives, nothing is mounted, the port is free."""

import os
import signal
import socket
import threading

import pytest

OK = ("import os, subprocess\nsubprocess.Popen(['sleep', '1000'])\n"
      "def application(e, s):\n    s('200 OK', [])\n    return [b'x']\n")


@pytest.fixture
def running(project, up):
    instance = up(project({"wsgi.py": OK, "requirements.txt": ""}))
    instance.wait_healthy()
    return instance.remember()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_client_ended_by_signal(running, number):
    os.kill(running.pid, number)
    running.assert_gone(within=3)


def test_client_killed(running):
    os.kill(running.pid, signal.SIGKILL)
    running.assert_gone(within=3)


def test_engine_killed(running):
    os.kill(running.engine_pid(), signal.SIGKILL)
    assert running.wait_exit(3) == 3
    running.assert_gone(within=3)  # its client has removed its files
    sockets = os.path.join(running.place.env["XDG_RUNTIME_DIR"], "leanlocal")
    running.wait_until(lambda: not [name for name in os.listdir(sockets) if name.endswith(".sock")])


def test_files_of_a_killed_engine_are_swept(running, up):
    """By the next start, when the client was killed with it."""
    os.kill(running.pid, signal.SIGSTOP)
    os.kill(running.engine_pid(), signal.SIGKILL)
    os.kill(running.pid, signal.SIGKILL)
    running.wait_exit(3)
    mine = "-%d" % running.engine
    assert [name for name in running.run_directories() if name.endswith(mine)]
    again = up(running.root)
    again.wait_healthy()
    again.wait_until(lambda: not [name for name in again.run_directories() if name.endswith(mine)])


def test_an_engine_that_is_connected_to_and_does_not_answer_is_none(running, up):
    """As the kernel connects to one that is being killed: the connection stands, and ends."""
    sockets = os.path.join(running.place.env["XDG_RUNTIME_DIR"], "leanlocal")
    path = os.path.join(sockets, [name for name in os.listdir(sockets) if name.endswith(".sock")][0])
    assert running.stop() in (0, 130)
    with socket.socket(socket.AF_UNIX) as dying:
        dying.bind(path)
        dying.listen(8)

        def end_each():
            while True:
                try:
                    dying.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=end_each, daemon=True).start()
        status = running.place.run("status", running.root)
        assert status.returncode == 3 and "no leanlocal runs in" in status.stderr
        up(running.root).wait_healthy()
        dying.shutdown(socket.SHUT_RDWR)


def test_helper_killed_is_restarted_and_the_app_stays(running):
    old = running.helper_pid("@tree")
    os.kill(old, signal.SIGKILL)
    running.wait_until(lambda: running.helper_pid("@tree") not in (None, old))
    assert running.http("/")[0] == 200
    (running.root / "wsgi.py").write_text(OK.replace("b'x'", "b'after'"))
    running.wait_body(b"after")


def test_init_killed_only_its_instance_goes(running):
    os.kill(running.init_pid(), signal.SIGKILL)
    running.wait_line(r"web2 serves version")
    running.wait_body(b"x")


def test_app_that_dies_is_started_again(project, up):
    instance = up(project({
        "wsgi.py": "import os\ndef application(e, s):\n"
                   "    if e['PATH_INFO'] == '/die':\n        os._exit(3)\n"
                   "    s('200 OK', [])\n    return [b'x']\n",
        "requirements.txt": ""}))
    instance.wait_healthy()
    instance.http("/die")
    instance.wait_line(r"web1: it ended with exit status 3")
    instance.wait_line(r"web2 serves version")
    instance.wait_body(b"x")


def test_stop_command_ends_it(running, run):
    done = run("stop", running.root)
    assert done.returncode == 0
    running.assert_gone(within=1)


def test_status_and_second_up_attach(running, run):
    done = run("status", running.root)
    assert done.returncode == 0
    assert "healthy" in done.stdout and "web1" in done.stdout


def test_status_without_an_engine(project, run):
    done = run("status", project({"wsgi.py": OK, "requirements.txt": ""}))
    assert done.returncode == 3 and "leanlocal up" in done.stderr


def test_killed_while_building(place, project, up, wheelhouse):
    place.env["XDG_CACHE_HOME"] = place.directory("own-cache")
    layers = os.path.join(place.env["XDG_CACHE_HOME"], "leanlocal", "layers")

    def half():
        return [name for name in os.listdir(layers) if name.startswith(("tmp-", "home-", "dead-"))]
    root = project({"wsgi.py": OK, "requirements.txt": "",
                    "leanengine.yaml": "install:\n  - echo begun; sleep 1000\n"})
    instance = up(root)
    instance.wait_line(r"begun")
    instance.remember()
    assert half()
    os.kill(instance.engine_pid(), signal.SIGKILL)
    instance.wait_exit(3)
    instance.assert_gone(within=3, files=False)
    instance.wait_until(lambda: not half())  # its client has removed that too
    (root / "leanengine.yaml").unlink()
    again = up(root)
    again.wait_healthy()
