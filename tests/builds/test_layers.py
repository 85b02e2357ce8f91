"""Layers: what is in them, when they are made, reused, shared and thrown away (P-60 to P-72, P-301, P-309)."""

import os
import signal
import subprocess

import pytest

from builds_kit import Report
from helpers.interpreters import ALL, need_interpreter, patch_version
from helpers.waiting import wait_for

NO_REQUIREMENTS = {"requirements.txt": "# nothing yet\n\n"}


@pytest.mark.parametrize("wanted", ALL)
def test_empty_layer_of_each_python(builds, wanted):
    """No pip runs, no network is needed, and yet python, pip and the isolation are there."""
    need_interpreter(wanted)
    builds.write(NO_REQUIREMENTS)
    if wanted != "system":
        builds.write({".python-version": patch_version(wanted)})
        env = {}
    else:
        env = {"PYENV_ROOT": "/nowhere", "HOME": builds.root, "PATH": "/usr/bin:/bin"}
    script = ("import sys, os; print(sys.prefix); print('%d.%d' % sys.version_info[:2]);"
              "print([p for p in sys.path if p.endswith('-packages')]);"
              "import ssl, sqlite3, json; print('std')")
    report = builds.run(command=["{env}/bin/python", "-c", script], env=env)
    assert report.states("install")[-1] == "skipped"
    assert report.output == []
    prefix, version, packages, std = report.app
    assert prefix == "/opt/env" and std == "std"
    assert version == wanted or wanted == "system"
    assert packages == "['/opt/env/lib/python%s/site-packages']" % version
    pip = builds.run(command=["pip", "--version"], env=env)
    assert pip.states("install")[-1] == "cached" or pip.states("install")[-1] == "skipped"
    assert "/opt/env/lib/python%s/site-packages/pip" % version in pip.app[-1]


@pytest.mark.parametrize("wanted", ALL)
@pytest.mark.contract("P-60")
def test_install_of_each_python(builds, wanted):
    need_interpreter(wanted)
    env = {}
    if wanted == "system":
        env = {"PYENV_ROOT": "/nowhere", "HOME": builds.root, "PATH": "/usr/bin:/bin"}
    else:
        builds.write({".python-version": patch_version(wanted)})
    builds.house.add("greeting", "1.0", {"greeting.py": "def main():\n    print('hi')\n"},
                     requires=["other"], scripts={"greet": "greeting:main"})
    builds.house.add("other", "2.0")
    builds.write({"requirements.txt": "greeting\r\n"})
    report = builds.run(command=["greet"], env=env)
    assert report.states("install") == ["running", "done"]
    assert report.output[0] == "$ pip install -r requirements.txt"
    assert any(line.startswith("Successfully installed") for line in report.output)
    assert report.app == ["hi"]
    again = builds.run(command=["greet"], env=env)
    assert again.states("install") == ["running", "cached"]
    assert again.output == []
    assert builds.leftovers() == []


@pytest.mark.contract("P-63")
def test_a_changed_manifest_makes_another_layer(builds):
    builds.house.add("one", "1.0")
    builds.house.add("two", "1.0")
    builds.write({"requirements.txt": "one\n"})
    first = builds.run().layer
    builds.write({"requirements.txt": "two\n"})
    assert builds.run().layer != first
    builds.write({"requirements.txt": "one\n"})
    back = builds.run()
    assert back.layer == first and back.states("install")[-1] == "cached"


@pytest.mark.contract("P-64")
def test_no_cache_makes_a_new_layer_and_spares_the_old(builds):
    builds.house.add("one", "1.0")
    builds.write({"requirements.txt": "one\n"})
    first = builds.run().layer
    builds.house.add("one", "2.0")
    assert builds.run().layer == first  # P-64
    fresh = builds.run("--no-cache", command=["python", "-c", "import one; print(one.VERSION)"])
    assert fresh.layer != first and fresh.app == ["2.0"]
    assert os.path.isdir(first)
    assert builds.run().layer == fresh.layer


@pytest.mark.contract("P-23", "P-72")
def test_only_manifests_are_there_while_installing(builds):
    """P-72: a second file must be required; the error names the way out."""
    builds.house.add("one", "1.0")
    builds.write({"requirements.txt": "-r more.txt\n", "more.txt": "one\n", "secret.py": ""})
    failed = builds.run(check=1)
    assert "error project P-72" in failed.text
    assert "require" in failed.starting("hint")[0]
    assert builds.leftovers() == [] and builds.layers() == []
    builds.write({"leanengine.yaml": "install:\n - require: [more.txt]\n - use: default\n - ls -A\n"})
    report = builds.run(command=["python", "-c", "import one; print(one.VERSION)"])
    assert report.app == ["1.0"]
    assert "secret.py" not in report.output and "more.txt" in report.output


