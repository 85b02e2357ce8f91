"""exec, env, build: only their own output on stdout, the right exit status."""

import json
import os
import re
import subprocess

import pytest

OK = "def application(e, s):\n    s('200 OK', [])\n    return [b'x']\n"
FILES = {"wsgi.py": OK, "requirements.txt": "", "tool.py": "print('tool')\n"}


def test_exec_runs_inside(project, run):
    done = run("exec", project(FILES), "--", "python", "-c",
               "import os, sys; print(os.getcwd(), sys.prefix, os.getuid() != 0)")
    assert done.stdout == "/home/leanengine/app /opt/env True\n"
    assert done.returncode == 0


def test_exec_gives_the_status(project, run):
    root = project(FILES)
    assert run("exec", root, "--", "sh", "-c", "exit 7").returncode == 7
    assert run("exec", root, "--", "sh", "-c", "kill -TERM $$").returncode == 128 + 15
    assert run("exec", root, "--", "no-such-command").returncode == 127


def test_exec_passes_standard_input(project, run):
    done = run("exec", project(FILES), "--", "cat", input="through\n")
    assert done.stdout == "through\n"


def test_exec_sees_the_variables(project, run):
    root = project(dict(FILES, **{".env": "MINE=yes\n"}))
    done = run("exec", root, "--", "sh", "-c", "echo $MINE $LEANCLOUD_APP_PORT")
    assert done.stdout == "yes 3000\n"


@pytest.mark.contract("P-102j")
def test_env_formats(project, run, tmp_path):
    root = project(dict(FILES, **{".env": "MINE=it's \"here\"\n"}))
    flat = json.loads(run("env", root, "--format", "json").stdout)
    assert flat["LEANCLOUD_APP_ENV"] == "development" and all(
        isinstance(value, str) for value in flat.values())
    script = run("env", root).stdout
    shell = subprocess.run(["sh", "-c", script + '\nprintf %s "$LEANCLOUD_APP_ID|$MINE"'],
                           capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert shell.stdout == flat["LEANCLOUD_APP_ID"] + "|" + flat["MINE"]
    masked = json.loads(run("env", root, "--format", "json", "--mask").stdout)
    assert masked["LEANCLOUD_APP_MASTER_KEY"] != flat["LEANCLOUD_APP_MASTER_KEY"]
    assert masked["LEANCLOUD_APP_ID"] == flat["LEANCLOUD_APP_ID"]


def test_build_alone(project, run):
    done = run("build", project(FILES))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.contract("P-22", "P-23", "P-72")
def test_P_23_P_72_install_sees_manifests_only(project, run):
    root = project(dict(FILES, **{
        "extra.txt": "", "leanengine.yaml":
            "install:\n  - ls -A\n  - require: [extra.txt]\n  - echo then; ls -A\n"}))
    done = run("build", root, "--build-logs")
    before, after = re.split(r"(?m)^\S+ +install +then$", done.stdout)
    assert "requirements.txt" in before and "tool.py" not in done.stdout
    assert "extra.txt" not in before and "extra.txt" in after


@pytest.mark.contract("P-72")
def test_P_72_required_requirements_file_missing(project, run, wheelhouse):
    root = project(dict(FILES, **{"requirements.txt": "-r other.txt\n", "other.txt": ""}))
    done = run("build", root)
    assert done.returncode == 1
    assert "require" in done.stdout and "other.txt" in done.stdout


COMMANDS = ("up", "verify", "build", "exec", "explain", "why", "cache", "env", "status", "restart", "reload", "stop",
            "help")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command(run, command):
    done = run(command, "--help")
    assert done.returncode == 0 and "Usage: leanlocal %s" % command in done.stdout
    assert run("help", command).stdout == done.stdout
    assert command in run("help").stdout


def test_the_project_sets_options(project, run):
    root = project(dict(FILES, **{"dev.env": "MINE=dev\n", "other.env": "MINE=other\n",
                                  ".leanlocal.yaml": "port: 3001\nenv-file: dev.env\nenv: stage\n"}))
    flat = json.loads(run("env", root, "--format", "json").stdout)
    assert (flat["MINE"], flat["LEANCLOUD_APP_ENV"]) == ("dev", "stage")
    flat = json.loads(run("env", root, "--format", "json", "--env-file", root / "other.env",
                          "--env=production").stdout)
    assert (flat["MINE"], flat["LEANCLOUD_APP_ENV"]) == ("other", "production")


def test_up_takes_port_and_address_from_the_projects_file(place, project):
    root = project(dict(FILES, **{".leanlocal.yaml": "port: 3456\nhost: %s\nplain: true\n" % place.address}))
    with subprocess.Popen(place.command("up", root), env=place.env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True) as child:
        line = next(line for line in child.stdout if "listening" in line)
        child.terminate()
    assert "http://%s:3456" % place.address in line


@pytest.mark.parametrize("text, says", [
    ("prot: 3001\n", ".leanlocal.yaml:1:1: unknown option \"prot\""),
    ("plain: true\nport: many\n", ".leanlocal.yaml:2:7: port: expected 1 to 65535"),
    ("persist: [db.sqlite3, ../other]\n", ".leanlocal.yaml:1:23: persist: expected a path below"),
    ("env-file: missing.env\n", "missing.env"),
])
def test_mistakes_in_the_projects_file(project, run, text, says):
    root = project(dict(FILES, **{".leanlocal.yaml": text}))
    done = run("env", root)
    assert done.returncode == 2 and says in done.stderr and done.stdout == ""
    assert run("status", root).returncode == 3  # not 2: a mistake there keeps nobody from stopping


def test_the_projects_file_is_not_uploaded(project, run):
    root = project(dict(FILES, **{".leanlocal.yaml": "port: 3001\n"}))
    assert run("exec", root, "--", "ls", "-A").stdout.split() == ["requirements.txt", "tool.py", "wsgi.py"]


def test_a_save_of_the_projects_file_is_told_and_nothing_else(project, up):
    root = project(FILES)
    instance = up(root)
    instance.wait_healthy()
    before = instance.text
    (root / ".leanlocal.yaml").write_text("port: 3001\n")
    instance.wait_line(r"note +.*\.leanlocal\.yaml was saved")
    instance.wait_line(r"mend +stop leanlocal and start it again")
    (root / "wsgi.py").write_text(OK.replace("b'x'", "b'new'"))
    instance.wait_body(b"new")
    saves = [line for line in instance.text[len(before):].split("\n") if " save " in line]
    assert len(saves) == 1 and "wsgi.py" in saves[0], instance.text


def test_nothing_waits_silently(project, run):
    late = "import time\ntime.sleep(5.5)\n" + OK
    done = run("verify", project(dict(FILES, **{"wsgi.py": late})))
    assert done.returncode == 0
    assert re.search(r"wait +start: 5 s: nothing listens on port 3000 yet", done.stdout), done.stdout
