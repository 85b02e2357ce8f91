"""leanengine.yaml (P-20 to P-37): each key, its forms, and what is said of a wrong one: with line, column and
the way out."""

import re

import pytest

from helpers.explained import explain

OK = "def application(e, s):\n    s('200 OK', [])\n    return [b'x']\n"
FILES = {"wsgi.py": OK, "requirements.txt": "", "extra.txt": "", "server/wsgi.py": OK,
         "server/requirements.txt": ""}


@pytest.fixture
def look(project, run):
    def ask(text, section="project"):
        return explain(run, project(dict(FILES, **{"leanengine.yaml": text})), section=section)
    return ask


def case(rule, *values):
    """A row, named by the rule that it shows and by its first value."""
    name = str(values[0]).strip().replace("\n", "|")[:40] or "empty"
    return pytest.param(*values, id="%s-%s" % (rule, name))


# ---- what is taken ----

TAKEN = [
    case("P-20", "runtime: python", "runtime", "python"),
    case("P-20", "runtime: 'python'", "runtime", "python"),
    case("P-21", "run: python wsgi.py", "run", "python wsgi.py"),
    case("P-21", "run: \"python 'a b.py'\"", "run", "python 'a b.py'"),
    case("P-37", "run: $(npm bin)/serve -l ${LEANCLOUD_APP_PORT}", "run",
         "$(npm bin)/serve -l ${LEANCLOUD_APP_PORT}"),
    case("P-21", "run: |\n  cd sub\n  exec python x.py\n", "run", "cd sub\nexec python x.py\n"),
    case("P-21", "run: >-\n  python\n  x.py", "run", "python x.py"),
    case("P-21", "run: python x.py  # a comment", "run", "python x.py"),
    case("P-21", "run: echo a#b", "run", "echo a#b"),
    case("P-21", "\ufeffrun: x\r\n", "run", "x"),
    case("P-21", "---\nrun: x\n...\n", "run", "x"),
    case("P-21", "%YAML 1.1\n---\nrun: x", "run", "x"),
    case("P-21", "{run: x, startupTimeout: 20}", "run", "x"),
    case("P-21", "run: !!str 3000", "run", "3000"),
    case("P-21", "run: 程序", "run", "程序"),
    case("P-27", "buildRoot: server", "buildRoot", "server"),
    case("P-28", "exposeEnvironmentsOnBuild: true", "exposeEnvironmentsOnBuild", "true"),
    case("P-28", "exposeEnvironmentsOnBuild: TRUE", "exposeEnvironmentsOnBuild", "true"),
    case("P-29", "startupTimeout: 15", "startupTimeout", "15"),
    case("P-29", "startupTimeout: 120", "startupTimeout", "120"),
    case("P-29", "run: x", "startupTimeout", "30"),
    case("P-30", "functionsMode: strict", "functionsMode", "strict"),
    case("P-30", "functionsMode: disabled", "functionsMode", "disabled"),
    case("P-26", "systemDependencies: [ffmpeg, imagemagick]", "systemDependencies", "ffmpeg, imagemagick"),
    case("P-26", "systemDependencies:\n  - fonts-wqy", "systemDependencies", "fonts-wqy"),
]


@pytest.mark.contract("P-20", "P-21", "P-26", "P-27", "P-28", "P-29", "P-30", "P-37")
@pytest.mark.parametrize("text, name, value", TAKEN)
def test_taken(look, text, name, value):
    seen = look(text)
    assert seen.code == 0 and seen.rows[name] == value, seen
    assert [each for each in seen.warnings if each[0].startswith("leanengine.yaml")] == []


@pytest.mark.contract("P-20", "P-21", "P-27", "P-28", "P-29", "P-30")
@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "~\n", "null\n", "{}\n", "\ufeff"])
def test_an_empty_file_sets_nothing(look, text):
    seen = look(text)
    assert seen.code == 0 and seen.notices == [] and seen.rows["startupTimeout"] == "30"
    assert not {"runtime", "run", "buildRoot", "functionsMode", "exposeEnvironmentsOnBuild"} & set(seen.rows)


# ---- install and build: a text or a list ----