@pytest.mark.parametrize("wheel", [True, False])
def test_required_wheel_of_a_directory(builds, wheel):
    path = builds.house.add("local", "1.0")
    os.makedirs(os.path.join(builds.project, "vendor/deep"))
    os.rename(path, os.path.join(builds.project, "vendor/deep", os.path.basename(path)))
    builds.write({"requirements.txt": "./vendor/deep/%s\n" % os.path.basename(path)})
    if wheel:
        builds.write({"leanengine.yaml": "install: [{require: vendor}, {use: default}]\n"})
        builds.run(command=["python", "-c", "import local"])
    else:
        assert "P-72" in builds.run(check=1).text


@pytest.mark.parametrize("name, reason", [("absent.txt", ":2: install: require: absent.txt: no such file"),
                                          ("../other", ':2:13: install: require: "../other" is not a file of'),
                                          ("link.txt", ":2: install: require: link.txt: no such file")])
def test_required_file_that_cannot_be(builds, name, reason):
    os.symlink("/etc/passwd", os.path.join(builds.project, "link.txt"))
    builds.write(dict(NO_REQUIREMENTS, **{"leanengine.yaml": "install:\n - require: %s\n" % name}))
    failed = builds.run(check=1)
    assert "leanengine.yaml" + reason in failed.text


@pytest.mark.contract("P-68")
def test_unknown_package(builds):
    builds.write({"requirements.txt": "nosuchthing==9\n"})
    failed = builds.run(check=1)
    assert "pip install -r requirements.txt: exit 1: no such package" in failed.text
    assert "nosuchthing" in failed.text
    assert "returned a non-zero code: 1:" in failed.starting("cloud")[0]  # P-68
    assert failed.states("install")[-1] == "failed"
    assert builds.leftovers() == [] and builds.layers() == []


def test_no_network_is_the_hosts_fault(builds):
    builds.write({"requirements.txt": "flask\n"})
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        del builds.env[name]
    env = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1"}
    failed = builds.run(env=env, check=3)
    assert "error host" in failed.text and "no network" in failed.text


@pytest.mark.contract("P-67")
def test_custom_steps_stop_at_the_first_failure(builds):
    builds.write(dict(NO_REQUIREMENTS, **{"leanengine.yaml": (
        "install:\n - echo one > kept; echo $HOME $(pwd)\n - cat kept; echo three >&2; exit 7\n"
        " - echo never\n")}))
    failed = builds.run(check=1)
    assert failed.output == ["$ echo one > kept; echo $HOME $(pwd)",
                             "/home/leanengine /home/leanengine/app",
                             "$ cat kept; echo three >&2; exit 7", "one", "three"]
    error = failed.text[failed.text.index("error project"):]
    assert "exit 7" in error and "three" in error and "/home/leanengine /home" not in error  # P-67


@pytest.mark.contract("P-24")
def test_custom_install_without_pip_is_warned(builds):
    builds.write(dict(NO_REQUIREMENTS, **{"leanengine.yaml": "install: echo done\n"}))
    report = builds.run()
    assert report.output == ["$ echo done", "done"]
    assert any("P-24" in line for line in report.starting("warning"))


@pytest.mark.parametrize("wanted", ["2.7", "3.6", "3.13"])
@pytest.mark.contract("P-301")
def test_conflicts_that_pip_lets_pass_are_reported(builds, wanted):
    """P-301; told again when the layer comes from the cache."""
    builds.write({".python-version": patch_version(wanted)})
    builds.house.add("base", "1.0")
    builds.house.add("base", "2.0")
    builds.house.add("user", "1.0", requires=["base<2"])
    builds.write({"requirements.txt": "user\n", "leanengine.yaml": (
        "install: [{use: default}, 'pip install --no-deps base==2.0']\n")})
    for _ in range(2):
        report = builds.run()
        warnings = report.starting("warning")
        assert len(warnings) == 1 and "P-301" in warnings[0] and "base<2" in warnings[0]


@pytest.mark.contract("P-28", "P-102f")
def test_variables_are_absent_unless_exposed(builds):
    """P-28, P-102f; the shell's own are never there, pip's are."""
    env = {"MY_SECRET": "shell", "PIP_TARGET": "/nowhere", "https_proxy": "http://127.0.0.1:9"}
    builds.write(dict(NO_REQUIREMENTS, **{"leanengine.yaml": "install: env; echo pip\n"}))
    report = builds.run(env=env)
    assert not any(line.startswith(("MY_SECRET", "EXPOSED", "PIP_TARGET")) for line in report.output)
    assert "https_proxy=http://127.0.0.1:9" in report.output
    assert "PIP_FIND_LINKS=" + builds.house.directory in report.output
    path = [line for line in report.output if line.startswith("PATH=")]
    assert path == ["PATH=/opt/env/bin:/usr/local/bin:/usr/bin:/bin"]
    builds.write({"leanengine.yaml": "install: env; echo pip\nexposeEnvironmentsOnBuild: true\n"})
    assert "EXPOSED=yes" in builds.run(env=env).output


