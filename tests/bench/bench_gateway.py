"""Our gateway beside nginx, both in front of the same instance in the same run: requests a second, what they add to the
median, and processor time a request, which other work on the machine disturbs least; then the engine's memory while
100 MB go through it to somebody slow, and what an idle connection costs."""

import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import threading
import time

from helpers.place import new_address
from helpers.waiting import wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
SECONDS = 1.0
CONNECTIONS = 32
IDLE = 2000
MB = 1 << 20
TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")

NGINX = """
daemon off; worker_processes 1; pid %(dir)s/nginx.pid; error_log %(dir)s/error.log;
events { worker_connections 4096; }
http {
    access_log off; keepalive_requests 1000000000;
    client_body_temp_path %(dir)s/t1; proxy_temp_path %(dir)s/t2; fastcgi_temp_path %(dir)s/t3;
    uwsgi_temp_path %(dir)s/t4; scgi_temp_path %(dir)s/t5;
    upstream app { server %(app)s; keepalive 64; keepalive_requests 1000000000; }
    server {
        listen %(address)s:8080;
        location / {
            proxy_pass http://app; proxy_http_version 1.1;
            proxy_set_header Connection ""; proxy_set_header Host $host;
            proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header Forwarded "for=$remote_addr;proto=$scheme";
        }
    }
}
"""

# Takes 100 MB slowly, or gives them as fast as they are taken.
SLOW = '''
import socket, threading, time
def talk(c):
    head = b""
    while b"\\r\\n\\r\\n" not in head:
        piece = c.recv(1)
        if not piece:
            return c.close()
        head += piece
    if b"/flood" in head:
        c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 104857600\\r\\n\\r\\n")
        for _ in range(1600):
            c.sendall(b"x" * 65536)
    elif b"/sink" in head:
        left = 104857600
        while left:
            left -= len(c.recv(min(left, 65536)))
            time.sleep(0.001)
        c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    else:
        c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    c.close()
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
s.bind(("0.0.0.0", 3000))
s.listen(100)
while True:
    threading.Thread(target=talk, args=(s.accept()[0],), daemon=True).start()
'''


def tool(place):
    builds = (os.path.dirname(place.program), os.path.join(ROOT, "build", "dev"))
    return next((path for path in (os.path.join(build, "tests", "tools", "http_load") for build in builds)
                 if os.path.exists(path)), None)


def project(place, name, files):
    directory = place.directory(name)
    for each, text in dict({"wsgi.py": "", "requirements.txt": ""}, **files).items():
        with open(os.path.join(directory, each), "w", encoding="utf-8") as file:
            file.write(text)
    return directory


# ---- speed ----