STEPS = [
    case("P-22", "install: make deps", "install", "make deps"),
    case("P-22", "install: [make deps]", "install", "make deps"),
    case("P-22", "install:\n  - a\n  - b", "install", "a\nb"),
    case("P-22", "install: {use: default}", "install", "{use: default}"),
    case("P-22", "install:\n  - {use: default}\n  - echo x", "install", "{use: default}\necho x"),
    case("P-22", "install:\n  - require: [extra.txt, server]\n  - use: default", "install",
         "{require: [extra.txt, server]}\n{use: default}"),
    case("P-22", "install:\n  - require: extra.txt\n  - use: default", "install",
         "{require: [extra.txt]}\n{use: default}"),
    case("P-22", "install:\n  - use: 'default'\n  - \"echo: x\"", "install", "{use: default}\necho: x"),
    case("P-22", "install: |\n  pip install x\n  echo y\n", "install", "pip install x\necho y\n"),
    case("P-22", "run: x", "install", "nothing: requirements.txt names no package"),
    case("P-25", "build: make all", "build", "make all"),
    case("P-25", "build: [a, b, c]", "build", "a\nb\nc"),
    case("P-25", "run: x", "build", "nothing"),
]


@pytest.mark.contract("P-22", "P-25")
@pytest.mark.parametrize("text, name, value", STEPS)
def test_steps(look, text, name, value):
    seen = look(text, section="stages")
    assert seen.code == 0 and seen.rows[name] == value, seen


# ---- what is taken with a word ----

WARNED = [
    # nothing behind the colon
    *[case(rule, key + ":", "1:1", "has no value", "")
      for rule, key in [("P-20", "runtime"), ("P-21", "run"), ("P-22", "install"), ("P-25", "build"),
                        ("P-26", "systemDependencies"), ("P-27", "buildRoot"),
                        ("P-28", "exposeEnvironmentsOnBuild"), ("P-29", "startupTimeout"),
                        ("P-30", "functionsMode")]],
    case("P-21", "run: ~", "1:1", "has no value", ""),
    case("P-21", "run: ''", "1:6", "is empty; taken as not given", ""),
    case("P-27", "buildRoot: ''", "1:12", "is empty; taken as not given", ""),
    # not a text to other readers
    case("P-21", "run: 3000", "1:6", "3000 is a number", 'in quotes: "3000"'),
    case("P-21", "run: 3.10", "1:6", "3.10 is a number", 'in quotes: "3.10"'),
    case("P-21", "run: on", "1:6", "on is a boolean", 'in quotes: "on"'),
    case("P-21", "run: No", "1:6", "No is a boolean", 'in quotes: "No"'),
    case("P-21", "run: 1:30", "1:6", "1:30 is a number", 'in quotes: "1:30"'),
    case("P-21", "run: 0x1f", "1:6", "0x1f is a number", 'in quotes: "0x1f"'),
    case("P-21", "run: 2026-11-26", "1:6", "2026-11-26 is a date", 'in quotes: "2026-11-26"'),
    case("P-22", "install: [true, {use: default}]", "1:11", "true is a boolean", 'in quotes: "true"'),
    case("P-25", "build: off", "1:8", "off is a boolean", 'in quotes: "off"'),
    # what does nothing
    case("P-24", "install: make", "1:10", "replaces the default command: pip installs nothing", "{use: default}"),
    case("P-24", "install: []", "1:10", "replaces the default command: pip installs nothing", "{use: default}"),
    case("P-24", "install:\n  - require: [extra.txt]", "2:3", "replaces the default", "{use: default}"),
    case("P-25", "build: {use: default}", "1:14", "Python has no default build command", "remove the step"),
    case("P-25", "build:\n  - echo x\n  - use: default", "3:10", "nothing is done", "remove the step"),
    case("P-25", "build:\n  - require: [extra.txt]", "2:14", "require adds nothing", "remove the step"),
    case("P-31", "installDevDependencies: true", "1:1", "for Node.js only", "remove the key"),
    case("P-33", "extraPorts: [{name: a, protocol: udp, containerPort: 1}]", "1:1", "not reproduced",
         "remove the key"),
    case("P-35", "cmd: python x.py", "1:1", "never by the cloud; write run: instead", "remove the key"),
    # names
    case("P-32", "startup_timeout: 20", "1:1", 'unknown key "startup_timeout"', "did you mean startupTimeout?"),
    case("P-32", "startup-timeout: 20", "1:1", "unknown key", "did you mean startupTimeout?"),
    case("P-32", "StartupTimeout: 20", "1:1", "unknown key", "did you mean startupTimeout?"),
    case("P-32", "starupTimeout: 20", "1:1", "unknown key", "did you mean startupTimeout?"),
    case("P-32", "\n\nbuild_root: server", "3:1", "unknown key", "did you mean buildRoot?"),
    case("P-32", "buildroot: server", "1:1", "unknown key", "did you mean buildRoot?"),
    case("P-32", "functions_mode: strict", "1:1", "unknown key", "did you mean functionsMode?"),
    case("P-32", "system_dependencies: [ffmpeg]", "1:1", "unknown key", "did you mean systemDependencies?"),
    case("P-32", "exposeEnvironmentOnBuild: true", "1:1", "unknown key",
         "did you mean exposeEnvironmentsOnBuild?"),
    case("P-32", "Run: x", "1:1", "unknown key", "did you mean run?"),
    case("P-32", "rnu: x", "1:1", "unknown key", "did you mean run?"),
    case("P-32", "instal: x", "1:1", "unknown key", "did you mean install?"),
    case("P-32", "run : x\n? web\n: y", "2:3", 'unknown key "web"', ""),
    case("P-32", "程序: x", "1:1", 'unknown key "程序"', ""),
    case("P-32", "on: push", "1:1", 'unknown key "on"', ""),
    case("P-32", "<<: {run: x}", "1:1", 'unknown key "<<"', ""),
]


