"""What the cloud takes a project for (P-1 to P-14), and what is said when that is not Python."""

import os

import pytest

from helpers.explained import explain

OK = "def application(e, s):\n    s('200 OK', [])\n    return [b'x']\n"
PYTHON = {"wsgi.py": OK, "requirements.txt": ""}
START = '{"scripts": {"start": "webpack serve"}}'

# The rows in the order in which they are tried (P-3); Python stands after the third.
KINDS = [
    ("cloudcode", {"cloud/main.js": ""}),
    ("nodejs", {"server.js": "", "package.json": "{}"}),
    ("nodejs", {"package.json": START}),
    ("php", {"composer.json": "{}", "public/index.php": ""}),
    ("java", {"pom.xml": ""}),
    ("java", {"gradlew": ""}),
    ("dotnet", {"app.sln": ""}),
    ("static", {"index.html": ""}),
    ("static", {"static.json": "{}"}),
    ("go", {"go.mod": ""}),
]
BEFORE_PYTHON = 3
NAMES = ["-".join([kind] + sorted(files)).replace("/", "_") for kind, files in KINDS]


@pytest.fixture
def look(project, run):
    return lambda files, *options, **keywords: explain(run, project(files), *options, **keywords)


def assert_python(seen):
    assert seen.code == 0 and seen.rows["detected"] == "Python runtime detected", seen


def assert_refused(seen, rule, *words):
    assert seen.code == 1 and seen.rule == rule, seen
    for word in words:
        assert word in seen.message, seen
    assert seen.hint, seen  # there is always a way out


# ---- both files, in the root ----

@pytest.mark.contract("P-1", "P-6")
def test_both_files_make_it_python(look):
    assert_python(look(PYTHON))


@pytest.mark.contract("P-1")
@pytest.mark.parametrize("missing, way_out", [("wsgi.py", "application"),
                                              ("requirements.txt", "may be empty")])
def test_one_file_is_not_enough(look, missing, way_out):
    seen = look({name: text for name, text in PYTHON.items() if name != missing})
    assert_refused(seen, "P-1", missing + " is missing")
    assert way_out in seen.hint


@pytest.mark.contract("P-1")
@pytest.mark.parametrize("files", [
    {}, {"README.md": ""}, {"app.py": OK}, {"setup.py": ""}, {"pyproject.toml": ""}, {"Pipfile": ""},
    {"manage.py": ""}, {"sub/wsgi.py": OK, "sub/requirements.txt": ""}, {"main.go": ""}, {"index.php": ""},
    {"main.js": ""}, {"index.htm": ""}, {"server.js": ""}, {"cloud/app.js": ""}, {"composer.json": "{}"},
    {"public/index.php": ""}, {"build.gradle": ""}, {"package.json": "{}"}],
    ids=lambda files: "-".join(files).replace("/", "_") or "empty")
def test_nothing_that_is_known(look, files):
    seen = look(files)
    assert_refused(seen, "P-1", "neither wsgi.py nor requirements.txt")


@pytest.mark.contract("P-1")
@pytest.mark.parametrize("name", ["wsgi.py", "requirements.txt"])
def test_a_directory_of_that_name_is_no_file(project, run, name):
    root = project({other: text for other, text in PYTHON.items() if other != name})
    (root / name).mkdir()
    (root / name / "inside").write_text("x")
    assert_refused(explain(run, root), "P-1", name + " is missing")


@pytest.mark.contract("P-1")
def test_links_count_as_what_they_lead_to(project, run):
    root = project({"real/wsgi.py": OK, "requirements.txt": ""})
    (root / "wsgi.py").symlink_to("real/wsgi.py")
    assert_python(explain(run, root))
    (root / "wsgi.py").unlink()
    (root / "wsgi.py").symlink_to("nowhere.py")
    assert_refused(explain(run, root), "P-1", "wsgi.py is missing")


