"""Bad input: a clear message, the way out, the exit code, nothing left behind."""

import os
import socket

import pytest

OK = "def application(e, s):\n    s('200 OK', [])\n    return [b'x']\n"

# files, words that must be on the screen, exit code of verify
CASES = {
    "no project": ({"README": ""}, ["neither wsgi.py nor requirements.txt"], 1),
    "not Python": ({"index.html": ""}, ["static project"], 1),
    "node first": ({"package.json": '{"scripts": {"start": "x"}}', "wsgi.py": OK,
                    "requirements.txt": ""}, ["nodejs", "runtime: python"], 1),
    "wsgi.py missing": ({"requirements.txt": ""}, ["wsgi.py is missing"], 1),
    "requirements.txt missing": ({"wsgi.py": OK}, ["requirements.txt is missing"], 1),
    "no application": ({"wsgi.py": "app = 1\n", "requirements.txt": ""}, ["application"], 1),
    "syntax error": ({"wsgi.py": "def broken(:\n", "requirements.txt": ""},
                     ["wsgi.py:1: SyntaxError"], 1),
    "unknown version": ({"wsgi.py": OK, "requirements.txt": "", ".python-version": "3.5.1\n"},
                        ["3.5.1", "pyenv install 3.5.1"], 3),
    "PyPy": ({"wsgi.py": OK, "requirements.txt": "", ".python-version": "pypy3.9-7.3.9\n"},
             [".python-version:1", "CPython"], 1),
    "invalid YAML": ({"wsgi.py": OK, "requirements.txt": "", "leanengine.yaml": "run: [\n"},
                     ["leanengine.yaml:"], 1),
    "startupTimeout": ({"wsgi.py": OK, "requirements.txt": "",
                        "leanengine.yaml": "run: x\nstartupTimeout: 5m\n"},
                       ["leanengine.yaml:2:", "15", "120"], 1),
    "bad .env": ({"wsgi.py": OK, "requirements.txt": "", ".env": "2A=1\n"}, [".env:1"], 2),
}


@pytest.mark.parametrize("name", CASES)
def test_message_way_out_and_exit_code(project, run, name):
    files, words, code = CASES[name]
    done = run("verify", project(files))
    said = done.stdout + done.stderr
    for word in words:
        assert word in said, said
    assert done.returncode == code, said


def test_unknown_key_is_reported_with_line_and_column(project, run):
    done = run("verify", project({"wsgi.py": OK, "requirements.txt": "",
                                  "leanengine.yaml": "startuptimeout: 30\n"}))
    assert done.returncode == 0
    assert "leanengine.yaml:1:1" in done.stdout and "startupTimeout" in done.stdout


@pytest.mark.contract("P-67")
def test_P_67_pip_failing_shows_the_last_step(project, run, wheelhouse):
    done = run("build", project({"wsgi.py": OK, "requirements.txt": "no-such-thing==1\n"}),
               )
    assert done.returncode == 1
    assert "no-such-thing" in done.stdout


@pytest.mark.contract("P-301")
def test_P_301_conflicts_that_pip_lets_pass_are_reported(project, run, wheelhouse):
    wheelhouse.add("base-thing", "1.0", {"base_thing.py": ""})
    wheelhouse.add("needs-two", "1.0", {"needs_two.py": ""}, requires=["base-thing>=2"])
    root = project({"wsgi.py": OK, "requirements.txt": "base-thing\n",
                    "leanengine.yaml":
                        "install:\n  - use: default\n"
                        "  - pip install --no-deps needs-two\n"})
    done = run("build", root)
    assert done.returncode == 0, done.stdout
    assert "needs-two" in done.stdout and "base-thing" in done.stdout
    assert "P-301" in done.stdout or "incompatible" in done.stdout or "requires" in done.stdout


def test_directory_that_does_not_exist(run):
    done = run("up", "/nonexistent/project", "--plain")
    assert done.returncode == 2 and "/nonexistent/project" in done.stderr


def test_directory_that_can_not_be_read(ordinary):
    root = ordinary.project({"wsgi.py": OK, "requirements.txt": ""})
    os.chmod(root, 0)
    try:
        done = ordinary.run("build", root)
    finally:
        os.chmod(root, 0o755)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Permission denied" in done.stderr


def test_port_in_use_names_its_owner(project, run, address):
    with socket.socket() as taken:
        taken.bind((address, 3000))
        taken.listen()
        done = run("up", project({"wsgi.py": OK, "requirements.txt": ""}), "--plain",
                   "--host", address)
    assert done.returncode == 3
    assert "pid %d" % os.getpid() in done.stderr and "--port" in done.stderr


@pytest.mark.parametrize("arguments", [["--port", "x"], ["--nonsense"], ["a", "b"],
                                       ["--env", "prod"], ["--region", "mars"]])
def test_wrong_usage(project, run, arguments):
    done = run("up", project({"wsgi.py": OK, "requirements.txt": ""}), "--plain", *arguments)
    assert done.returncode == 2


def test_http_proxy_does_not_get_the_probe(project, up):
    instance = up(project({"wsgi.py": OK, "requirements.txt": ""}),
                  env={"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"})
    instance.wait_healthy()


def test_closed_standard_descriptors(project, run):
    done = run("verify", project({"wsgi.py": OK, "requirements.txt": ""}), close_stdin=True)
    assert done.returncode == 0


def test_up_waits_for_the_mending_of_a_broken_first_version(project, up):
    root = project({"wsgi.py": "def broken(:\n", "requirements.txt": ""})
    instance = up(root)
    instance.wait_line(r"failed +.*wsgi\.py:1: SyntaxError")
    assert instance.http("/")[0] == 503
    (root / "wsgi.py").write_text(OK)
    instance.wait_line(r"^\S* *ready\b")
    assert instance.http("/")[0] == 200


def test_up_waits_for_the_mending_of_leanengine_yaml(project, up):
    root = project({"wsgi.py": OK, "requirements.txt": "", "leanengine.yaml": "run: [\n"})
    instance = up(root)
    instance.wait_line(r"failed +.*leanengine\.yaml:")
    (root / "leanengine.yaml").write_text("startupTimeout: 60\n")
    instance.wait_line(r"^\S* *ready\b")
