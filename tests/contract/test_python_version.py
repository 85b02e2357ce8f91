"""Which Python a project gets: `.python-version` and what stands in for it (P-40 to P-54)."""

import json
import os
import re

import pytest

from helpers.interpreters import need_interpreter, patch_version
from helpers.pyenv import Pyenv, small_prefix
from helpers.waiting import wait_for

APP = "def application(e, s):\n    s('200 OK', [])\n    return [b'x']\n"
FILES = {"wsgi.py": APP, "requirements.txt": ""}
WHICH = ("--", "python", "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])")
INVENTED = ("2.7.18", "3.9.9", "3.9.10", "3.10.2", "3.10.13", "3.12.1", "3.13.0", "3.13.0t",
            "3.13.1t", "3.14.0rc1", "3.14-dev")
VENDOR = "Wrong pyenv version. We only support CPython. Please check and correct .python-version"


@pytest.fixture
def pyenv(place):
    """Invented versions, and no other Python of pyenv's."""
    made = Pyenv(place.directory("pyenv"))
    made.invent(*INVENTED)
    place.env.update(made.env)
    return made


@pytest.fixture
def find(place, run):
    """find({".python-version": text}) -> what `@python find` answers, as an object."""
    def call(files=None, legacy=False, env=None):
        root = place.project({**FILES, **(files or {})})
        done = run("@python", "find", root, place.directory("asked"), "1" if legacy else "0", "0",
                   env=env)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    return call


def chosen(answer):
    """The directory in pyenv's versions, or the path of what was found elsewhere."""
    assert "python" in answer, answer
    path = answer["python"]["executable"]
    return path.split("/")[-3] if "/versions/" in path else path


def said(answer, rule):
    return [each for each in answer["diagnostics"] if each["rule"] == rule]


# ---- the file ----

READ = {
    "one line": ("3.10.2\n", "3.10.2"),
    "no final newline": ("3.10.2", "3.10.2"),
    "CR LF": ("3.10.2\r\n", "3.10.2"),
    "comments and blank lines": ("# which\n\n  # and why\n3.10.2\n", "3.10.2"),
    "only the first word": ("\t 3.10.2 # the old one\n", "3.10.2"),
    "the prefix python-": ("python-3.10.2\n", "3.10.2"),
    "the prefix python- before a prefix": ("python-3.10\n", "3.10.13"),
    "several lines: the first that is there": ("3.8\n3.12\n3.10\n", "3.12.1"),
    "several lines: both there": ("3.9\n3.12\n", "3.9.10"),
}


@pytest.mark.contract("P-40", "P-50")
def test_the_file_is_read_as_pyenv_reads_it(find, pyenv):
    got = {name: chosen(find({".python-version": text})) for name, (text, _) in READ.items()}
    assert got == {name: version for name, (_, version) in READ.items()}


PREFIXES = {
    "3": "3.13.0", "3.10": "3.10.13", "3.9": "3.9.10", "2": "2.7.18", "2.7": "2.7.18",
    "3.13": "3.13.0", "3.13.0": "3.13.0",  # never 3.13.0t, nor 3.14.0rc1 for 3
    "3.13t": "3.13.1t", "3.13.0t": "3.13.0t", "3.14.0rc1": "3.14.0rc1", "3.14-dev": "3.14-dev",
}


@pytest.mark.contract("P-51")
def test_a_prefix_ends_at_a_point(find, pyenv):
    assert {prefix: chosen(find({".python-version": prefix + "\n"})) for prefix in PREFIXES} == PREFIXES


@pytest.mark.contract("P-51", "P-52")
def test_what_no_prefix_reaches(find, pyenv):
    """3.1 is not 3.10; a pre-release and a free-threaded build are only taken by their names."""
    for prefix in ("3.1", "3.14", "3.1t", "3.14t", "3.15-dev", "3.14.0rc2"):
        answer = find({".python-version": "\n%s\n" % prefix}, env={"PATH": "/nowhere"})
        assert answer["error"]["message"].startswith(
            ".python-version:2: Python %s is not installed here" % prefix)
        assert answer["error"]["kind"] == "host"