@pytest.mark.contract("P-1", "P-220")
@pytest.mark.parametrize("name", ["wsgi.py", "requirements.txt"])
def test_what_is_not_uploaded_is_not_there(look, name):
    seen = look(dict(PYTHON, **{".leanignore": name + "\n"}))
    assert_refused(seen, "P-1", name + " is missing")
    assert ".leanignore" in seen.hint


@pytest.mark.contract("P-2")
def test_python_version_is_no_sign(look):
    assert_refused(look({".python-version": "3.11\n"}), "P-1")
    assert_refused(look({".python-version": "3.11\n", "requirements.txt": ""}), "P-1", "wsgi.py")
    assert_refused(look({".python-version": "3.11\n", "wsgi.py": OK}), "P-1", "requirements.txt")
    assert_python(look(dict(PYTHON, **{".python-version": "3.11\n"})))


# ---- the order ----

@pytest.mark.contract("P-3")
@pytest.mark.parametrize("kind, files", KINDS, ids=NAMES)
def test_another_runtime_is_named(look, kind, files):
    seen = look(files)
    assert_refused(seen, "P-1", "for a %s project" % kind)
    assert seen.cloud == ""  # the cloud would know it: no word of "unsupported"


@pytest.mark.contract("P-3")
@pytest.mark.parametrize("kind, files", KINDS, ids=NAMES)
def test_python_beside_another(look, kind, files):
    seen = look(dict(files, **PYTHON))
    if (kind, files) in KINDS[:BEFORE_PYTHON]:
        assert_refused(seen, "P-4" if kind == "nodejs" else "P-3", "for a %s project" % kind, "though wsgi.py")
        assert "runtime: python" in seen.hint
    else:
        assert_python(seen)


@pytest.mark.contract("P-3")
@pytest.mark.parametrize("first", range(len(KINDS) - 1), ids=lambda at: NAMES[at])
def test_each_comes_before_the_next(look, first):
    seen = look(dict(KINDS[first + 1][1], **KINDS[first][1]))
    assert "for a %s project" % KINDS[first][0] in seen.message


# ---- Node ----

@pytest.mark.contract("P-4")
def test_front_end_tooling_makes_it_node(project, run):
    root = project(dict(PYTHON, **{"package.json": START}))
    seen = explain(run, root)
    assert_refused(seen, "P-4", "nodejs", "package.json has scripts.start")
    assert "runtime: python" in seen.hint and "scripts.start" in seen.hint
    for command in ("build", "verify"):
        done = run(command, root)
        assert done.returncode == 1 and "runtime: python" in done.stderr + done.stdout


@pytest.mark.contract("P-4", "P-10")
def test_either_way_out_leads_out(look):
    renamed = '{"scripts": {"dev": "webpack serve"}}'
    assert_python(look(dict(PYTHON, **{"package.json": renamed})))
    assert_python(look(dict(PYTHON, **{"package.json": START, "leanengine.yaml": "runtime: python\n"})))


@pytest.mark.contract("P-5")
@pytest.mark.parametrize("text", [
    "", "{", "[]", "null", "1", '"start"', "{}", '{"scripts": {}}', '{"scripts": {"start": ""}}',
    '{"scripts": {"start": 1}}', '{"scripts": {"start": null}}', '{"scripts": "start"}', '{"scripts": ["start"]}',
    '{"scripts": {"Start": "x"}}', '{"start": "x"}', "// comment\n" + START, START + "}", "\ufeff" + START,
    "'" + START + "'"])
def test_package_json_without_a_start_changes_nothing(look, text):
    assert_python(look(dict(PYTHON, **{"package.json": text})))


@pytest.mark.contract("P-5")
def test_an_unreadable_package_json_beside_server_js_is_node(look):
    seen = look(dict(PYTHON, **{"package.json": "{", "server.js": ""}))
    assert_refused(seen, "P-4", "nodejs", "server.js, package.json")


# ---- the platform's words ----

@pytest.mark.contract("P-6")
def test_a_recognised_project_is_announced(project, run):
    done = run("build", project(PYTHON))
    assert done.returncode == 0 and "Python runtime detected" in done.stdout