class Target:
    def __init__(self, name, address, port, pids):
        self.name, self.address, self.port, self.pids = name, address, port, pids
        self.rates, self.medians, self.costs = [], [], []

    def cpu_us(self):
        total = 0
        for pid in self.pids:
            with open("/proc/%d/stat" % pid, encoding="ascii") as file:
                fields = file.read().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total * TICK_US

    def ask(self, load, connections):
        said = subprocess.run([load, "ask", self.address, str(self.port), str(connections), str(SECONDS), "/100"],
                              check=True, text=True, stdout=subprocess.PIPE).stdout
        figures = {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", said)}
        assert figures["errors"] == 0, "%s: %s" % (self.name, said)
        return figures

    def measure(self, load):
        before = self.cpu_us()
        figures = self.ask(load, CONNECTIONS)
        self.costs.append((self.cpu_us() - before) / figures["requests"])
        self.rates.append(figures["requests"] / figures["seconds"])
        self.medians.append(self.ask(load, 1)["p50_us"])


def start_nginx(place, app):
    address, directory = new_address(), place.directory("nginx")
    path = os.path.join(directory, "nginx.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(NGINX % {"dir": directory, "app": app, "address": address})
    child = subprocess.Popen([shutil.which("nginx", path="/usr/sbin:/usr/bin"), "-c", path], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    wait_for(lambda: socket.socket().connect_ex((address, 8080)) == 0, "nginx", 10)
    with open("/proc/%d/task/%d/children" % (child.pid, child.pid), encoding="ascii") as file:
        return child, Target("nginx", address, 8080, [int(pid) for pid in file.read().split()])


def print_targets(direct, ours, nginx):
    for each in (direct, ours, nginx):
        print("%-28s %7.0f requests/s of %d clients, %5.1f us processor a request; one client: median %.0f us" % (
            each.name, statistics.median(each.rates), CONNECTIONS, statistics.median(each.costs),
            statistics.median(each.medians)))
    print("ratio to nginx               %.2f requests/s (goal 0.8), pairwise %.2f to %.2f; %.2f of its processor time" % (
        statistics.median(ours.rates) / statistics.median(nginx.rates),
        min(a / b for a, b in zip(ours.rates, nginx.rates)), max(a / b for a, b in zip(ours.rates, nginx.rates)),
        statistics.median(ours.costs) / statistics.median(nginx.costs)))
    for each in (ours, nginx):
        print("added at the median, %-7s %.3f ms (goal 0.1), n=%d rounds" % (
            each.name.split()[0], (statistics.median(each.medians) - statistics.median(direct.medians)) / 1e3, ROUNDS))


def bench_speed(place, load):
    directory = project(place, "fast", {"leanengine.yaml": "run: ./http_load serve 0.0.0.0 3000\n"})
    shutil.copy(load, directory)
    up = place.up(directory, "--keep-modes")
    up.wait_ready()
    address, port = up.wait_line(r"listening (127\S+) (\d+)").groups()
    child, nginx = start_nginx(place, "%s:%s" % (address, port))
    try:
        direct = Target("the instance itself", address, int(port), [])
        ours = Target("leanlocal", place.address, place.port, [up.engine_pid()])
        for _ in range(ROUNDS):
            for each in (direct, ours, nginx):
                each.measure(load)
        print_targets(direct, ours, nginx)
    finally:
        os.killpg(child.pid, signal.SIGTERM)
        child.wait(10)
        up.stop()


# ---- memory ----

def pss_kb(pid):
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))


class Peak(threading.Thread):
    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.before, self.peak, self.over = pid, pss_kb(pid), 0, threading.Event()

    def run(self):
        while not self.over.wait(0.02):
            self.peak = max(self.peak, pss_kb(self.pid))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def connect(place):
    client = socket.create_connection((place.address, place.port), timeout=120)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    return client


def upload(place):
    with connect(place) as client:
        client.sendall(b"PUT /sink HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (100 * MB))
        for _ in range(100):
            client.sendall(b"x" * MB)
        assert client.recv(100).startswith(b"HTTP/1.1 200")


def download(place):
    with connect(place) as client:
        client.sendall(b"GET /flood HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        total = 0
        while piece := client.recv(65536):
            total += len(piece)
            time.sleep(0.001)
        assert total > 100 * MB, total


def bench_memory(place):
    up = place.up(project(place, "slow", {"leanengine.yaml": "run: python app.py\n", "app.py": SLOW}))
    up.wait_ready()
    up.http("/")
    pid = up.engine_pid()
    for what, transfer in (("100 MB up, the app reads slowly", upload), ("100 MB down, the client does", download)):
        with Peak(pid) as peak:
            begun = time.monotonic()
            transfer(place)
        print("%-33s %.1f s: engine's Pss %d KB before, %d at most" % (
            what, time.monotonic() - begun, peak.before, peak.peak))
    before = pss_kb(pid)
    idle = []
    for _ in range(IDLE):
        idle.append(connect(place))
    wait_for(lambda: up.http("/").status == 200, "an answer", 30)
    print("%d idle connections               %.2f KB each of the engine's Pss (goal 2)" % (
        IDLE, (pss_kb(pid) - before) / IDLE))
    for each in idle:
        each.close()
    up.stop()


def bench_gateway(place):
    load = tool(place)
    if not load:
        print("gateway: build the tests' tools first: ./dev build dev")
    elif not shutil.which("nginx", path="/usr/sbin:/usr/bin"):
        print("gateway: no nginx to compare with")
    else:
        bench_speed(place, load)
    bench_memory(place)
