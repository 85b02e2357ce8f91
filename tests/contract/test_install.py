"""The install stage: what is there, what runs, as whom, with which variables, and what is shown of it."""

import functools
import glob
import http.server
import os
import re
import shutil
import subprocess
import threading

import pytest
from building import build, cloud, files, lines
from helpers.interpreters import patch_version

# Says everything that a step can see; each line with a word of its own.
LOOK = ("ls -A | sed 's/^/file /'; echo user $(id -un) $HOME $(pwd); "
        "env | cut -d= -f1 | sed 's/^/variable /'")


def words(done, word, stage="install"):
    return [text[len(word) + 1:] for text in lines(done, stage) if text.startswith(word + " ")]


@pytest.mark.contract("P-60")
def test_pip_installs_requirements_txt(project, run, wheelhouse):
    wheelhouse.add("tiny", "1.0")
    root = project(files("tiny\r\n# a comment\r\n"))
    assert "$ pip install -r requirements.txt" in lines(build(run, root), "install")
    shown = run("exec", root, "--", "python", "-c", "import tiny; print(tiny.VERSION)")
    assert shown.stdout == "1.0\n"


@pytest.fixture
def repository(place):
    """A package in a git repository that is served over HTTP: its address."""
    work = place.directory("package")
    with open(os.path.join(work, "setup.py"), "w") as file:
        file.write("from setuptools import setup\nsetup(name='fromgit', version='3.0', py_modules=['fromgit'])\n")
    with open(os.path.join(work, "fromgit.py"), "w") as file:
        file.write("WORD = 'from git'\n")
    served = place.directory("served")
    own = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example",
           "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example"}
    for command in ("git init -q -b main .", "git add .", "git commit -q -m first",
                    "git clone -q --bare . %s/package.git" % served,
                    "git -C %s/package.git update-server-info" % served):
        subprocess.run(command.split(), cwd=work, env=own, check=True, stdin=subprocess.DEVNULL)
    handler = functools.partial(Quiet, directory=served)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield "http://127.0.0.1:%d/package.git" % server.server_port
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.mark.contract("P-60")
@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_a_line_may_name_a_git_repository(project, run, wheelhouse, repository):
    root = project(files("git+%s@main#egg=fromgit\n" % repository, **{".python-version": patch_version("3.6")}))
    # Its pip runs setup.py itself: nothing has to be fetched to build it.
    done = run("exec", root, "--", "python", "-c", "import fromgit; print(fromgit.WORD)", env={"no_proxy": "127.0.0.1"})
    assert done.stdout == "from git\n", done.stderr


@pytest.mark.contract("P-60")
def test_without_requirements_no_pip_runs(project, run, wheelhouse):
    done = build(run, project(files("\n# nothing yet\n")))
    assert lines(done, "install") == []


@pytest.mark.contract("P-61", "P-64")
def test_range_is_resolved_once_and_anew_without_the_cache(project, run, wheelhouse):
    """The newest release within the bounds; while the cache lives it stays, whatever is released."""
    for version in ("1.0", "1.1", "2.0"):
        wheelhouse.add("ranged", version)
    root = project(files("ranged>=1.0,<2.0\n"))
    show = ("--", "python", "-c", "import ranged; print(ranged.VERSION)")
    assert run("exec", root, *show).stdout == "1.1\n"
    wheelhouse.add("ranged", "1.2")
    assert run("exec", root, *show).stdout == "1.1\n"
    assert run("exec", root, "--no-cache", *show).stdout == "1.2\n"
    assert run("exec", root, *show).stdout == "1.2\n"


@pytest.mark.contract("P-22", "P-23", "P-68")
def test_only_manifests_are_there(project, run):
    more = {"tool.py": "", "sub/deep.txt": "x", ".python-version": "3.11\n", ".env": "MINE=1\n"}
    root = project(files("", "install:\n - %s\n - require: [tool.py, sub/deep.txt]\n - find . -type f\n" % LOOK,
                         **more))
    done = build(run, root)
    assert sorted(words(done, "file")) == [".python-version", "requirements.txt"]
    assert words(done, "user") == ["leanengine /home/leanengine /home/leanengine/app"]
    assert {"./tool.py", "./sub/deep.txt", "./requirements.txt"} <= set(lines(done, "install"))


