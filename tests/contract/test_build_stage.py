"""The build stage, and what of a build is kept: order, keys, what is reused and what is made anew."""

import re

import pytest
from building import build, cloud, files, lines, steps

# Both stages leave a number that is another one at each run.
BOTH = steps("install", "date +%s%N > /opt/env/made") + steps("build", "date +%s%N > made.txt")
SHOW = ("--", "cat", "/opt/env/made", "made.txt")


def made(run, root, *options):
    """What install and build made."""
    done = run("exec", root, *options, *SHOW)
    assert done.returncode == 0, done.stderr
    return tuple(done.stdout.split())


@pytest.mark.contract("P-25", "P-62")
def test_build_commands_run_after_install_on_all_sources(project, run):
    yaml = steps("install", "echo from install > /opt/env/word; find . -type f") + steps(
        "build", "cat /opt/env/word; find . -type f; id -un; pwd; cp data.txt made.txt", "echo more >> made.txt")
    root = project(files("", yaml, **{"data.txt": "data\n", "sub/deep.py": ""}))
    done = build(run, root)
    assert set(lines(done, "install")) >= {"./requirements.txt"}
    assert not {"./data.txt", "./wsgi.py"} & set(lines(done, "install"))
    said = lines(done, "build")
    assert {"./data.txt", "./sub/deep.py", "./wsgi.py", "./requirements.txt"} <= set(said)
    assert {"from install", "leanengine", "/home/leanengine/app"} <= set(said)
    assert run("exec", root, "--", "cat", "made.txt").stdout == "data\nmore\n"
    assert not (root / "made.txt").exists(), "a build never writes into the project"


@pytest.mark.contract("P-25")
def test_python_has_no_default_build_command(project, run):
    """{use: default} is warned and does nothing."""
    done = build(run, project(files("", "build: [{use: default}]\n")))
    assert re.search(r"warning: leanengine\.yaml:1:\d+: build", done.stdout), done.stdout
    assert not [text for text in lines(done, "build") if text.startswith("$ ")]


@pytest.mark.contract("P-63")
def test_the_first_changed_step_invalidates_the_later_ones(project, run):
    root = project(files("# one\n", BOTH, **{"data.txt": "1"}))
    first = made(run, root)
    assert made(run, root) == first, "unchanged: both are reused"
    (root / "data.txt").write_text("2")
    source = made(run, root)
    assert source[0] == first[0] and source[1] != first[1], "a source: build alone"
    (root / "requirements.txt").write_text("# two\n")
    manifest = made(run, root)
    assert manifest[0] != first[0] and manifest[1] != source[1], "a manifest: both"
    (root / "requirements.txt").write_text("# one\n")
    (root / "data.txt").write_text("1")
    assert made(run, root) == first, "back again: both are still there"
    fresh = made(run, root, "--no-cache")
    assert fresh[0] != first[0] and fresh[1] != first[1]
    assert made(run, root) == fresh, "what --no-cache made counts from then on"


@pytest.mark.contract("P-63")
@pytest.mark.parametrize("stage", ["install", "build"])
def test_a_changed_command_is_run(project, run, stage):
    root = project(files("", steps(stage, "echo one")))
    assert "one" in lines(build(run, root), stage)
    assert "one" not in lines(build(run, root), stage), "cached"
    (root / "leanengine.yaml").write_text(steps(stage, "echo two"))
    assert "two" in lines(build(run, root), stage)


@pytest.mark.contract("P-28", "P-63")
def test_exposed_variables_are_part_of_the_key(project, run):
    yaml = steps("install", "echo MINE=$MINE") + "exposeEnvironmentsOnBuild: true\n"
    root = project(files("", yaml, **{".env": "MINE=1\n"}))
    assert "MINE=1" in lines(build(run, root), "install")
    assert "MINE=1" not in lines(build(run, root), "install"), "cached, though each version has a tag of its own"
    (root / ".env").write_text("MINE=2\n")
    assert "MINE=2" in lines(build(run, root), "install")


@pytest.mark.contract("P-65")
def test_the_image_line_counts_what_is_new(project, run):
    def size(*options):
        text = [each for each in cloud(run("verify", root, *options)) if each.startswith("存储镜像到仓库")]
        return re.fullmatch(r"存储镜像到仓库（([\d.]+)([KMG]?B)）\.\.\.", text[0]).groups()
    root = project(files("", steps("build", "head -c 3000000 /dev/urandom > made.bin"), **{"a.txt": "x" * 500000}))
    number, unit = size("--no-cache")
    assert unit == "MB" and float(number) > 3.5, "layer, products and sources"
    assert size() == ("0", "B")
    (root / "a.txt").write_text("y" * 500000)
    number, unit = size()
    assert unit == "MB" and 3.4 < float(number) < 3.7, "the sources and what is built of them"


@pytest.mark.contract("P-68")
def test_a_build_command_that_fails(project, run):
    done = build(run, project(files("", steps("build", "echo why; exit 9", "echo never"))), code=1)
    assert lines(done, "failed")[0].startswith("build: echo why; exit 9: exit 9")
    assert "never" not in lines(done, "build")
    assert any("returned a non-zero code: 9:" in text for text in lines(done, "failed"))
