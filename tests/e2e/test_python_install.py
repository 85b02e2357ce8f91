"""A Python that is not there is installed by the user's pyenv, from a mirror on 127.0.0.1 (P-40, P-51)."""

import json
import os
import signal
import socket
import subprocess

import pytest

from helpers import http
from helpers.interpreters import need_interpreter
from helpers.pyenv import Source
from helpers.waiting import wait_for

APP = "def application(e, s):\n    s('200 OK', [])\n    return [b'one']\n"
FILES = {"wsgi.py": APP, "requirements.txt": ""}
WHERE = ("--", "python", "-c", "import sys; print(sys.version.split()[0], sys.base_prefix)")
NO_OTHER = {"PATH": "/nowhere"}


@pytest.fixture
def source(place):
    made = Source(place)
    place.cache = place.directory("cache")  # of its own: what is left in it is looked at
    place.env.update(made.env, XDG_CACHE_HOME=place.cache)
    yield made
    made.end()


def helpers(place):
    return [pid for pid, line in place.census.look().items() if "@python install" in str(line)]


def rests(place):
    """What is left of installations in the cache; the locks' empty files stay."""
    directory = os.path.join(place.env["XDG_CACHE_HOME"], "leanlocal", "python")
    return [name for name in os.listdir(directory) if name.startswith("install-")
            and not (name.endswith(".lock") and os.path.getsize(os.path.join(directory, name)) == 0)]


@pytest.mark.contract("P-40", "P-51")
def test_install_python(project, run, place, source):
    """A prefix is installed as the newest known one, with what pyenv says on demand; then it is used."""
    version = source.add("3.12")
    root = project({**FILES, ".python-version": version + "\n"})
    done = run("exec", root, "--install-python", *WHERE)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "%s %s\n" % (version, source.pyenv.path(version))
    assert source.installed() == [version] and rests(place) == []
    assert any(each.startswith("GET /") for each in source.mirror.asked)
    again = run("build", root, "--install-python", "--build-logs")
    assert again.returncode == 0 and "pyenv install" not in again.stdout


def test_it_says_what_it_does(project, run, source):
    version = source.add("3.12")
    done = run("build", project({**FILES, ".python-version": version}), "--install-python", "--build-logs")
    assert done.returncode == 0, done.stdout
    assert "$ pyenv install " + version in done.stdout and "compiling " + version in done.stdout


def test_a_stand_in_is_not_taken_where_the_right_one_is_asked_for(project, run, source):
    """verify with another patch installed: the wanted one is installed, and no deviation is told."""
    version = source.add("3.12")
    source.pyenv.invent(version + "9")
    root = project({**FILES, ".python-version": version})
    done = run("verify", root, "--install-python")
    assert done.returncode == 0, done.stdout
    assert "takes its place" not in done.stdout and version in source.installed()


def test_a_packaged_pyenv(project, run, place):
    """Its command lies elsewhere than its versions, of which there are none yet."""
    made = Source(place, stand_in=True)
    try:
        place.env.update(made.env)
        version = made.add("3.12")
        os.rmdir(made.pyenv.path())
        done = run("exec", project({**FILES, ".python-version": version}), "--install-python", *WHERE)
        assert done.returncode == 0 and done.stdout.startswith(version), done.stderr
    finally:
        made.end()


def test_pyenvs_own_settings_reach_it(project, run, place, source):
    """A cache of sources; a proxy, which answers in the mirror's place; not PYTHONHOME."""
    if source.stand_in:
        pytest.skip("no pyenv on this host")
    version = source.add("3.12")
    cached = place.directory("sources")
    env = {"PYTHON_BUILD_CACHE_PATH": cached, "PYTHON_BUILD_MIRROR_URL": "http://mirror.invalid",
           "http_proxy": source.mirror.url, "no_proxy": "", "PYTHONHOME": "/nowhere"}
    root = project({**FILES, ".python-version": version})
    done = run("build", root, "--install-python", "--build-logs", env=env)
    assert done.returncode == 0, done.stdout
    assert os.listdir(cached) == ["Python-%s.tar.gz" % version]
    assert any("http://mirror.invalid/" in each for each in source.mirror.asked)