@pytest.mark.contract("P-20", "P-21", "P-22", "P-24", "P-25", "P-26", "P-27", "P-28", "P-29", "P-30", "P-31", "P-32",
                      "P-35")
@pytest.mark.parametrize("text, at, word, mend", WARNED)
def test_warned(look, text, at, word, mend):
    seen = look(text)
    assert seen.code == 0, seen
    where, said, rule, way_out = seen.warnings[0]
    assert where == "leanengine.yaml:" + at, seen
    assert word in said and mend in way_out and (mend or not way_out), seen
    assert rule.startswith("P-")


def test_what_is_warned_of_is_not_done(look):
    seen = look("startup_timeout: 20\nrun: ''\nRun: x\n")
    assert seen.rows["startupTimeout"] == "30" and "run" not in seen.rows
    assert len(seen.warnings) == 3


# ---- what is refused ----

SECONDS = "expected 15 to 120 seconds"
TEXT = "expected a text"
REFUSED = [
    # P-29
    *[case("P-29", "startupTimeout: " + value, "1:17", SECONDS, hint) for value, hint in [
        ("14", ""), ("121", ""), ("0", ""), ("-30", "whole number"), ("30s", "whole number"), ("5m", "whole number"),
        ("30.0", "whole number"), ("1e2", "whole number"), ("'30'", "without quotes"), ("1:00", "whole number"),
        ("060", "leading zeros"), ("0x1e", "whole number"), ("1_00", "whole number"), ("true", "whole number"),
        ("99999999999999999999", "whole number"), ("[30]", ""), ("{s: 30}", "")]],
    # P-28: YAML 1.1 takes these for booleans, 1.2 does not
    *[case("P-28", "exposeEnvironmentsOnBuild: " + value, "1:28", "expected true or false", hint) for value, hint in [
        ("yes", "write true"), ("on", "write true"), ("off", "write false"), ("n", "write false"),
        ("'true'", "write true, without quotes"), ("tRUE", "write true"), ("1", ""), ("[true]", ""), ("x", "")]],
    # P-20, P-30
    case("P-20", "runtime: ruby", "1:10", "expected one of cpp, dotnet, go, java, nodejs, php, python, static", ""),
    case("P-20", "runtime: node", "1:10", "expected one of", ""),
    case("P-20", "runtime: [python]", "1:10", TEXT, ""),
    case("P-20", "runtime: {python: 3}", "1:10", TEXT, ""),
    case("P-30", "functionsMode: auto", "1:16", "expected one of strict, disabled", ""),
    case("P-30", "functionsMode: Strict", "1:16", "expected one of strict, disabled", "did you mean strict?"),
    case("P-30", "functionsMode: disable", "1:16", "expected one of", "did you mean disabled?"),
    case("P-30", "functionsMode: false", "1:16", "expected one of", ""),
    case("P-30", "functionsMode: [strict]", "1:16", "expected one of", ""),
    # P-21, P-27
    case("P-21", "run: [python, wsgi.py]", "1:6", TEXT + ", got a list", ""),
    case("P-21", "run: {cmd: x}", "1:6", TEXT + ", got a map", ""),
    case("P-27", "buildRoot: [server]", "1:12", TEXT, ""),
    # P-22, P-25
    case("P-22", "install: {use: pip}", "1:16", "expected use: default", ""),
    case("P-22", "install: {use: [default]}", "1:16", "expected use: default", ""),
    case("P-22", "install: {uses: default}", "1:11", "expected a command", "did you mean use?"),
    case("P-22", "install:\n  - requires: [a]", "2:5", "expected a command", "did you mean require?"),
    case("P-22", "install:\n  - {use: default, require: [a]}", "2:5", "got a map", "one of them a list item"),
    case("P-22", "install:\n  - echo: x", "2:5", "expected a command", "quote a command"),
    case("P-22", "install:\n  - [echo, x]", "2:5", "got a list", ""),
    case("P-22", "install:\n  -\n  - x", "2:4", "expected a command", ""),
    case("P-22", "install:\n  - require: {a: b}", "2:14", "expected a list", ""),
    case("P-22", "install:\n  - require: ['']", "2:15", "is not a file of the project", "relative"),
    case("P-22", "install:\n  - require: [/etc/passwd]", "2:15", "is not a file of the project", "relative"),
    case("P-22", "install:\n  - require: [a, ../b]", "2:18", "is not a file of the project", "relative"),
    case("P-22", "install:\n  - require: [[a]]", "2:15", TEXT, ""),
    case("P-25", "build: {echo: x}", "1:9", "expected a command", ""),
    case("P-25", "build: [[x]]", "1:9", "expected a command", ""),
    # P-26
    case("P-26", "systemDependencies: {a: b}", "1:21", "expected a list", ""),
    # the file itself
    case("P-20", "run: x\nrun: y", "2:1", "run: given twice, first on line 1", ""),
    case("P-20", "- run: x", "1:1", "expected lines like", "a key, a colon"),
    case("P-20", "run", "1:1", "expected lines like", "a key, a colon"),
    case("P-20", "[run]: x", "1:1", "a key must be a text", ""),
    case("P-20", "run: x\n---\nrun: y", "2:1", "a second document", ""),
    case("P-20", "run: &a x\nbuild: *a", "2:8", "aliases", "write the value again"),
    case("P-20", "run: *.py", "1:7", "alias", "begins with * or &"),
    case("P-20", "run: && x", "1:7", "anchor", "begins with * or &"),
    case("P-20", "run: !python x", "1:6", "the tag !python is not supported", "begins with !"),
    case("P-20", "startupTimeout: !!int '30'", "1:17", "tag", ""),
    case("P-20", "install: !!set {a}", "1:10", "tag", ""),
    case("P-20", "run: python a: b", "1:14", "mapping values are not allowed", "quote a value"),
    case("P-20", "run: @x", "1:6", "cannot start any token", "never with tabs"),
    case("P-20", "run: x\n\tbuild: y", "2:1", "", ""),
    case("P-20", "run: [", "2:1", "", ""),
    case("P-20", "run: 'x", "1:8", "quoted scalar", "closing quote or bracket"),
    case("P-20", "run: x\n  build: y", "2:8", "mapping values", "indented wrongly"),
    case("P-20", "run: \"a\\0b\"", "1:6", "NUL", ""),
    case("P-20", b"run: caf\xe9", "1:9", "not valid UTF-8", "save the file as UTF-8"),
    case("P-20", "run: x".encode("utf-16"), "1:1", "not valid UTF-8", "save the file as UTF-8"),
    case("P-20", b"run: a\x00b", "1:7", "control characters", ""),
    case("P-20", "a: " + "[" * 32, "1:35", "nested deeper than 32 levels", ""),
    case("P-20", "a: " + "{a: " * 60, "1:", "nested deeper than 32 levels", ""),
]