@pytest.mark.contract("P-72")
@pytest.mark.parametrize("requirement, file", [
    ("-r more.txt", "more.txt"), ("-c limits.txt", "limits.txt"), ("-e .", "setup.py"),
    ("./wheels/local-1.0-py2.py3-none-any.whl", "wheels/local-1.0-py2.py3-none-any.whl")])
def test_what_requirements_name_must_be_required(project, run, wheelhouse, requirement, file):
    made = files(requirement + "\n", **{file: "from setuptools import setup\nsetup(name='x')\n"
                                        if file == "setup.py" else "# nothing\n"})
    if file.endswith(".whl"):
        with open(wheelhouse.add("local", "1.0"), "rb") as wheel:
            made[file] = wheel.read()
    root = project(made)
    failed = run("build", root)
    assert failed.returncode == 1, failed.stdout
    assert "rule   P-72" in failed.stdout and "require" in failed.stdout
    if file != "setup.py":  # its editable install would need a build back end
        (root / "leanengine.yaml").write_text("install: [{require: [%s]}, {use: default}]\n" % file)
        build(run, root)


@pytest.mark.contract("P-24")
@pytest.mark.parametrize("default", [False, True])
def test_a_list_of_ones_own_replaces_pip(project, run, wheelhouse, default):
    wheelhouse.add("tiny", "1.0")
    yaml = "install:\n - echo mine\n" + (" - use: default\n" if default else "")
    done = build(run, project(files("tiny\n", yaml)))
    assert ("$ pip install -r requirements.txt" in lines(done, "install")) == default
    assert ("rule   P-24" in done.stdout) != default
    assert "mine" in lines(done, "install")


@pytest.mark.contract("P-22", "P-68")
def test_steps_are_shell_commands_and_stop_at_the_first_that_fails(project, run):
    yaml = "install:\n - 'A=$(echo one) && echo \"$A\" | tr o O'\n - cd / && exit 7\n - echo never\n"
    done = build(run, project(files("", yaml)), code=1)
    said = lines(done, "install")
    assert "One" in said and "never" not in said
    failed = lines(done, "failed")
    assert failed[0].endswith("cd / && exit 7: exit 7")
    assert any(text.startswith("cloud ") and "'/bin/sh -c" in text and text.endswith(
        "su leanengine -c 'cd / && exit 7'' returned a non-zero code: 7:") for text in failed)


@pytest.mark.contract("P-28", "P-102f")
@pytest.mark.parametrize("exposed", [False, True])
def test_variables_are_absent_unless_exposed(project, run, exposed):
    yaml = "install: %s\nbuild: %s\n%s" % (
        LOOK, LOOK, "exposeEnvironmentsOnBuild: true\n" if exposed else "")
    root = project(files("", yaml, **{".env": "MINE=1\n"}))
    done = build(run, root, env={"SHELLS_OWN": "x"})
    for stage in ("install", "build"):
        there = set(words(done, "variable", stage))
        assert there and "SHELLS_OWN" not in there
        assert ("LEANCLOUD_APP_ID" in there, "LEANCLOUD_APP_ENV" in there, "MINE" in there) == (exposed,) * 3


@pytest.mark.contract("P-67")
def test_output_is_hidden_unless_a_step_fails_or_it_is_asked_for(project, run):
    yaml = "install:\n - echo fir''st\n - seq 1 3000; echo why >&2; exit 4\n"
    root = project(files("", yaml))
    failed = run("build", root)
    said = lines(failed, "install")
    assert failed.returncode == 1
    assert said[0].startswith("pip ") or said[0] == "$ echo fir''st"
    assert "first" not in said, "only the last step's output is shown"
    assert said[-1] == "why" and said[-2] == "3000"
    assert len([text for text in said if text.isdigit()]) == 1999, "the last 2000 lines of it"
    assert failed.stdout.count("why\n") == 1
    assert "--build-logs" in failed.stdout
    everything = lines(build(run, root, code=1), "install")
    assert "first" in everything and "1" in everything and "3000" in everything