def test_a_failure_fails_the_stage_with_the_last_lines(project, run, place, source):
    gate = source.gate()
    version = source.add("3.12", gate=gate)
    root = project({**FILES, ".python-version": version})
    started = place.up(root, "--install-python")
    started.wait_line(r"\$ pyenv install " + version)
    source.answer(gate, "fail")
    assert started.wait_exit(30) == 3
    assert "Python %s could not be installed" % version in started.text
    assert "the gate says fail" in started.text
    assert "pyenv/wiki" in started.text
    assert source.installed() == [] and rests(place) == []


def test_a_download_that_fails_names_the_mirror(project, run, place, source):
    version = source.add("3.12")
    source.mirror.files.clear()
    done = run("build", project({**FILES, ".python-version": version}), "--install-python",
               env={"https_proxy": source.mirror.url, "http_proxy": source.mirror.url, "no_proxy": ""})
    assert done.returncode == 3
    assert "Python %s could not be installed" % version in done.stdout
    if not source.stand_in:
        assert "PYTHON_BUILD_MIRROR_URL to a mirror" in done.stdout
    assert source.installed() == [] and rests(place) == []


def test_what_root_s_app_could_not_read_is_not_made(project, run, place, source):
    """Without mounts the app is another user, who cannot enter a closed directory."""
    if os.geteuid() != 0:
        pytest.skip("for root alone")
    version = source.add("3.12")
    os.chmod(source.directory, 0o700)
    done = run("build", project({**FILES, ".python-version": version}), "--install-python",
               env={"LEANLOCAL_SANDBOX_DENY": "mount,overlay", "LEANLOCAL_DEBUG": ""})
    assert done.returncode == 3, done.stdout
    assert "install Python %s where every user can read it" % version in done.stdout
    assert source.installed() == [] and source.mirror.asked == []


def test_without_being_asked_nothing_is_installed(project, run, source):
    version = source.add("3.12")
    done = run("build", project({**FILES, ".python-version": version}), env=NO_OTHER)
    assert done.returncode == 3
    assert "pyenv install %s; or let leanlocal do it: --install-python" % version in done.stdout
    assert source.installed() == [] and source.mirror.asked == []


def test_what_pyenv_does_not_know(project, run, source):
    done = run("build", project({**FILES, ".python-version": "3.77.1"}), "--install-python", env=NO_OTHER)
    assert done.returncode == 3
    assert "this pyenv does not know it; update pyenv, then: pyenv install 3.77.1" in done.stdout


def test_without_pyenv(project, run, place):
    done = run("build", project({**FILES, ".python-version": "3.77"}), "--install-python",
               env={"PYENV_ROOT": "/nowhere", "HOME": place.directory("empty"), **NO_OTHER})
    assert done.returncode == 3
    assert "git clone https://github.com/pyenv/pyenv" in done.stdout


def test_two_engines_install_it_once(project, place, source):
    gate = source.gate()
    version = source.add("3.12", gate=gate)
    files = {**FILES, ".python-version": version}
    first = place.up(project(files), "--install-python")
    first.wait_line(r"\$ pyenv install")
    second = place.up(project(files), "--install-python", "--build-logs")
    second.wait_line("another leanlocal installs Python " + version)
    source.answer(gate, "go")
    first.wait_healthy(60)
    second.wait_healthy(60)
    assert len([each for each in source.mirror.asked if each.startswith("GET")]) == 1
    assert first.http("/").body == second.http("/").body == b"one"


def test_a_killed_engine_leaves_nothing(project, place, source):
    late = source.gate()
    version = source.add("3.12", late=late)
    started = place.up(project({**FILES, ".python-version": version}), "--install-python")
    wait_for(lambda: os.path.exists(source.pyenv.path(version, "half")), "half of the prefix", 30,
             lambda: started.text)
    os.kill(started.engine_pid(), signal.SIGKILL)
    place.assert_nothing_left(5)
    assert source.installed() == [] and rests(place) == []