REFUSED = {
    "pypy3.10-7.3.12": "the cloud has CPython only",
    "jython-2.7.2": "the cloud has CPython only",
    "ironpython-dev": "the cloud has CPython only",
    "graalpy-24.0": "the cloud has CPython only",
    "miniconda3-4.7.12": "the cloud has CPython only",
    "../../bin": "is a path, not a version",
    "3.10.2/../3.9.9": "is a path, not a version",
    "system": "means this computer's Python",
    "my-env": "is not a CPython version",
    "2.6": "the cloud has Python 2.7 and 3 only",
    "2.6.9": "the cloud has Python 2.7 and 3 only",
    "1.6": "the cloud has Python 2.7 and 3 only",
}


@pytest.mark.contract("P-41", "P-43")
def test_refused(find, pyenv):
    for word, why in REFUSED.items():
        error = find({".python-version": "# ours\n%s\n" % word})["error"]
        assert error["message"].startswith(".python-version:2: %s: %s" % (word, why))
        assert (error["kind"], error["rule"], error["cloud"]) == ("project", "P-41", VENDOR)


@pytest.mark.contract("P-41")
def test_the_cloud_would_refuse(project, run):
    """At every command: exit 1, the file and its line, the vendor's own words."""
    root = project({**FILES, ".python-version": "pypy3.10\n"})
    for command in ("build", "verify"):
        done = run(command, root)
        assert done.returncode == 1
        assert ".python-version:1: pypy3.10: the cloud has CPython only" in done.stdout
        assert VENDOR in done.stdout


@pytest.mark.contract("P-50", "P-51")
def test_the_tools_quirks_are_not_copied(find, pyenv):
    """The vendor's command line tool refuses "3", and comments, and stumbles over a final newline."""
    assert chosen(find({".python-version": "3"})) == "3.13.0"
    assert chosen(find({".python-version": "# x\n3.10\n"})) == "3.10.13"


# ---- nothing named ----

@pytest.mark.contract("P-42")
def test_no_file_is_the_newest_stable(find, pyenv):
    pyenv.invent("3.99.1", "3.99.2rc1", "3.99.2t")
    for files in ({}, {".python-version": ""}, {".python-version": "# none\n"}):
        answer = find(files)
        assert chosen(answer) == "3.99.1" and not said(answer, "P-42")


@pytest.mark.contract("P-42")
def test_an_older_newest_is_a_deviation(find, pyenv):
    answer = find(env={"PATH": "/nowhere"})
    [deviation] = said(answer, "P-42")
    assert "Python 3.13.0 is the newest here" in deviation["text"]
    assert "3.13" in deviation["hint"]


@pytest.mark.contract("P-42")
def test_an_open_prefix_is_a_deviation_too(find, pyenv):
    [deviation] = said(find({".python-version": "3\n"}), "P-42")
    assert deviation["file"] == ".python-version" and deviation["line"] == 1
    assert not find({".python-version": "2\n"})["diagnostics"]


@pytest.mark.contract("P-42")
def test_legacy_default(find, pyenv):
    answer = find(legacy=True)
    assert chosen(answer) == "2.7.18" and not answer["diagnostics"]
    assert chosen(find({".python-version": "3.10"}, legacy=True)) == "3.10.13"


@pytest.mark.contract("P-42", "P-45")
def test_legacy_default_runs(project, run):
    version = patch_version("2.7")
    done = run("exec", project(FILES), "--legacy-default", *WHICH)
    assert done.stdout.startswith(version)


# ---- not installed ----

@pytest.mark.contract("P-40", "P-52")
def test_the_nearest_patch_is_a_deviation(find, pyenv):
    nearest = {"3.10.5": "3.10.2", "3.10.99": "3.10.13", "3.10.0": "3.10.2", "3.9.99\n3.8": "3.9.10"}
    for wanted, taken in nearest.items():
        answer = find({".python-version": wanted})
        assert chosen(answer) == taken
        [deviation] = said(answer, "P-40")
        assert deviation["severity"] == 1
        assert "%s is not installed here; %s takes its place" % (
            wanted.split()[0], taken) in deviation["text"]


