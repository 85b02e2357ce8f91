"""What the cloud gives a build (P-66): 2 cores, 30 minutes of CPU time, 4 GB; the tests make the numbers smaller.
And a build that says nothing is not silent here."""

import os
import re

import pytest
from building import build, files, lines, steps

BURN = "python -c 'while 1: pass'"
# Each child is short, some leave their parent: the sum counts.
SPREAD = "while :; do setsid sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done'; done"
HOLD = "python -c 'x = bytearray(%d << 20); import time; time.sleep(60)'"


def limited(run, yaml, limits, project, code=1):
    return build(run, project(files("", yaml)), code=code, env={"LEANLOCAL_BUILD_LIMITS": limits})


@pytest.mark.contract("P-66")
@pytest.mark.parametrize("command", [BURN, SPREAD, "setsid %s & sleep 60" % BURN])
def test_cpu_time_has_an_end(project, run, command):
    done = limited(run, steps("install", command, "echo never"), "cpu-ms=1500", project)
    failed = "\n".join(lines(done, "failed"))
    assert "CPU time" in failed and "1.5 s" in failed and "rule   P-66" in failed, done.stdout
    assert "never" not in lines(done, "install")


@pytest.mark.contract("P-66")
def test_cpu_time_is_that_of_the_whole_build(project, run):
    """What install used is missing to the build commands."""
    burn = "python -c 'import time\nwhile time.process_time() < 1.6: pass'"
    yaml = steps("install", burn) + steps("build", burn)
    done = limited(run, yaml, "cpu-ms=3000", project)
    assert "rule   P-66" in done.stdout, done.stdout
    assert any(text.startswith("build: ") for text in lines(done, "failed"))


@pytest.mark.contract("P-66")
@pytest.mark.parametrize("command", [HOLD % 400, "%s & %s & %s" % ((HOLD % 150,) * 3)])
def test_memory_has_an_end(project, run, command):
    done = limited(run, steps("install", command), "memory-mb=300", project)
    failed = "\n".join(lines(done, "failed"))
    assert "300 MB" in failed and "rule   P-66" in failed, done.stdout
    assert "cloud  Out of memory" in failed


@pytest.mark.contract("P-66")
@pytest.mark.parametrize("limits, cpus", [("", min(2, len(os.sched_getaffinity(0)))), ("cpus=1", 1)])
def test_processors(project, run, limits, cpus):
    look = "python -c 'import os; print(\"cpus\", len(os.sched_getaffinity(0)))' # %s" % limits
    done = limited(run, steps("install", look) + steps("build", look), limits, project, code=0)
    assert "cpus %d" % cpus in lines(done, "install")
    assert "cpus %d" % cpus in lines(done, "build")


def test_silence_is_explained(project, run):
    yaml = steps("install", "sleep 2", "echo Building wheel for x; %s & sleep 1; kill $!" % BURN)
    root = project(files("", yaml))
    done = run("build", root, env={"LEANLOCAL_BUILD_LIMITS": "quiet-ms=500"})
    said = lines(done, "install")
    assert done.returncode == 0
    waits = [text for text in said if re.match(r"no output for \d+ s: it waits; 0\.\d s of CPU time", text)]
    builds = [text for text in said if ": pip builds a package from source; " in text]
    assert len(waits) >= 2 and builds, "told, and told again after the double: " + done.stdout