def test_what_a_killed_installation_left_is_removed_by_the_next(project, run, place, source):
    late = source.gate()
    version = source.add("3.12", late=late)
    root = project({**FILES, ".python-version": version})
    started = place.up(root, "--install-python")
    wait_for(lambda: os.path.exists(source.pyenv.path(version, "half")), "half of the prefix", 30,
             lambda: started.text)
    [helper] = helpers(place)
    place.census.look()
    os.kill(helper, signal.SIGKILL)
    assert started.wait_exit(30) == 3
    assert os.path.exists(source.pyenv.path(version, "half"))
    place.assert_nothing_left(5)  # pyenv, make and what they run
    source.add("3.12")
    done = run("exec", root, "--install-python", *WHERE)
    assert done.returncode == 0, done.stderr
    assert not os.path.exists(source.pyenv.path(version, "half")) and rests(place) == []


def test_a_save_goes_on_while_it_is_installed(project, place, source):
    """Nothing can serve before it is there; the save that came meanwhile is what serves then."""
    gate = source.gate()
    version = source.add("3.12", gate=gate)
    root = project({**FILES, ".python-version": version})
    started = place.up(root, "--install-python")
    started.wait_line(r"\$ pyenv install")
    (root / "wsgi.py").write_text(APP.replace("one", "two"))
    started.wait_line("save")
    source.answer(gate, "go")
    started.wait_healthy(60)
    started.wait_body(b"two")
    assert started.text.count("$ pyenv install") == 1


def test_a_save_that_wants_another_ends_it(project, place, source):
    gate = source.gate()
    version = source.add("3.12", gate=gate)
    other = os.path.basename(source.pyenv.path(source.add("3.11")))
    root = project({**FILES, ".python-version": version})
    started = place.up(root, "--install-python")
    started.wait_line(r"\$ pyenv install " + version)
    (root / ".python-version").write_text(other)
    started.wait_line("the installation of Python %s is given up" % version)
    started.wait_line(r"\$ pyenv install " + other)
    started.wait_healthy(60)
    wait_for(lambda: source.installed() == [other], "the other alone", 5, source.installed)


def test_a_version_that_appears_is_seen(project, place, source):
    """Somebody runs `pyenv install` elsewhere: no save is needed."""
    version = source.add("3.12")
    minor = version.rpartition(".")[0]
    near = os.path.dirname(os.path.dirname(need_interpreter("3.12")))
    source.pyenv.link(minor + ".999", near)
    root = project({**FILES, ".python-version": version})
    started = place.up(root)
    started.wait_line("%s is not installed here; %s takes its place" % (version, version))
    started.wait_healthy()
    os.makedirs(source.pyenv.path("3.12.98"))  # begun by somebody, and not yet complete
    source.pyenv.link(version, near)
    started.wait_line("pyenv's versions have changed")
    at = started.position()
    started.wait_line("ready", since=at)
    assert "takes its place" not in "\n".join(text for _, text in started.lines[at:])


def command(place, started, name):
    """A word to the engine through its socket; its reply."""
    [path] = [os.path.join(here, file) for here, _, files in os.walk(place.env["XDG_RUNTIME_DIR"])
              for file in files if file.endswith(".sock")]
    with socket.socket(socket.AF_UNIX) as talk:
        talk.connect(path)
        talk.sendall(json.dumps({"command": name, "id": 1}).encode() + b"\n")
        for line in talk.makefile():
            message = json.loads(line)
            if message.get("reply") == 1:
                return message
    raise AssertionError(started.text)


def test_cancelled_through_the_socket(project, place, source):
    late = source.gate()
    version = source.add("3.12", late=late)
    root = project({**FILES, ".python-version": version})
    started = place.up(root, "--install-python")
    wait_for(lambda: os.path.exists(source.pyenv.path(version, "half")), "half of the prefix", 30,
             lambda: started.text)
    assert command(place, started, "cancel")["ok"]
    started.wait_line("the installation of Python %s was cancelled" % version)
    assert started.wait_exit(20) == 3  # plain: what only the host can mend is not waited for
    assert source.installed() == [] and rests(place) == []


