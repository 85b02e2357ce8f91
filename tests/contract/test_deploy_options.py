"""What the platform takes with a deployment instead of from leanengine.yaml (P-36)."""

import pytest

OK = "def application(e, s):\n    s('200 OK', [])\n    return [b'x']\n"


@pytest.mark.contract("P-36", "P-12")
def test_the_build_root_of_the_option_beats_the_files(project, run):
    root = project({"server/wsgi.py": OK, "server/requirements.txt": "", "other/README": "",
                    "leanengine.yaml": "buildRoot: other\n"})
    assert run("build", root).returncode == 1
    done = run("build", root, "--build-root", "server")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.contract("P-36", "P-67")
def test_build_logs_shows_what_is_hidden_without(project, run):
    root = project({"wsgi.py": OK, "requirements.txt": "", "leanengine.yaml": "build: echo said by the build\n"})
    shown = run("build", root, "--build-logs", "--no-cache")
    assert shown.returncode == 0 and any(line.endswith("said by the build") for line in shown.stdout.split("\n"))
    hidden = run("build", root, "--no-cache")
    assert hidden.returncode == 0
    assert not any(line.endswith("said by the build") and "echo" not in line
                   for line in hidden.stdout.split("\n"))


@pytest.mark.contract("P-36", "P-64")
def test_no_cache_installs_once_more(project, run, wheelhouse):
    wheelhouse.add("tinyrange", "1.0", {"tinyrange.py": "N = 1\n"})
    root = project({"wsgi.py": OK, "requirements.txt": "tinyrange>=1\n"})
    show = ["--", "python", "-c", "import tinyrange; print(tinyrange.N)"]
    assert run("exec", root, *show).stdout == "1\n"
    wheelhouse.add("tinyrange", "1.1", {"tinyrange.py": "N = 2\n"})
    assert run("exec", root, *show).stdout == "1\n"  # the range is not resolved again while the cache lives
    assert run("exec", root, "--no-cache", *show).stdout == "2\n"