@pytest.mark.contract("P-7", "P-8")
def test_the_platforms_words_for_nothing_known(project, run):
    seen = explain(run, project({"README": ""}))
    assert seen.cloud.split("\n") == [
        "Unsupported project structure. Please inspect your directory structure to make sure it is a valid "
        "LeanEngine project.",
        "无法判断项目类型，请根据官方代码示例创建项目（No compatible runtime found）"]
    done = run("verify", project({"README": ""}))
    assert done.returncode == 1
    assert "Unsupported project structure." in done.stderr and "No compatible runtime found" in done.stderr


@pytest.mark.contract("P-7")
def test_up_ends_for_it(project, run):
    done = run("up", project({"README": ""}), "--plain")
    assert done.returncode == 1 and "Unsupported project structure." in done.stderr


# ---- runtime ----

@pytest.mark.contract("P-10")
@pytest.mark.parametrize("kind", ["cpp", "dotnet", "go", "java", "nodejs", "php", "static"])
def test_another_runtime_is_not_run_here(look, kind):
    seen = look(dict(PYTHON, **{"leanengine.yaml": "runtime: %s\n" % kind}))
    assert_refused(seen, "P-10", "runtime: " + kind)
    assert "runtime: python" in seen.hint


@pytest.mark.contract("P-10")
def test_runtime_python_overrules_detection(look):
    yaml = {"leanengine.yaml": "runtime: python\n"}
    for _, files in KINDS:
        assert_python(look(dict(PYTHON, **files, **yaml)))


@pytest.mark.contract("P-10", "P-1")
def test_runtime_python_does_not_replace_the_files(look):
    yaml = {"leanengine.yaml": "runtime: python\n"}
    assert_refused(look(yaml), "P-1", "neither")
    assert_refused(look(dict(yaml, **{"wsgi.py": OK})), "P-1", "requirements.txt is missing")


@pytest.mark.contract("P-10", "P-20")
@pytest.mark.parametrize("value, word", [("ruby", "one of cpp, dotnet"), ("Python", "did you mean python"),
                                         ("pyton", "did you mean python"), ("python3", "did you mean python"),
                                         ("[python]", "expected a text"), ("{python: 3}", "expected a text")])
def test_unknown_runtimes(look, value, word):
    seen = look(dict(PYTHON, **{"leanengine.yaml": "runtime: %s\n" % value}))
    assert seen.code == 1 and "leanengine.yaml:1:10: runtime: " in seen.message
    assert word in seen.message + " " + seen.hint, seen


# ---- build root ----

SUB = {"server/wsgi.py": OK, "server/requirements.txt": "", "server/inside.txt": "", "index.html": ""}


@pytest.mark.contract("P-11", "P-27")
@pytest.mark.parametrize("name", ["server", "server/", "./server", "server/.", ".//server"])
def test_build_root_is_looked_at_alone(project, run, name):
    root = project(dict(SUB, **{"leanengine.yaml": "buildRoot: %s\n" % name}))
    seen = explain(run, root)
    assert_python(seen)
    assert seen.rows["build root"] == str(root / "server")


@pytest.mark.contract("P-11")
def test_only_the_build_root_is_uploaded(project, run):
    root = project(dict(SUB, **{"leanengine.yaml": "buildRoot: server\n", ".python-version": "2.6\n"}))
    done = run("exec", root, "--", "ls", "-A")
    assert done.stdout.split() == ["inside.txt", "requirements.txt", "wsgi.py"], done.stderr


@pytest.mark.contract("P-11", "P-40")
def test_python_version_is_read_in_the_build_root(project, run):
    root = project(dict(SUB, **{"leanengine.yaml": "buildRoot: server\n",
                                "server/.python-version": "3.5.1\n"}))
    seen = explain(run, root, section="python")
    assert seen.code == 3 and "3.5.1" in seen.message


@pytest.mark.contract("P-11", "P-1")
def test_the_root_does_not_help_the_build_root(look):
    seen = look(dict(PYTHON, **{"server/wsgi.py": OK, "leanengine.yaml": "buildRoot: server\n"}))
    assert_refused(seen, "P-1", "requirements.txt is missing", "server")


