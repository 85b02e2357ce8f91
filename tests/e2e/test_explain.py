"""explain: what would be done, without doing it."""

import json
import os
import re

import pytest

OK = "def application(e, s):\n    s('200 OK', [])\n    return [b'x']\n"
FILES = {"wsgi.py": OK, "requirements.txt": "# nothing\n"}
SECTIONS = ("project", "upload", "python", "stages", "environment", "sandbox", "gateway", "editor", "host")


def look(run, root, *options):
    done = run("explain", root, "--format", "json", *options)
    sections = {each["name"]: each for each in json.loads(done.stdout)}
    rows = {name: [(row["name"], row["value"]) for row in each["rows"]]
            for name, each in sections.items()}
    return done.returncode, sections, rows


def everything(top):
    found = {}
    for directory, _, names in os.walk(top):
        for name in names + ["."]:
            status = os.stat(os.path.join(directory, name), follow_symlinks=False)
            found[os.path.join(directory, name)] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return found


def test_it_writes_nothing_and_starts_nothing(place, project, run):
    root = project(FILES)
    place.env["XDG_CACHE_HOME"] = place.directory("own-cache")
    before = everything(place.root)
    done = run("explain", root)
    assert done.returncode == 0 and done.stderr == ""
    assert everything(place.root) == before
    assert [title for title in done.stdout.split("\n") if re.match(r"\w", title)] == [
        "Project", "Upload", "Python", "Stages", "Environment", "Sandbox", "Gateway", "Editor", "Host"]


def test_every_section_alone(project, run):
    root = project(FILES)
    listed = re.search(r"--section NAME +.*: (.*)", run("help", "explain").stdout).group(1)
    assert listed.split(", ") == list(SECTIONS)
    whole = run("explain", root).stdout
    for name in SECTIONS:
        done = run("explain", root, "--section", name)
        assert done.returncode == 0 and done.stdout.count("\n\n") == 0
        assert done.stdout in whole


def test_layer_is_cached_after_a_build(place, project, run):
    root = project(FILES)
    place.env["XDG_CACHE_HOME"] = place.directory("own-cache")

    def layer(*options):
        _, sections, _ = look(run, root, "--section", "stages", *options)
        return [row for row in sections["stages"]["rows"] if row["name"] == "layer"][0]
    before = layer()
    assert "cached" not in before["note"]
    assert run("build", root).returncode == 0
    assert layer()["value"] == before["value"] and "cached" in layer()["note"]
    assert "--no-cache" in layer("--no-cache")["note"]
    (root / "requirements.txt").write_text("# another\n")
    assert layer()["value"] != before["value"]


def test_products_are_cached_after_a_build(place, project, run):
    root = project(dict(FILES, **{"leanengine.yaml": "build: echo made > made.txt\n", "run.sh": "true\n"}))
    (root / "run.sh").chmod(0o755)
    place.env["XDG_CACHE_HOME"] = place.directory("own-cache")

    def products():
        _, sections, _ = look(run, root, "--section", "stages")
        return [row for row in sections["stages"]["rows"] if row["name"] == "products"][0]
    before = products()
    assert "cached" not in before["note"]
    assert run("build", root).returncode == 0
    assert products()["value"] == before["value"] and "cached" in products()["note"]
    (root / "run.sh").write_text("false\n")
    assert products()["value"] != before["value"] and "cached" not in products()["note"]


def test_secrets_are_masked(project, run):
    root = project(dict(FILES, **{".env": "MY_SECRET_KEY=swordfish\n"}))
    assert "swordfish" not in run("explain", root).stdout
    assert "swordfish" in run("explain", root, "--section", "environment", "--reveal").stdout