@pytest.mark.contract("P-20", "P-21", "P-22", "P-25", "P-26", "P-27", "P-28", "P-29", "P-30")
@pytest.mark.parametrize("text, at, word, hint", REFUSED)
def test_refused(look, text, at, word, hint):
    seen = look(text)
    assert seen.code == 1, seen
    assert seen.message.startswith("leanengine.yaml:" + at), seen
    assert word in seen.message and hint in seen.hint, seen


@pytest.mark.contract("P-20")
def test_a_large_file_is_refused_at_once(look):
    seen = look("a: {" * 50000)
    assert seen.code == 1 and "larger than 64 KB" in seen.message
    seen = look("#" * 3_000_000)
    assert seen.code == 1 and seen.message.startswith("leanengine.yaml: ") and "64 KB" in seen.hint


@pytest.mark.contract("P-32")
def test_many_unknown_keys_end(look):
    seen = look("".join("key%d: x\n" % number for number in range(3000)))
    assert seen.code == 0 and 100 <= len(seen.warnings) <= 200


@pytest.mark.contract("P-20", "P-29")
def test_commands_say_it_too(project, run):
    root = project(dict(FILES, **{"leanengine.yaml": "run: x\nstartupTimeout: 5m\nbuildRot: server\n"}))
    for command in ("build", "verify"):
        done = run(command, root)
        assert done.returncode == 1
        assert 'leanengine.yaml:2:17: startupTimeout: expected 15 to 120 seconds, got "5m"' in (
            done.stdout + done.stderr)


