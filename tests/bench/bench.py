"""What a save costs, beside Flask's own reloader in the same run; what a swap costs the clients; memory.

Machines are shared and noisy: trust the ratios. Each figure is printed with its number of samples."""

import glob
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from http.client import HTTPException

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))

from helpers import http  # noqa: E402
from helpers.census import command_line  # noqa: E402
from helpers.place import Place  # noqa: E402
from helpers.waiting import wait_for  # noqa: E402

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench_builds import bench_builds  # noqa: E402
from bench_gateway import bench_gateway  # noqa: E402
from bench_reloads import bench_reloads  # noqa: E402
from bench_sandbox import bench_sandbox  # noqa: E402

SAVES = int(os.environ.get("BENCH_SAVES", "20"))
POLL_S = 0.001
PAUSE_S = 1.2


def median_ms(values):
    return "%.0f ms median, %.0f to %.0f, n=%d" % (
        statistics.median(values) * 1e3, min(values) * 1e3, max(values) * 1e3, len(values))


def ask(address, port):
    try:
        return http.ask(address, port, limit_s=5)
    except (OSError, HTTPException):
        return None


def save_until_answered(path, template, address, port, number):
    """Seconds from the rename until the new text is answered."""
    word = "Hello, save %d" % number
    with open(path + ".new~", "w", encoding="utf-8") as file:
        file.write(template.replace("Hello", word, 1) if "Hello" in template else template)
    begun = time.monotonic()
    os.rename(path + ".new~", path)
    while True:
        answer = ask(address, port)
        if answer and word.encode() in answer.body:
            return time.monotonic() - begun
        if time.monotonic() - begun > 30:
            raise AssertionError("not answered in 30 s: %r" % (answer,))
        time.sleep(POLL_S)


def timed_saves(path, address, port):
    """One save at a time, with a pause between: Flask's reloader misses a save made while it restarts."""
    with open(path, encoding="utf-8") as file:
        template = file.read()
    times = []
    for number in range(SAVES):
        times.append(save_until_answered(path, template, address, port, number))
        threading.Event().wait(PAUSE_S)
    with open(path, "w", encoding="utf-8") as file:
        file.write(template)
    return times


def private_dirty_kb(pid):
    try:
        with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith("Private_Dirty"))
    except OSError:
        return 0


def our_memory(place):
    rows = {}
    for pid in place.census.look():
        with open("/proc/%d/comm" % pid, encoding="ascii") as file:
            name = file.read().strip()
        if name.startswith("leanlocal"):
            rows["%s %s" % (name, command_line(pid)[:40])] = private_dirty_kb(pid)
    return rows


def bench_flask(place):
    directory = place.copy_project(os.path.join(ROOT, "samples", "flask"))
    app = os.path.join(directory, "app.py")
    up = place.up(directory)
    up.wait_ready()
    ours = timed_saves(app, place.address, place.port)
    print("save -> new answer, samples/flask, leanlocal       %s" % median_ms(ours))
    memory = our_memory(place)
    print("private dirty memory of our processes              %d KB: %s" % (
        sum(memory.values()), ", ".join("%s %d" % row for row in sorted(memory.items()))))
    up.stop()
    peer(place, app, ours)


def peer(place, app, ours):
    layer = sorted(glob.glob(os.path.join(place.env["XDG_CACHE_HOME"], "leanlocal", "layers", "*",
                                          "bin", "flask")))
    if not layer:
        print("flask --reload: no layer with flask found")
        return
    python = os.path.join(os.path.dirname(layer[-1]), "python")
    command = [python, "-m", "flask", "--app", "app", "run", "--reload", "--no-debugger",
               "--host", place.address, "--port", "3001"]
    child = subprocess.Popen(command, cwd=os.path.dirname(app), stdin=subprocess.DEVNULL,
                             env={**place.env, "LEANCLOUD_APP_PORT": "3001"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             start_new_session=True)
    try:
        wait_for(lambda: ask(place.address, 3001), "flask run", 20)
        theirs = timed_saves(app, place.address, 3001)
        print("the same, flask run --reload                       %s" % median_ms(theirs))
        print("ratio of the medians                               %.2f" % (
            statistics.median(ours) / statistics.median(theirs)))
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait(5)


BENCHES = {"flask": bench_flask, "reloads": bench_reloads, "builds": bench_builds,
           "sandbox": bench_sandbox, "gateway": bench_gateway}


def chosen():
    """`./dev bench` all, `./dev bench builds` one; BENCH_FROM=1 leaves out the first ones."""
    names = sys.argv[1:] or list(BENCHES)[int(os.environ.get("BENCH_FROM", "0")):]
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        sys.exit("bench: no %s: %s" % (", ".join(unknown), ", ".join(BENCHES)))
    return [BENCHES[name] for name in names]


def main():
    program = os.environ.get("LEANLOCAL", os.path.join(ROOT, "build/release/leanlocal"))
    cache = os.environ.get("BENCH_CACHE", "/tmp/leanlocal-bench-cache")
    os.makedirs(cache, exist_ok=True)
    for bench in chosen():
        place = Place(program, cache)
        try:
            bench(place)
        finally:
            place.leave()


main()
