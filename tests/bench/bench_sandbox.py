"""What a sandbox costs besides exec, as root and as an ordinary user; what the broker costs per bind, accept and datagram."""

import os
import re
import shutil
import statistics
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STARTS = int(os.environ.get("BENCH_STARTS", "200"))
ROUNDS = 7
BUDGET_MS = 5
# Each figure is microseconds a call; the clients of accept() are there before the clock runs.
CALLS = """
import socket, time
def timed(count, call):
    begun = time.perf_counter()
    for _ in range(count): call()
    return (time.perf_counter() - begun) / count * 1e6
def bind():
    s = socket.socket(); s.bind(('127.0.0.1', 0)); s.close()
def plain():
    socket.socket().close()
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(500); held = []
def accept():
    held.append(s.accept()[0])
for _ in range(400):
    c = socket.socket(); c.connect(s.getsockname()); held.append(c)
d = socket.socket(type=socket.SOCK_DGRAM)
print(timed(2000, bind) - timed(2000, plain), timed(400, accept), timed(2000, lambda: d.sendto(b'x', ('127.0.0.1', 9))))
"""


def start(directory, drop, *arguments, deny=""):
    become = ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "--"] if drop else []
    return subprocess.run(become + [os.path.join(directory, "sandbox_run"), *arguments], check=True, text=True,
                          stdout=subprocess.PIPE, env={"PATH": "/usr/bin:/bin", "LEANLOCAL_SANDBOX_DENY": deny}).stdout


def starts(directory, drop, who):
    text = start(directory, drop, "--times", str(STARTS), "--", "/bin/true")
    figures = {name: int(value) / 1e3 for name, value in re.findall(r"(\w+)_us=(\d+)", text)}
    print("start of a sandbox, %-14s %.2f ms until exec, of which exec alone %.2f: %.2f ms besides (budget %d), n=%d"
          % (who, figures["started"], figures["plain"], figures["started"] - figures["plain"], BUDGET_MS, STARTS))
    print("    built and parked after %.2f ms, nine of ten started after %.2f ms; undisturbed %.2f ms besides" % (
        figures["parked"], figures["p90_started"], figures["min_started"] - figures["min_plain"]))


def calls(directory):
    for name, deny in (("with the broker", ""), ("without", "notify")):
        rounds = [[float(word) for word in start(directory, False, "--address", "127.77.252.1", "--", "/usr/bin/python3",
                                                 "-c", CALLS, deny=deny).split()] for _ in range(ROUNDS)]
        print("a bind, an accept, a datagram from Python, %-16s %s us, medians of %d" % (
            name, ", ".join("%.1f" % statistics.median(column) for column in zip(*rounds)), ROUNDS))


def bench_sandbox(place):
    # The release preset has no tests, so no tools.
    builds = (os.path.dirname(place.program), os.path.join(ROOT, "build", "dev"))
    tools = next((path for path in (os.path.join(build, "tests", "tools") for build in builds)
                  if os.path.exists(os.path.join(path, "sandbox_run"))), None)
    if not tools:
        print("sandbox: build the tests' tools first: ./dev build dev")
        return
    directory = tempfile.mkdtemp(prefix="leanlocal-bench-")
    try:
        os.chmod(directory, 0o755)
        shutil.copy(os.path.join(tools, "sandbox_run"), directory)
        if os.geteuid() == 0:
            starts(directory, False, "root")
        starts(directory, os.geteuid() == 0, "ordinary user")
        calls(directory)
    finally:
        shutil.rmtree(directory)