def test_a_failure_beside_what_serves(project, place, source):
    """Another patch serves: it goes on, and the failure is told as one of the installation alone."""
    gate = source.gate()
    version = source.add("3.12", gate=gate)
    source.pyenv.link(version + "9", os.path.dirname(os.path.dirname(need_interpreter("3.12"))))
    started = place.up(project({**FILES, ".python-version": version}), ready=True)
    assert not command(place, started, "cancel")["ok"]
    assert command(place, started, "install_python")["ok"]
    source.answer(gate, "fail")
    started.wait_line("Python %s could not be installed" % version)
    started.wait_line("the gate says fail")
    assert started.http("/").body == b"one" and "failed" not in started.text
    assert command(place, started, "install_python")["ok"]  # asked for again, it is tried again
    source.answer(gate, "go")
    at = started.position()
    started.wait_line("ready", since=at)
    assert rests(place) == []


def test_who_waits_can_be_cancelled_alone(project, place, source):
    gate = source.gate()
    version = source.add("3.12", gate=gate)
    files = {**FILES, ".python-version": version}
    first = place.up(project(files), "--install-python")
    first.wait_line(r"\$ pyenv install")
    second = place.up(project(files), "--install-python", "--build-logs")
    second.wait_line("another leanlocal installs Python " + version)
    second.process.send_signal(signal.SIGINT)
    second.wait_exit(10)
    source.answer(gate, "go")
    first.wait_healthy(60)
    assert source.installed() == [version]


def test_an_interrupted_build_leaves_nothing(project, place, source):
    late = source.gate()
    version = source.add("3.12", late=late)
    root = project({**FILES, ".python-version": version})
    build = subprocess.Popen(place.command("build", root, "--install-python"), env=place.env,
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    wait_for(lambda: os.path.exists(source.pyenv.path(version, "half")), "half of the prefix", 30)
    build.send_signal(signal.SIGINT)
    assert build.wait(10) == 130
    place.assert_nothing_left(5)
    assert source.installed() == [] and rests(place) == []


# ---- on the screen ----

def test_one_key_installs_it(project, place, screen, source):
    gate = source.gate()
    version = source.add("3.12", gate=gate)
    shown = screen("up", project({**FILES, ".python-version": version}), "--host", place.address)
    shown.wait_text("Python %s is not here; i installs it" % version)
    shown.wait_text("i install Python")
    shown.send_keys("i")
    shown.wait_text("installing Python %s; x cancels" % version)
    shown.wait_text("compiling " + version)  # in the Build pane, which nobody had to open
    source.answer(gate, "go")
    shown.wait_text("● healthy", 60)
    assert "install Python" not in shown.capture()
    shown.send_keys("q")
    place.assert_nothing_left(8)


def test_a_key_cancels_it(project, place, screen, source):
    late = source.gate()
    version = source.add("3.12", late=late)
    shown = screen("up", project({**FILES, ".python-version": version}), "--host", place.address)
    shown.wait_text("i install Python")
    shown.send_keys("i")
    wait_for(lambda: os.path.exists(source.pyenv.path(version, "half")), "half of the prefix", 30,
             shown.capture)
    shown.send_keys("x")
    shown.wait_text("is not here; i installs it")
    assert source.installed() == [] and rests(place) == []
    shown.send_keys("i")  # once more, as if nothing had been
    shown.wait_text("x cancel")
    shown.send_keys("q")
    place.assert_nothing_left(8)
    assert source.installed() == [] and rests(place) == []


def test_what_serves_goes_on_serving_meanwhile(project, place, screen, source):
    """Another patch runs the app; the wanted one is made beside it, and takes over when it is there."""
    gate = source.gate()
    version = source.add("3.12", gate=gate)
    near = version + "9"
    source.pyenv.link(near, os.path.dirname(os.path.dirname(need_interpreter("3.12"))))
    root = project({**FILES, ".python-version": version})
    shown = screen("up", root, "--host", place.address, size=(120, 30))
    shown.wait_text("● healthy", 60)
    shown.wait_text("i install Python")
    shown.send_keys("i")
    shown.wait_text("x cancel")
    (root / "wsgi.py").write_text(APP.replace("one", "two"))
    wait_for(lambda: http.ask(place.address, 3000, "/").body == b"two", "the save to be served", 30,
             shown.capture)
    source.answer(gate, "go")
    shown.wait_gone("x cancel", 60)
    wait_for(lambda: source.installed() == sorted([version, near]), "the version", 10, source.installed)
    shown.wait_text("● healthy", 60)
    shown.send_keys("q")
    place.assert_nothing_left(8)
