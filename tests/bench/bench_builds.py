"""What a build costs: cold, cold with pip's downloads at hand, and cached, beside a virtual environment by hand.

The same requirements, the same Python, one after the other in turns, so that a busy machine is busy for all."""

import os
import re
import shutil
import statistics
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUNS = int(os.environ.get("BENCH_BUILDS", "5"))
SAMPLES = os.environ.get("BENCH_SAMPLES", "flask django").split()
LIMIT_S = 600


def timed(command, env):
    begun = time.monotonic()
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=LIMIT_S, check=False)
    if done.returncode != 0:
        raise AssertionError("%s: exit %d\n%s" % (" ".join(command), done.returncode, done.stdout[-2000:]))
    return time.monotonic() - begun, done.stdout


def interpreter(place, root):
    """That leanlocal took, so that the other way takes it too."""
    done = place.run("exec", root, "--", "sh", "-c", "readlink -f $(command -v python)")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def by_hand(place, root, python, number):
    """python -m venv + pip install, with a pip cache of its own that is filled like leanlocal's."""
    directory = os.path.join(place.root, "venv-%d" % number)
    env = {**place.env, "PIP_CACHE_DIR": os.path.join(place.root, "pip-by-hand")}
    made, _ = timed([python, "-m", "venv", directory], env)
    installed, _ = timed([os.path.join(directory, "bin", "pip"), "install", "--quiet",
                          "--disable-pip-version-check", "-r", os.path.join(root, "requirements.txt")], env)
    shutil.rmtree(directory)
    return made + installed


def figures(values):
    return "%6.2f s median, %.2f to %.2f, n=%d" % (statistics.median(values), min(values), max(values), len(values))


def bench_builds(place):
    for sample in SAMPLES:
        root = place.copy_project(os.path.join(ROOT, "samples", sample))
        place.env["XDG_CACHE_HOME"] = place.cache = place.directory("cache-" + sample)
        first, said = timed(place.command("build", root), place.env)
        python = interpreter(place, root)
        by_hand(place, root, python, 0)  # fills its pip cache
        rows = {"leanlocal build, cold (--no-cache)": [], "leanlocal build, cached": [],
                "python -m venv + pip install by hand": []}
        ours, cached, theirs = rows.values()
        for number in range(1, RUNS + 1):
            ours.append(timed(place.command("build", root, "--no-cache"), place.env)[0])
            cached.append(timed(place.command("build", root), place.env)[0])
            theirs.append(by_hand(place, root, python, number))
        version = re.search(r"python (\S+)", said)
        print("samples/%s, Python %s; the very first build, with downloads %.2f s" % (
            sample, version.group(1) if version else "?", first))
        for name, values in rows.items():
            print("  %-40s %s" % (name, figures(values)))
        print("  ratio of the medians, cold / by hand       %.2f" % (statistics.median(ours) / statistics.median(theirs)))