def test_what_is_uploaded_and_what_not(project, run):
    root = project(dict(FILES, **{".leanignore": "private/\n*.log\n", "private/key": "x",
                                  "a.log": "x", "app/b.log": "x", "app/c.py": "", ".git/HEAD": ""}))
    _, sections, rows = look(run, root, "--section", "upload")
    assert ("files", "4") in rows["upload"]
    left = {row["value"]: row["note"] for row in sections["upload"]["rows"]
            if row["name"] == "left out"}
    assert left["private/"] == ".leanignore:1: private/"
    assert left["a.log"] == left["app/b.log"] == ".leanignore:2: *.log"
    assert left[".git/"].startswith("built-in: .git")


def test_left_out_is_what_why_says(project, run):
    root = project(dict(FILES, **{"venv/x.py": "", "a.pyc": "", "b~": "", ".leanlocal.yaml": "", "c.py": ""}))
    _, sections, _ = look(run, root, "--section", "upload")
    rows = [row for row in sections["upload"]["rows"] if row["name"] == "left out"]
    assert {row["value"] for row in rows} == {"venv/", "a.pyc", "b~", ".leanlocal.yaml"}
    for row in rows:
        answer = json.loads(run("why", root, row["value"], "--format", "json").stdout)
        assert not answer["uploaded"] and answer.get("by") == row.get("note"), answer


def test_the_sandbox_step_by_step(place, project, run):
    """--sandbox says what --section sandbox does; what `persist:` keeps is in it, and nothing is made."""
    root = project(dict(FILES, **{".leanlocal.yaml": "persist: [db.sqlite3, media/]\n"}))
    done = run("explain", root, "--sandbox")
    assert done.returncode == 0 and done.stdout == run("explain", root, "--section", "sandbox").stdout
    home = "/home/leanengine"
    kept = re.search(r"bind %s/\.leanlocal <- (\S+/persist)\n" % home, done.stdout).group(1)
    before, after = done.stdout.split("version-overlay %s/app\n" % home)
    for step in ("namespaces", "proc /proc", "writable /tmp", "bind %s/.leanlocal" % home):
        assert step in before, step
    for step in ("bind %s/app/media <- %s/media\n" % (home, kept),
                 "symlink %s/app/db.sqlite3 -> %s/.leanlocal/db.sqlite3\n" % (home, home), "filter: "):
        assert step in after, step
    assert not os.path.exists(kept)
    poor = run("explain", root, "--sandbox", env={"LEANLOCAL_SANDBOX_DENY": "mount"}).stdout
    assert "not kept: this host offers no mounts" in poor and "media <-" not in poor
    both = run("explain", root, "--sandbox", "--section", "host")
    assert both.returncode == 2 and "--section host" in both.stderr


def test_stages_show_the_steps(project, run):
    root = project(dict(FILES, **{"extra.txt": "", "leanengine.yaml":
                                  "install:\n  - require: [extra.txt]\n  - use: default\n  - echo hi\n"
                                  "build: make all\nrun: python wsgi.py\nstartupTimeout: 45\n"}))
    _, _, rows = look(run, root, "--section", "stages")
    said = dict(rows["stages"])
    assert said["install"] == "{require: [extra.txt]}\n{use: default}\necho hi"
    assert said["build"] == "make all"
    assert said["start"] == "/bin/sh -c python wsgi.py"
    assert "45" in said["healthy"]


def test_a_refused_project(project, run):
    code, sections, _ = look(run, project({"index.html": ""}))
    assert code == 1
    assert sections["project"]["error"]["rule"] == "P-1"
    assert "host" in sections and "sandbox" not in sections


def test_a_missing_python_is_the_hosts_lack(project, run):
    code, sections, _ = look(run, project(dict(FILES, **{".python-version": "3.5.1\n"})))
    assert code == 3
    assert "pyenv install 3.5.1" in sections["python"]["error"]["hint"]


@pytest.mark.parametrize("options, says", [
    (["--section", "stage"], "did you mean stages?"), (["--format", "xml"], "text or json")])
def test_wrong_usage(project, run, options, says):
    done = run("explain", project(FILES), *options)
    assert done.returncode == 2 and says in done.stderr