# ---- what the keys do ----

@pytest.mark.contract("P-21", "P-37")
def test_run_is_a_shells_line(project, run):
    root = project(dict(FILES, **{"leanengine.yaml":
                                  "run: exec python -m $(echo http.server) --bind 0.0.0.0 ${LEANCLOUD_APP_PORT}\n"}))
    done = run("verify", root)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.contract("P-25")
def test_the_default_of_build_does_nothing(project, run):
    root = project(dict(FILES, **{"leanengine.yaml": "build:\n  - echo before\n  - use: default\n  - ls\n"}))
    done = run("build", root, "--build-logs")
    assert done.returncode == 0 and "Python has no default build command" in done.stdout
    assert "before" in done.stdout and "extra.txt" in done.stdout  # all sources are there


@pytest.mark.contract("P-28")
@pytest.mark.parametrize("value, seen", [("true", True), ("false", False)])
def test_variables_while_building(project, run, value, seen):
    root = project(dict(FILES, **{".env": "MINE=custom\n", "leanengine.yaml":
                                  "install:\n  - use: default\n  - echo I-$MINE-$LEANCLOUD_APP_PORT.\n"
                                  "build: echo B-$MINE-$LEANCLOUD_APP_PORT.\n"
                                  "exposeEnvironmentsOnBuild: %s\n" % value}))
    done = run("build", root, "--build-logs")
    assert done.returncode == 0
    for stage in "IB":
        assert ("%s-custom-3000." % stage if seen else "%s--." % stage) in done.stdout


@pytest.mark.contract("P-30")
@pytest.mark.parametrize("mode, code", [("strict", 1), ("disabled", 0)])
def test_strict_asks_for_the_sdk(project, run, mode, code):
    # A first answer that is wrong is the last one: without functions the app ends itself.
    app = ("import os, threading\n" + OK.replace("    return", "    if e['PATH_INFO'] != '/':\n"
           "        threading.Timer(0.5, os._exit, [7]).start() if os.environ.get('STRICT') else None\n"
           "    return"))
    root = project(dict(FILES, **{"wsgi.py": app, ".env": "STRICT=1\n" if code else "",
                                  "leanengine.yaml": "functionsMode: %s\n" % mode}))
    done = run("verify", root)
    assert done.returncode == code, done.stdout


def second_of(text, pattern):
    hours, minutes, seconds = re.search(r"(?m)^(\d\d):(\d\d):(\d\d) %s" % pattern, text).groups()
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds)


@pytest.mark.slow
@pytest.mark.contract("P-29", "P-103")
def test_the_start_may_take_that_long(project, run):
    late = "import time\ntime.sleep(60)\n" + OK
    root = project(dict(FILES, **{"wsgi.py": late, "leanengine.yaml": "startupTimeout: 15\n"}))
    done = run("verify", root)
    assert done.returncode == 1 and "within 15 s" in done.stdout
    took = second_of(done.stdout, "failed ") - second_of(done.stdout, "start ")
    assert 14 <= took % 86400 <= 18, done.stdout