@pytest.mark.contract("P-67")
@pytest.mark.parametrize("command", ["build", "verify"])
def test_output_of_steps_that_go_well_is_hidden(project, run, command):
    root = project(files("", "install: echo hid''den\nbuild: echo hid''den # %s\n" % command))
    done = run(command, root, "--no-cache")
    assert done.returncode == 0 and "hidden" not in done.stdout
    assert "$ echo hid''den" in lines(done, "install")  # which step runs is said
    assert "hidden" in run(command, root, "--build-logs", "--no-cache").stdout


@pytest.mark.contract("P-62", "P-231")
def test_the_clouds_lines_come_once_and_in_order(project, run):
    done = run("verify", project(files("", "install: id -un\nbuild: id -un\n")))
    said = cloud(done)
    tag = re.fullmatch(r"开始构建 (\d{8}-\d{6})", said[0]).group(1)
    order = ["开始构建 " + tag, "正在下载应用代码 ...", "正在解压缩应用代码 ...", "运行环境: python",
             "正在下载和安装依赖项 ...", "镜像构建完成：" + tag, "开始部署 %s 到 web1" % tag,
             "正在创建新实例 ...", "正在启动新实例 ..."]
    assert [text for text in said if text in order] == order
    image = [text.startswith("存储镜像到仓库（") for text in said]
    assert image.count(True) == 1 and said.index(order[4]) < image.index(True) < said.index(order[5])


@pytest.mark.contract("P-309")
@pytest.mark.parametrize("wanted", ["2.7", "3.11"])
def test_which_pip_is_used_is_said(project, run, wheelhouse, wanted):
    wheelhouse.add("tiny", "1.0")
    root = project(files("tiny\n", **{".python-version": patch_version(wanted) + "\n"}))
    done = build(run, root, "--no-cache")
    pip = re.search(r"build +install: pip (\d[\d.]*)", done.stdout).group(1)
    inside = run("exec", root, "--", "pip", "--version").stdout
    assert inside.startswith("pip %s " % pip)


@pytest.mark.contract("P-309")
def test_a_layer_costs_no_ensurepip(project, run):
    """Which takes five seconds of CPU time, each time: pip is copied."""
    root = project(files("# nothing\n", **{".python-version": "3.11\n"}))
    build(run, root, "--no-cache", env={"LEANLOCAL_BUILD_LIMITS": "cpu-ms=3000"})
    assert run("exec", root, "--", "pip", "--version").stdout.startswith("pip ")


ONLY_SYSTEM = {"PYENV_ROOT": "/nowhere", "PATH": "/usr/bin:/bin"}


@pytest.mark.contract("P-309")
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root, to hide this host's pip")
@pytest.mark.parametrize("requirement", ["tiny", "# nothing"])
def test_a_python_without_pip(place, wheelhouse, requirement):
    """Debian's own python3: said with the package to install; who requires nothing needs none."""
    wheelhouse.add("tiny", "1.0")
    root = place.project(files(requirement + "\n"))
    pips = glob.glob("/usr/lib/python3*/dist-packages/pip") + glob.glob("/usr/share/python-wheels") + glob.glob(
        "/usr/lib/python3*/ensurepip/_bundled") + glob.glob("/usr/local/lib/python3*/*-packages/pip")
    hide = "; ".join("mount -t tmpfs tmpfs " + path for path in pips) or ":"
    done = subprocess.run(["unshare", "--mount", "sh", "-c", hide + '; exec "$@"', "sh", *place.command("build", root)],
                          env={**place.env, **ONLY_SYSTEM, "XDG_CACHE_HOME": place.directory("fresh")},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    if requirement == "tiny":
        assert done.returncode == 3, done.stdout + done.stderr
        assert "rule   P-309" in done.stdout and "apt install python3-pip" in done.stdout
    else:
        assert done.returncode == 0, done.stdout + done.stderr