@pytest.mark.contract("P-52")
def test_missing_is_the_hosts_fault(project, run, pyenv):
    root = project({**FILES, ".python-version": "3.8\n"})
    done = run("build", root, env={"PATH": "/nowhere"})
    assert done.returncode == 3
    assert ".python-version:1: Python 3.8 is not installed here (found: 3.13.0, 3.12.1" in done.stdout
    assert "pyenv install 3.8" in done.stdout


# ---- runtime.txt ----

@pytest.mark.contract("P-46")
def test_runtime_txt_alone_is_ignored_aloud(project, run):
    root = project({**FILES, "runtime.txt": "python-3.5\n"})
    done = run("build", root)
    assert done.returncode == 0, done.stdout
    assert "runtime.txt: runtime.txt is ignored by the cloud" in done.stdout
    assert "write the line 3.5 into .python-version" in done.stdout


@pytest.mark.contract("P-46")
def test_runtime_txt_beside_the_file_is_nobodys_business(project, run):
    root = project({**FILES, "runtime.txt": "python-2.7\n", ".python-version": patch_version("3.12")})
    assert "runtime.txt" not in run("build", root).stdout


# ---- every Python of this host ----

@pytest.mark.contract("P-40", "P-43", "P-45")
def test_every_python_builds_and_runs(project, run, wheelhouse, interpreter):
    """Its own pip installs, its app answers the health check."""
    name, _, wanted = interpreter
    wheelhouse.add("one", "1.0")
    app = "import sys, one\nsys.stderr.write('runs on %d.%d.%d\\n' % sys.version_info[:3])\n"
    files = {"wsgi.py": app + APP, "requirements.txt": "one==1.0\n"}
    if name != "system":
        files[".python-version"] = wanted + "\n"
    env = {"PYENV_ROOT": "/nowhere", "HOME": "/nowhere"} if name == "system" else None
    done = run("verify", project(files), env=env)
    assert done.returncode == 0, done.stdout
    ran = re.search(r"runs on (\S+)", done.stdout).group(1)
    assert ran == wanted or name in ("system", "3.14")


@pytest.mark.contract("P-40", "P-52")
def test_a_stand_in_is_no_failure(project, run, place):
    """A deviation is told and told again by verify, which still says yes."""
    real = os.path.dirname(os.path.dirname(need_interpreter("3.12")))
    made = Pyenv(place.directory("pyenv"))
    made.link("3.12.998", real)
    done = run("verify", project({**FILES, ".python-version": "3.12.999\n"}), env=made.env)
    assert done.returncode == 0, done.stdout
    assert ("deviation: .python-version:1:1: Python 3.12.999 is not installed here; "
            "%s takes its place" % patch_version("3.12")) in done.stdout


# ---- where they are found ----

@pytest.mark.contract("P-40")
def test_links_inside_versions(project, run, place):
    """versions/3.12 and versions/mine are links to a Python elsewhere: found, asked, run."""
    real = os.path.dirname(os.path.dirname(need_interpreter("3.12")))
    made = Pyenv(place.directory("pyenv"))
    made.link("3.12", real)
    root = project({**FILES, ".python-version": "3.12\n"})
    done = run("exec", root, *WHICH, env=made.env)
    assert done.stdout.strip() == patch_version("3.12"), done.stderr
    (root / ".python-version").write_text(patch_version("3.12"))
    assert run("exec", root, *WHICH, env=made.env).stdout.strip() == patch_version("3.12")


def see(home):
    return ("--", "python", "-c", "import os, sys; print(sys.base_prefix, sorted(os.listdir(sys.base_prefix)), "
            "sorted(os.listdir(sys.base_prefix + '/bin')), os.listdir(%r))" % home)