def test_pip_conf_reaches_pip_with_the_files_it_names(builds):
    for name in ("PIP_FIND_LINKS", "PIP_NO_INDEX"):
        del builds.env[name]
    builds.house.add("one", "1.0")
    config = os.path.join(builds.root, ".config/pip")
    os.makedirs(config)
    with open(os.path.join(config, "pip.conf"), "w") as file:
        file.write("[global]\nno-index = true\nfind-links =\n    %s\n" % builds.house.directory)
    os.chmod(os.path.join(config, "pip.conf"), 0o600)
    builds.write({"requirements.txt": "one\n"})
    builds.run(env={"HOME": builds.root, "PYENV_ROOT": os.environ.get(
        "PYENV_ROOT", os.path.expanduser("~/.pyenv"))})


def test_two_builds_of_one_layer_make_it_once(builds):
    builds.house.add("one", "1.0")
    builds.write({"requirements.txt": "one\n"})
    both = [builds.start() for _ in range(2)]
    reports = [Report(each.wait(60), each.communicate()[0]) for each in both]
    assert [each.code for each in reports] == [0, 0], reports[0].text + reports[1].text
    assert sorted(each.states("install")[-1] for each in reports) == ["cached", "done"]
    assert reports[0].layer == reports[1].layer


def test_cancelled_build_leaves_nothing(builds):
    builds.write(dict(NO_REQUIREMENTS, **{"leanengine.yaml": (
        "install: echo ready; echo pip; sleep 1000\n")}))
    report = builds.run("--cancel-on", "ready", check=3)
    assert "error cancelled" in report.text
    assert builds.leftovers() == [] and builds.layers() == []


def test_killed_build_is_not_usable_and_is_swept(builds):
    """kill -9 of the builder: its command dies with it; the next build removes what lay about."""
    mine = "sleep 4242%d" % os.getpid()  # by its words, since its pid is another one outside
    builds.write(dict(NO_REQUIREMENTS, **{"leanengine.yaml": (
        "install: echo pip ready $$; if [ -e go ]; then :; else exec %s; fi\n" % mine)}))
    builder = builds.start()
    seen = []
    for line in builder.stdout:
        seen.append(line)
        if line.startswith("output install pip ready"):
            break
    assert builds.leftovers() != []
    builder.send_signal(signal.SIGKILL)
    builder.wait()
    builder.stdout.close()

    def asleep():
        found = subprocess.run(["pgrep", "-x", "-f", mine], stdout=subprocess.PIPE)
        return found.stdout

    wait_for(lambda: not asleep(), "the step to die with its builder", 10, asleep)
    builds.write({"leanengine.yaml": "install: echo pip\n"})
    builds.run()
    assert builds.leftovers() == []


@pytest.mark.contract("P-25")
def test_build_commands_see_the_source_and_their_products_stay(builds):
    """P-25: after install, with all files; what they made is laid over the source."""
    builds.write(dict(NO_REQUIREMENTS, **{
        "leanengine.yaml": ("build:\n - mkdir -p out && cp data.txt out/made.txt\n"
                            " - echo changed > data.txt; rm gone.txt\n"),
        "data.txt": "data\n", "gone.txt": "x"}))
    builds.give()
    report = builds.run(command=["/bin/sh", "-c", "cat out/made.txt data.txt; ls"])
    assert report.states("build") == ["running", "done"]
    tree = report.starting("built")[0]
    assert open(os.path.join(tree, "out/made.txt")).read() == "data\n"
    assert open(os.path.join(tree, "data.txt")).read() == "changed\n"
    assert open(os.path.join(builds.project, "data.txt")).read() == "data\n"
    assert report.app[:2] == ["data", "changed"]


def test_build_command_that_fails(builds):
    builds.write(dict(NO_REQUIREMENTS, **{"leanengine.yaml": "build: echo why; exit 3\n"}))
    failed = builds.run(check=1)
    assert failed.states("build") == ["running", "failed"]
    assert "echo why; exit 3: exit 3\nwhy\n" in failed.text
    assert [name for name in os.listdir(os.path.join(builds.cache, "built")) if not name.endswith((".lock", ".use"))] == []


def test_level_none_builds_in_place(builds):
    """A host without namespaces: the layer is made at its final path."""
    builds.house.add("greeting", "1.0", {"greeting.py": "def main():\n    print('hi')\n"},
                     scripts={"greet": "greeting:main"})
    builds.write({"requirements.txt": "greeting\n", "leanengine.yaml": "build: echo b > made\n"})
    env = {"LEANLOCAL_SANDBOX_DENY": "user-namespace,mount,proc,pid-namespace,overlay,notify",
           "PYENV_ROOT": "/nowhere", "HOME": builds.root, "PATH": "/usr/bin:/bin"}
    report = builds.run(env=env)
    layer = report.layer
    assert report.starting("layer")[0].split()[1] == layer
    shown = subprocess.run([os.path.join(layer, "bin", "greet")], stdout=subprocess.PIPE)
    assert shown.stdout == b"hi\n"
    assert open(os.path.join(report.starting("built")[0], "made")).read() == "b\n"
    again = builds.run(env=env)
    assert again.layer == layer and again.states("install")[-1] == "cached"
    assert builds.leftovers() == []
