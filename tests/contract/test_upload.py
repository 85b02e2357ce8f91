"""What an upload holds (P-220 to P-225, P-71, P-62, P-11, P-12): the real program, and what the app would see."""

import functools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

WSGI = "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'hi']\n"
BASE = {"wsgi.py": WSGI, "requirements.txt": "", ".python-version": "3\n"}


class Upload:
    """Of a project: names {path below the app's root: mode}, and what a build says."""

    def __init__(self, run, root, options):
        self.run, self.root, self.options = run, root, options

    @functools.cached_property
    def names(self):
        done = self.run("exec", self.root, *self.options, "--", "find", ".", "-type", "f", "-printf", "%P %m\n")
        assert done.returncode == 0, done.stderr
        return dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())

    @functools.cached_property
    def said(self):
        done = self.run("build", self.root, *self.options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def upload(project, run):
    """upload(files, *options, setup=f) -> Upload"""
    def make(files, *options, setup=None):
        root = project({**BASE, **files})
        if setup:
            setup(root)
        return Upload(run, root, options)
    return make


def words(done):
    return done.stdout + done.stderr


def touch(*names):
    return {name: "x" for name in names}


# ---- which files ----

RULES = {
    # rule: (left out, kept)
    "name": (("name", "n/name/b", "n/n/name"), ("name2",)),
    "only/": (("only/x", "c/only/y"), ("d/only",)),
    "*.log": (("x.log", "a/x.log"), ("x.log.txt",)),
    "test*": (("tests.py", "latest.json", "a/contest/x"), ("tes",)),  # not anchored
    "/root.txt": ((), ("root.txt", "a/root.txt")),  # never matches
    "FE/*.*": (("FE/a.js",), ("FE/plain", "a/FE/b.js", "FE/deep/c.js")),
    "a/*/c": (("a/b/c",), ("a/b/b/c", "x/a/b/c")),
    "v[!0-9]": (("vx",), ("v1",)),
    "d/[!x]": (("d/!", "d/x"), ("d/y",)),  # ! is a member of the group
    "sp  \t": (("sp",), ()),
    "esc\\*ape": (("esc*ape",), ("escXape",)),
    "q?z": (("qaz", "q/z"), ("qz",)),  # ? is any character, / too
}


@pytest.mark.contract("P-223")
def test_patterns_as_the_tool_reads_them(upload):
    gone = {name for out, _ in RULES.values() for name in out}
    kept = {name for _, stays in RULES.values() for name in stays}
    it = upload({**touch(*sorted(gone | kept)), ".leanignore": "\n".join(RULES) + "\n"})
    assert gone & set(it.names) == set()
    assert kept - set(it.names) == set()


@pytest.mark.contract("P-223")
def test_order_negation_and_comments(upload):
    it = upload({
        **touch("a.log", "keep.log", "dir/keep.log", "#no", " #x", "hash", "dropped.log"),
        ".leanignore": "# hash\n*.log\n!keep.log\ndir/\n!dir/keep.log\n #x\n!dropped.log\ndropped*\n"})
    assert "keep.log" in it.names and "hash" in it.names and "#no" in it.names
    assert not {"a.log", " #x", "dropped.log"} & set(it.names)
    assert "dir/keep.log" not in it.names  # nothing below an excluded directory is ever visited


@pytest.mark.contract("P-220")
def test_gitignore_is_never_asked(upload):
    it = upload({".gitignore": "secret.py\n", "secret.py": "", ".leanignore": "other\n"})
    assert {"secret.py", ".gitignore"} <= set(it.names)


@pytest.mark.contract("P-220", "P-1")
def test_a_manifest_that_is_left_out_is_absent(project, run):
    root = project({**BASE, ".leanignore": "# words\nwsgi.py\n"})
    done = run("verify", root)
    assert done.returncode == 1
    assert "wsgi.py is missing" in done.stderr and ".leanignore:2: wsgi.py" in done.stderr


@pytest.mark.contract("P-220")
def test_what_is_left_out_is_not_read(project, run, wheelhouse):
    """leanengine.yaml, .python-version and required files, each broken or absent if it were read."""
    root = project({**BASE, ".leanignore": "leanengine.yaml\n.python-version\n",
                    "leanengine.yaml": "run: [\n", ".python-version": "no-such-python\n"})
    assert run("build", root).returncode == 0
    root = project({**BASE, ".leanignore": "*.whl\n", "x.whl": "",
                    "leanengine.yaml": "install:\n  - require: x.whl\n"})
    done = run("build", root)
    assert done.returncode == 1 and "require: x.whl: no such file" in done.stderr + done.stdout


@pytest.mark.contract("P-221")
def test_defaults_when_there_is_no_file(upload):
    it = upload(touch(".git/HEAD", ".DS_Store", ".avoscloud/x", ".leancloud/app", "venv/x.py", "a.pyc",
                               "__pycache__/b", "env/x.py", ".venv/x.py", "a/venv/y.py"))
    assert ".leanignore Not found. Default .leanignore created." in it.said
    assert {"env/x.py", ".venv/x.py"} <= set(it.names)  # not covered
    assert set(it.names) - {"env/x.py", ".venv/x.py"} == set(BASE)


@pytest.mark.contract("P-221")
def test_an_own_file_replaces_the_defaults(upload):
    it = upload({**touch("venv/x.py", ".leancloud/app", "a.pyc"), ".leanignore": "other\n"})
    assert "venv/x.py" in it.names and ".leanignore" in it.names
    # Not taken here all the same, and that is a deviation.
    assert not {".leancloud/app", "a.pyc"} & set(it.names)
    assert re.search(r"deviation: a\.pyc: bytecode: left out here", it.said)
    assert re.search(r"deviation: \.leancloud: .*left out here", it.said)


@pytest.mark.contract("P-222")
def test_another_file_by_option(project, run):
    root = project({**BASE, **touch("a", "b"), ".leanignore": "a\n", "other": "b\n"})
    done = run("exec", root, "--leanignore", root / "other", "--", "ls", "-A")
    names = done.stdout.split()
    assert "a" in names and "b" not in names


@pytest.mark.contract("P-222")
def test_a_named_file_must_be_there(project, run):
    done = run("verify", project(BASE), "--leanignore", "/nowhere/ignore")
    assert done.returncode == 2
    assert "The designated ignore file '/nowhere/ignore' doesn't exist" in done.stderr


@pytest.mark.contract("P-223")
@pytest.mark.parametrize("text, says", [
    ("a\n\nb/**/c\n", 'parseignore: pattern "b/**/c" uses the unsupported ** syntax on line 3'),
    ("!\n", 'parseignore: pattern "!" is invalid on line 1'),
    ("a/[\n", 'parseignore: pattern "a/[": syntax error in pattern on line 1'),
])
def test_lines_that_abort_the_deploy(project, run, text, says):
    done = run("verify", project({**BASE, ".leanignore": text}))
    assert done.returncode == 1
    assert says in done.stderr


@pytest.mark.contract("P-223")
def test_a_broken_rule_is_mended_by_the_next_save(project, up):
    root = project({**BASE, ".leanignore": "a/**\n", "a.log": ""})
    instance = up(root)
    instance.wait_line(r"failed +detect.*parseignore: pattern")
    seen = instance.position()
    (root / ".leanignore").write_text("a.log\n")
    instance.wait_line(r"ready", since=seen)
    seen = instance.position()
    (root / ".leanignore").write_text("[z-a]*\n")
    instance.wait_line(r"failed +detect.*error parsing regexp", since=seen)
    assert instance.http("/").body == b"hi"  # the old version keeps serving


@pytest.mark.contract("P-223", "P-225")
def test_words_where_gitignore_means_something_else(upload):
    it = upload({**touch("build/x", "latest.json", "FE/a.js"),
                      ".leanignore": "*.log\n/build\ntest*\n/FE/*.*\na/[!b]\n"})
    assert ".leanignore:2: /build: matches nothing" in it.said and "write build" in it.said
    assert ".leanignore:3: test* leaves out latest.json" in it.said
    assert ".leanignore:4: /FE/*.*: matches nothing" in it.said and "write FE/*.*" in it.said
    assert ".leanignore:5: a/[!b]" in it.said and "write a/[^b]" in it.said
    assert ".leanignore:1" not in it.said


@pytest.mark.contract("P-223")
def test_a_pattern_that_hits_the_root_leaves_nothing(project, run):
    done = run("verify", project({**BASE, ".leanignore": "*\n!wsgi.py\n!requirements.txt\n"}))
    assert done.returncode == 1
    assert "neither wsgi.py nor requirements.txt" in done.stderr


@pytest.mark.contract("P-224")
def test_the_old_name_is_not_read(upload):
    it = upload({"a.txt": "", ".leanengineignore": "a.txt\n"})
    assert "a.txt" in it.names
    assert ".leanengineignore: an old name" in it.said


@pytest.mark.contract("P-225")
def test_a_virtualenv_is_left_out_with_a_word(upload):
    it = upload({**touch("env/pyvenv.cfg", "env/lib/x.py")})
    assert not [name for name in it.names if name.startswith("env/")]
    assert "deviation: env: a virtualenv: left out here" in it.said


# ---- what the zip does ----

@pytest.mark.contract("P-71")
def test_the_zip_loses_modes_and_empty_directories_and_follows_links(upload, place):
    outside = place.directory("outside")
    with open(os.path.join(outside, "far.txt"), "w", encoding="utf-8") as file:
        file.write("far")

    def setup(root):
        os.chmod(root / "run.sh", 0o755)
        os.chmod(root / "private", 0o600)
        (root / "empty/deep").mkdir(parents=True)
        os.symlink("run.sh", root / "link.sh")
        os.symlink(outside, root / "lib")
        os.symlink("nowhere", root / "dangling")
        os.symlink(".", root / "circle")
    it = upload({"run.sh": "#!/bin/sh\n", "private": "x"}, setup=setup)
    assert it.names["run.sh"] == it.names["private"] == it.names["link.sh"] == it.names["lib/far.txt"] == "644"
    assert not [name for name in it.names if name.startswith(("empty", "dangling", "circle"))]
    assert "dangling: a link to nothing" in it.said and "circle: a link in a circle" in it.said


@pytest.mark.contract("P-71")
def test_directories_are_755_and_empty_ones_gone(project, run):
    root = project({**BASE, "a/b/c.txt": "x"})
    (root / "empty").mkdir()
    os.chmod(root / "a", 0o700)
    done = run("exec", root, "--", "find", ".", "-mindepth", "1", "-type", "d", "-printf", "%P %m\n")
    assert sorted(done.stdout.split("\n")) == ["", "a 755", "a/b 755"]


@pytest.mark.contract("P-71")
def test_modes_can_be_kept_and_that_is_a_deviation(upload):
    it = upload({"run.sh": "#!/bin/sh\n"}, "--keep-modes", setup=lambda root: os.chmod(root / "run.sh", 0o755))
    assert it.names["run.sh"] == "755" and it.names["wsgi.py"] == "644"
    assert "deviation: --keep-modes" in it.said


@pytest.mark.contract("P-71")
@pytest.mark.parametrize("key", ["build", "run"])
def test_the_way_out_when_a_script_cannot_be_executed(project, run, key):
    root = project({**BASE, "go.sh": "#!/bin/sh\n", "leanengine.yaml": "%s: ./go.sh --fast\n" % key})
    os.chmod(root / "go.sh", 0o755)
    done = run("verify", root)
    assert done.returncode == 1
    assert "sh ./go.sh" in done.stdout + done.stderr and "P-71" in done.stdout + done.stderr


# ---- the build root ----

@pytest.mark.contract("P-11")
def test_only_the_build_root_is_there(project, run):
    root = project({"leanengine.yaml": "buildRoot: server\n", "outside.py": "", "wsgi.py": "broken(",
                    "package.json": '{"scripts": {"start": "x"}}', ".python-version": "no-such\n",
                    **{"server/" + name: text for name, text in BASE.items()}, "server/a.log": "",
                    ".leanignore": "*.log\n"})
    done = run("exec", root, "--", "find", ".", "-type", "f", "-printf", "%P\n")
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == set(BASE)


@pytest.mark.contract("P-12")
def test_by_option_the_yaml_of_the_build_root_counts(project, run):
    root = project({"leanengine.yaml": "run: [\n", "server/leanengine.yaml": "build: echo yes > made\n",
                    **{"server/" + name: text for name, text in BASE.items()}})
    done = run("exec", root, "--build-root", "server", "--", "cat", "made")
    assert (done.returncode, done.stdout) == (0, "yes\n"), done.stderr


@pytest.mark.contract("P-11")
@pytest.mark.parametrize("name, says", [("nowhere", "no directory nowhere"), ("../x", "leads out"),
                                        ("wsgi.py", "no directory wsgi.py")])
def test_a_build_root_that_cannot_be(project, run, name, says):
    done = run("verify", project({**BASE, "leanengine.yaml": "buildRoot: %s\n" % name}))
    assert done.returncode == 1 and says in done.stderr and "P-11" in done.stderr


@pytest.mark.contract("P-11")
def test_a_build_root_that_is_left_out(project, run):
    root = project({"leanengine.yaml": "buildRoot: server\n", ".leanignore": "server/\n",
                    **{"server/" + name: text for name, text in BASE.items()}})
    done = run("verify", root)
    assert done.returncode == 1 and "no directory server" in done.stderr


# ---- base and delta, laid over each other or copied ----

LISTING = """
import os
def application(environ, start_response):
    start_response('200 OK', [])
    names = [os.path.relpath(os.path.join(top, name), '.') for top, _, files in os.walk('.') for name in files]
    return [' '.join(sorted(name for name in names if not name.endswith('.pyc'))).encode()]
"""


@pytest.mark.contract("P-11", "P-71")
@pytest.mark.parametrize("deny", ["", "overlay"])
def test_a_version_is_base_and_delta_by_overlay_or_by_copy(project, up, deny):
    root = project({"leanengine.yaml": "buildRoot: server\n", "server/wsgi.py": LISTING, "server/requirements.txt": "",
                    "server/gone.txt": "", "server/tree/deep/x": "", "server/swap": "", "server/kept/y": ""})
    instance = up(root, env={"LEANLOCAL_SANDBOX_DENY": deny}, ready=True)
    assert instance.http("/").body == b"gone.txt kept/y requirements.txt swap tree/deep/x wsgi.py"
    (root / "server/gone.txt").unlink()
    shutil.rmtree(root / "server/tree")
    (root / "server/tree").write_text("a file now")
    (root / "server/swap").unlink()
    (root / "server/swap").mkdir()
    (root / "server/swap/in").write_text("a directory now")
    (root / "outside").write_text("not below the build root")
    instance.wait_body(b"kept/y requirements.txt swap/in tree wsgi.py")
    (root / "server/gone.txt").write_text("again")
    instance.wait_body(b"gone.txt kept/y requirements.txt swap/in tree wsgi.py")


# ---- tags ----

@pytest.mark.contract("P-62")
def test_a_tag_is_a_second_and_unique(project, up, run):
    instance = up(project(BASE), ready=True)
    for _ in range(3):  # all in one second
        assert run("reload", instance.root).returncode == 0
    instance.wait_line(r"start +web4")
    tags = re.findall(r"start +web\d version (\S+)", instance.text)
    assert len(tags) == len(set(tags)) == 4 and tags == sorted(tags)
    assert all(re.fullmatch(r"20\d{6}-\d{6}", tag) for tag in tags), tags


# ---- required files ----

@pytest.mark.contract("P-22", "P-23")
def test_a_directory_may_be_required_after_its_files_and_twice(project, run):
    root = project({**BASE, "w/a.txt": "a", "w/deep/b.txt": "b",
                    "leanengine.yaml": "install:\n  - require: [w/a.txt]\n  - require: [w, ./w]\n"
                                       "  - find . -type f | sort\nbuild: 'true'\n"})
    os.symlink("w/a.txt", root / "link.txt")
    done = run("build", root, "--build-logs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "./w/deep/b.txt" in done.stdout + done.stderr


@pytest.mark.contract("P-23", "P-71")
def test_a_required_link_is_the_file_it_leads_to(project, run):
    root = project({**BASE, "real.txt": "text", "leanengine.yaml": "install:\n  - require: link.txt\n  - cat link.txt\n"})
    os.symlink("real.txt", root / "link.txt")
    done = run("build", root, "--build-logs")
    assert done.returncode == 0 and "text" in done.stdout, done.stdout + done.stderr


# ---- why ----

@pytest.fixture
def why(run):
    def ask(root, path, *options):
        done = run("why", root, path, "--format", "json", *options)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        return answer["uploaded"], answer["effect"], answer.get("by"), answer.get("rule")
    return ask


@pytest.mark.contract("P-223", "P-11", "P-23", "P-60", "P-40")
def test_why_a_path_does_what_it_does(project, why):
    root = project({**BASE, "a.log": "", "dir/x.py": "", ".leanignore": "# logs\n*.log\ndir/\n", ".env": "",
                    "w/a.whl": "", "env/pyvenv.cfg": "", "env/x.py": "", "more.env": "",
                    "leanengine.yaml": "install:\n  - require: w\n  - use: default\n"})
    assert why(root, "wsgi.py") == (True, "reload", None, None)
    assert why(root, "requirements.txt") == (True, "install", None, "P-60")
    assert why(root, ".python-version") == (True, "python", None, "P-40")
    assert why(root, "leanengine.yaml") == (True, "yaml", None, "P-20")
    assert why(root, "w/a.whl") == (True, "install", "leanengine.yaml:2: require", "P-23")
    assert why(root, ".env") == (True, "instance", None, None)
    assert why(root, "more.env", "--env-file", root / "more.env") == (True, "instance", None, None)
    assert why(root, "a.log") == (False, "nothing", ".leanignore:2: *.log", "P-223")
    assert why(root, "dir/x.py") == (False, "nothing", ".leanignore:3: dir/", "P-223")
    assert why(root, "env/x.py") == (False, "nothing", "env is a virtualenv", "P-225")
    assert why(root, ".wsgi.py.swp")[:2] == (False, "nothing")
    assert why(root, "x.pyc") == (False, "nothing", "built-in: *.py[co], bytecode", "P-221")
    assert why(root, ".idea/x.xml")[:2] == (True, "nothing")
    assert why(root, "not/there.py")[:2] == (True, "reload")


@pytest.mark.contract("P-11", "P-12", "P-221")
def test_why_inside_and_outside_of_a_build_root(project, why, run):
    root = project({"leanengine.yaml": "buildRoot: server\n", "doc.txt": "", "venv/x.py": "",
                    **{"server/" + name: text for name, text in BASE.items()}})
    assert why(root, "doc.txt") == (True, "nothing", "leanengine.yaml: buildRoot: server", "P-11")
    assert why(root, "server/requirements.txt")[1] == "install"
    assert why(root, "server/leanengine.yaml")[1] == "reload"
    assert why(root, "server/leanengine.yaml", "--build-root", "server")[1] == "yaml"
    assert why(root, "venv/x.py") == (False, "nothing", "the defaults: venv", "P-221")
    assert why(root, str(root / "doc.txt"))[1] == "nothing"
    done = run("why", root, "/etc/passwd")
    assert done.returncode == 2 and "is not below" in done.stderr
    text = run("why", root, "venv/x.py").stdout
    assert re.search(r"(?s)venv/x\.py\n +uploaded +no\n +a save +nothing is done.*\n +by +the defaults: venv +\(P-221\)", text)


@pytest.mark.contract("P-220", "P-28", "P-21", "P-23")
def test_saves_do_what_why_says(project, up):
    """What is left out, a new run: and a required file: nothing, a start, an install."""
    root = project({**BASE, ".leanignore": "*.log\n", "a.log": "1", "need.txt": "1",
                    "leanengine.yaml": "install:\n  - require: need.txt\n  - cat need.txt\n"})
    instance = up(root, ready=True)
    seen = instance.position()
    (root / "a.log").write_text("2")
    (root / "need.txt").write_text("2")  # the next thing that counts
    instance.wait_line(r"install: ", since=seen)
    instance.wait_line(r"ready", since=seen)
    assert "a.log" not in instance.text
    seen = instance.position()
    text = (root / "leanengine.yaml").read_text()
    (root / "leanengine.yaml").write_text(text + "# words\nstartupTimeout: 20\n")
    instance.wait_line(r"ready", since=seen)
    assert not [line for _, line in instance.lines[seen:] if re.match(r"\S+ +(build +install|stage)", line) and "cached" not in line]


# ---- from git ----

GIT = ["git", "-c", "user.name=x", "-c", "user.email=x@x", "-c", "init.defaultBranch=main"]


@pytest.fixture
def git():
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}

    def call(root, *arguments):
        subprocess.run([*GIT, "-C", str(root), *arguments], check=True, env=env, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    return call


def commit(git, root):
    if not (root / ".git").exists():
        git(root, "init")
    git(root, "add", "-A")
    git(root, "commit", "-m", "all")


@pytest.mark.contract("P-220", "P-71")
def test_a_git_deploy_has_what_is_committed(project, run, git):
    root = project({**BASE, ".leanignore": "wsgi.py\n**\n", ".gitignore": "local.txt\n", "run.sh": "#!/bin/sh\n",
                    "local.txt": "", "empty/.keep": "", "changed.txt": "committed"})
    os.chmod(root / "run.sh", 0o755)
    os.symlink("run.sh", root / "link.sh")
    commit(git, root)
    (root / "changed.txt").write_text("not committed")
    (root / "new.txt").write_text("")
    done = run("exec", root, "--from", "git", "--", "sh", "-c",
               "find . ! -type d -printf '%P %y %m\\n'; cat changed.txt")
    assert done.returncode == 0, done.stderr
    names = dict(line.split(" ", 1) for line in done.stdout.splitlines()[:-1])
    assert set(names) == {*BASE, ".leanignore", ".gitignore", "run.sh", "link.sh", "empty/.keep", "changed.txt"}
    assert names["run.sh"] == "f 755" and names["wsgi.py"] == "f 644" and names["link.sh"].startswith("l")
    assert done.stdout.endswith("committed")
    assert "not in this version: 2 files" in words(run("build", root, "--from", "git"))


@pytest.mark.contract("P-220", "P-12")
def test_git_deploys_that_cannot_be(project, run, git):
    root = project(BASE)
    done = run("verify", root, "--from", "git")
    assert done.returncode == 2 and "git: fatal: not a git repository" in words(done)
    git(root, "init")
    done = run("verify", root, "--from", "git")
    assert done.returncode == 1 and "commit first" in words(done)
    (root / ".gitignore").write_text("wsgi.py\n")
    commit(git, root)
    done = run("verify", root, "--from", "git")
    assert done.returncode == 1 and "wsgi.py is there, but not committed" in words(done)
    assert run("build", root).returncode == 0  # the tool's upload has it


@pytest.mark.contract("P-220", "P-12")
def test_a_project_below_the_repository(project, run, git):
    top = project({"other/x": "", **{"server/" + name: text for name, text in BASE.items()}})
    commit(git, top)
    done = run("exec", top / "server", "--from", "git", "--", "ls", "-A")
    assert sorted(done.stdout.split()) == sorted(BASE), done.stderr
    assert "the deploy needs the build root server" in words(run("build", top / "server", "--from", "git"))


@pytest.mark.contract("P-220")
def test_a_commit_is_a_save(project, up, git):
    root = project({"wsgi.py": LISTING, "requirements.txt": "", "one.txt": "", "tree/deep/x": ""})
    commit(git, root)
    instance = up(root, "--from", "git", ready=True)
    assert instance.http("/").body == b"one.txt requirements.txt tree/deep/x wsgi.py"
    seen = instance.position()
    (root / "two.txt").write_text("")
    shutil.rmtree(root / "tree")
    commit(git, root)
    instance.wait_body(b"one.txt requirements.txt two.txt wsgi.py")
    git(root, "checkout", "-q", "-b", "other", "HEAD~1")
    instance.wait_body(b"one.txt requirements.txt tree/deep/x wsgi.py")
    (root / "tree/deep/x").unlink()
    (root / "tree/deep").rmdir()
    (root / "tree").rmdir()
    (root / "tree").write_text("a file now")
    commit(git, root)  # on the new branch
    instance.wait_body(b"one.txt requirements.txt tree wsgi.py")
    saves = [text for _, text in instance.lines[seen:] if re.match(r"\S+ +save ", text)]
    assert len(saves) == 3, saves


@pytest.mark.contract("P-220")
def test_a_killed_helper_misses_no_commit_and_env_is_a_save(project, up, git):
    text = LISTING.replace("[' '", "[os.environ.get('WORD', 'none').encode() + b' ' + ' '")
    root = project({"wsgi.py": text, "requirements.txt": "", ".gitignore": ".env\n", ".env": "WORD=one\n"})
    commit(git, root)
    instance = up(root, "--from", "git", ready=True)
    assert instance.http("/").body == b"one .gitignore requirements.txt wsgi.py"
    helper = instance.helper_pid("@tree")
    os.kill(helper, signal.SIGSTOP)
    (root / "new.txt").write_text("")
    commit(git, root)
    os.kill(helper, signal.SIGKILL)
    instance.wait_body(b"one .gitignore new.txt requirements.txt wsgi.py")
    (root / ".env").write_text("WORD=two\n")
    instance.wait_body(b"two .gitignore new.txt requirements.txt wsgi.py")


@pytest.mark.contract("P-220")
def test_why_of_a_git_deploy(project, why, git):
    root = project({**BASE, ".leanignore": "wsgi.py\n", "new.txt": ""})
    git(root, "init")
    git(root, "add", "wsgi.py", "requirements.txt")
    git(root, "commit", "-m", "some")
    assert why(root, "wsgi.py", "--from", "git") == (True, "reload", "when it is committed", None)
    assert why(root, "requirements.txt", "--from", "git")[1] == "install"
    assert why(root, "new.txt", "--from", "git") == (False, "nothing", None, "P-220")


@pytest.mark.contract("P-102b")
@pytest.mark.parametrize("where", ["outside", "left out", "inside"])
def test_a_save_of_the_env_file_is_a_new_instance(project, place, up, where):
    text = LISTING.replace("[' '", "[os.environ['WORD'].encode() + b' ' + ' '")
    root = project({"wsgi.py": text, "requirements.txt": "",
                    ".leanignore": "*.env\n" if where == "left out" else "x\n"})
    file = pathlib.Path(place.directory("elsewhere") if where == "outside" else root, "more.env")
    file.write_text("WORD=one\n")
    instance = up(root, "--env-file", file, ready=True)
    assert instance.http("/").body.startswith(b"one ")
    seen = instance.position()
    file.write_text("WORD=two\n")
    instance.wait_body(b"two ")
    file.with_name("new").write_text("WORD=three\n")
    file.with_name("new").rename(file)
    instance.wait_body(b"three ")
    saves = [line for _, line in instance.lines[seen:] if re.match(r"\S+ +save ", line)]
    assert len(saves) == 2, saves


# ---- an oracle ----

@pytest.mark.contract("P-223")
def test_where_nothing_is_said_git_reads_the_rules_alike(upload, project, run, tmp_path):
    """git check-ignore on the same lines: whatever differs must have been warned of."""
    files = ["app.log", "logs/x.log", "build/x", "src/build/y", "latest.json", "test_a.py", "a/b.c", "a/x/b.c",
             "keep.log", "doc/index.html", "v1", "va", "kept/x.log"]
    rules = ["*.log", "!keep.log", "build/", "test*", "a/*.c", "doc", "v[0-9]", "!kept/"]
    it = upload({**touch(*files), ".leanignore": "\n".join(rules) + "\n"})
    repo = tmp_path / "repo"
    repo.mkdir()
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    subprocess.run(["git", "init", "-q", str(repo)], check=True, env=env)
    (repo / ".gitignore").write_text("\n".join(rules) + "\n")
    asked = subprocess.run(["git", "-C", str(repo), "check-ignore", "--no-index", "--stdin"],
                           input="\n".join(files), text=True, stdout=subprocess.PIPE, check=False, env=env)
    differing = set(asked.stdout.split()) ^ (set(files) - set(it.names))
    assert differing == {"latest.json", "kept/x.log"}
    assert all(name in it.said for name in differing)