@pytest.mark.contract("P-40")
def test_of_a_home_only_what_python_needs_is_shown(project, run, place):
    """An interpreter whose prefix is ~/.local: it runs, the rest of ~/.local is not there."""
    home = place.env["HOME"]
    local = os.path.join(home, ".local")
    small_prefix("3.12", local)
    os.makedirs(os.path.join(local, "share"))
    for name in ("share/keys", "bin/deploy"):
        with open(os.path.join(local, name), "w") as file:
            file.write("secret")
    root = project({**FILES, ".python-version": "3.12\n"})
    done = run("exec", root, *see(home), env={"PYENV_ROOT": "/nowhere", "PATH": "/nowhere"})
    assert done.stdout.strip() == "%s ['bin', 'lib'] ['python3.12'] ['.local']" % local, done.stderr


@pytest.mark.contract("P-40")
def test_a_prefix_of_its_own_is_mounted_where_it_is(project, run, place):
    """uv's and conda's: whole, at their own paths, and nothing else of the home."""
    home = place.env["HOME"]
    with open(os.path.join(home, "keys"), "w") as file:
        file.write("secret")
    minors = {"3.12": ".local/share/uv/python/cpython-%s-linux-x86_64-gnu" % patch_version("3.12"),
              "3.11": "miniconda3/envs/web"}
    for minor, below in minors.items():
        directory = os.path.join(home, below)
        small_prefix(minor, directory)
        if "conda" in below:  # what conda has besides; elsewhere it would make it a shared prefix
            os.makedirs(os.path.join(directory, "conda-meta"))
            os.makedirs(os.path.join(directory, "x86_64-conda-linux-gnu"))
        root = project({**FILES, ".python-version": patch_version(minor)})
        done = run("exec", root, *see(home), env={"PYENV_ROOT": "/nowhere", "PATH": "/nowhere"})
        assert done.stdout.strip() == "%s %s ['python', 'python%s'] ['%s']" % (
            directory, sorted(os.listdir(directory)), minor, below.partition("/")[0]), done.stderr


@pytest.mark.contract("P-40")
def test_found_outside_pyenv(find, place):
    """uv's, conda's, and one that is first on PATH; pyenv's are preferred among equals."""
    home = place.env["HOME"]
    places = {"uv": os.path.join(home, ".local/share/uv/python/cpython-3.20.1-linux-x86_64-gnu"),
              "conda": os.path.join(home, "miniforge3/envs/web"),
              "path": os.path.join(home, "own")}
    names = {"uv": "3.20.1", "conda": "3.21.1", "path": "3.22.1"}
    for source, directory in places.items():
        made = Pyenv(place.directory("invented-" + source))
        made.invent(names[source])
        os.makedirs(os.path.join(directory, "bin"))
        minor = names[source].rpartition(".")[0]
        os.link(made.path(names[source], "bin", "python"),
                os.path.join(directory, "bin", "python" + minor))
    env = {"PATH": places["path"] + "/bin:/usr/bin:/bin", "PYENV_ROOT": "/nowhere"}
    for source, version in names.items():
        answer = find({".python-version": version}, env=env)
        assert answer["python"]["source"] == source and answer["python"]["version"] == version


@pytest.mark.slow
@pytest.mark.contract("P-40")
def test_one_that_hangs_is_left_out(find, pyenv, place):
    pyenv.hang("3.12.9")
    answer = find({".python-version": "3.12"})
    assert chosen(answer) == "3.12.1"
    assert [each["text"] for each in answer["diagnostics"] if "20 s" in each["text"]] == [
        pyenv.path("3.12.9", "bin", "python") + " gave no answer in 20 s and is left out"]
    wait_for(lambda: not place.census.look(), "what was asked to be gone")


@pytest.mark.contract("P-42")
def test_a_newer_python_is_no_surprise(find, pyenv):
    """The vendor's SDK stops below 3.12, the default does not: the default is not bent for it."""
    answer = find({"requirements.txt": "leancloud\n"})
    assert chosen(answer) == "3.13.0"