@pytest.mark.contract("P-11", "P-3")
def test_the_order_holds_in_the_build_root(look):
    seen = look(dict(SUB, **{"server/package.json": START, "leanengine.yaml": "buildRoot: server\n"}))
    assert_refused(seen, "P-4", "nodejs")


@pytest.mark.contract("P-11")
@pytest.mark.parametrize("value, word", [
    ("nowhere", "no directory nowhere"), ("wsgi.py", "no directory wsgi.py"), ("Server", "no directory Server"),
    ("..", "leads out"), ("server/../..", "leads out"), ("/tmp", "leads out")])
def test_wrong_build_roots(look, value, word):
    seen = look(dict(SUB, **PYTHON, **{"leanengine.yaml": "buildRoot: %s\n" % value}))
    assert_refused(seen, "P-11", word)


@pytest.mark.contract("P-11")
def test_a_build_root_that_is_not_uploaded(look):
    seen = look(dict(SUB, **{"leanengine.yaml": "buildRoot: server\n", ".leanignore": "server/\n"}))
    assert_refused(seen, "P-11", "no directory server")


@pytest.mark.contract("P-12")
def test_build_root_by_option(project, run):
    root = project(dict(SUB, **{"other/readme": "", "leanengine.yaml": "buildRoot: other\nrun: from the root\n",
                                "server/leanengine.yaml": "run: from below\nbuildRoot: nowhere\n"}))
    seen = explain(run, root, "--build-root", "server")
    assert_python(seen)
    assert seen.rows["run"] == "from below"  # as if only that directory had been uploaded
    assert run("explain", root, "--build-root", "nowhere").returncode == 1


@pytest.mark.contract("P-12")
def test_build_root_is_relative_to_the_project(project, run, tmp_path):
    os.mkdir(tmp_path / "server")
    assert_python(explain(run, project(SUB), "--build-root", "server", cwd=tmp_path))


@pytest.mark.contract("P-12")
def test_the_projects_own_options_may_name_it(look):
    assert_python(look(dict(SUB, **{".leanlocal.yaml": "build-root: server\n"})))


# ---- names ----

@pytest.mark.contract("P-14")
@pytest.mark.parametrize("wrong, right", [
    ("WSGI.py", "wsgi.py"), ("wsgi.PY", "wsgi.py"), ("Wsgi.py", "wsgi.py"),
    ("Requirements.txt", "requirements.txt"), ("REQUIREMENTS.TXT", "requirements.txt")])
def test_upper_and_lower_case_differ(look, wrong, right):
    files = {name: text for name, text in PYTHON.items() if name != right}
    seen = look(dict(files, **{wrong: PYTHON[right]}))
    assert_refused(seen, "P-1", right + " is missing")
    assert "rename %s to %s" % (wrong, right) in seen.hint


@pytest.mark.contract("P-14")
def test_both_names_in_the_wrong_case(look):
    seen = look({"WSGI.PY": OK, "Requirements.txt": ""})
    assert_refused(seen, "P-1", "neither")
    assert "rename WSGI.PY to wsgi.py" in seen.hint


@pytest.mark.contract("P-14")
@pytest.mark.parametrize("name", ["leanengine.yml", "LeanEngine.yaml", "leanengine.YAML", "lean-engine.yaml"])
def test_a_configuration_of_another_name_is_not_read(look, name):
    seen = look(dict(PYTHON, **{name: "run: exit 1\n"}))
    assert_python(seen)
    assert "run" not in seen.rows
    assert seen.warnings[0][0] == name and "leanengine.yaml" in seen.warnings[0][3]


@pytest.mark.contract("P-14", "P-3")
def test_case_counts_for_other_runtimes_too(look):
    assert_python(look(dict(PYTHON, **{"Package.json": START})))
    assert_python(look(dict(PYTHON, **{"Server.js": "", "package.json": "{}"})))
    assert_python(look(dict(PYTHON, **{"Cloud/main.js": ""})))
