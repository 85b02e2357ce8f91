"""What a swap costs the clients: requests lost over many saves under a steady load, their latency with and without saves
in the same run, and how long an event stream outlives the version that it came from.

BENCH_RELOADS (1000), BENCH_RATE (200 a second), BENCH_INSTANCES (1)."""

import os
import re
import socket
import threading
import time

from helpers import http
from helpers.load import Load, percentile
from helpers.waiting import wait_for

RELOADS = int(os.environ.get("BENCH_RELOADS", "1000"))
RATE = int(os.environ.get("BENCH_RATE", "200"))
INSTANCES = os.environ.get("BENCH_INSTANCES", "1")
QUIET_S = int(os.environ.get("BENCH_QUIET", "30"))
EVENTS = """

@app.get("/events")
def events():
    import itertools, time
    def each():
        for number in itertools.count():
            yield "data: %d\\n\\n" % number
            time.sleep(0.1)
    return app.response_class(each(), mimetype="text/event-stream")
"""


def save(path, text):
    with open(path + ".new~", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(path + ".new~", path)


def row(name, load, since, lost_since):
    times, lost = load.times[since:], load.lost[lost_since:]
    print("%-22s %6d requests, %d lost; p50 %.1f ms, p99 %.1f, p99.9 %.1f, max %.1f; %d asked over 20 ms late" % (
        name, len(times), len(lost), *[1e3 * percentile(times, part) for part in (0.5, 0.99, 0.999, 1)], load.late))
    for each in lost[:5]:
        print("    lost: %s" % (each,))


def reload_all(place, up, path, template, load):
    """Each save as soon as the one before is served by every instance."""
    took = []
    for number in range(RELOADS):
        mark = "Hello, save %d" % number
        since, begun = up.position(), time.monotonic()
        save(path, template.replace("Hello", mark, 1))
        up.wait_line(r"^\S* *(ready|failed)\b", 60, since)
        took.append(time.monotonic() - begun)
    return took


def stream(place, up, path, template):
    """One swap while an event stream is read: how long it goes on, and whether an event is missing."""
    reader = socket.create_connection((place.address, place.port), timeout=60)
    reader.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
    got, ended = [], threading.Event()

    def read():
        text = b""
        while True:
            try:
                piece = reader.recv(65536)
            except OSError:
                piece = b""
            if not piece:
                break
            text += piece
            got[:] = [int(each) for each in re.findall(rb"data: (\d+)\n\n", text)]
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    wait_for(lambda: len(got) > 10, "events", 20)
    since = up.position()
    save(path, template.replace("Hello", "Hello after the swap", 1))
    up.wait_line(r"^\S* *ready\b", 60, since)
    swapped, before = time.monotonic(), len(got)
    body = http.ask(place.address, place.port).body
    assert b"after the swap" in body, body[:200]
    ended.wait(60)
    print("event stream: %.1f s after the swap, %d events then, %d before; none missing: %s" % (
        time.monotonic() - swapped, len(got) - before, before, got == list(range(len(got)))))


def bench_reloads(place):
    directory = place.copy_project(os.path.join(os.path.dirname(__file__), "..", "..", "samples", "flask"))
    path = os.path.join(directory, "app.py")
    with open(path, encoding="utf-8") as file:
        template = file.read() + EVENTS
    save(path, template)
    up = place.up(directory, "--instances", INSTANCES)
    up.wait_ready()
    print("%s instance(s), %d requests/s, %d saves" % (INSTANCES, RATE, RELOADS))
    load = Load(place.address, place.port, RATE)
    wait_for(lambda: len(load.times) > RATE, "the first second", 30)
    first, lost = len(load.times), len(load.lost)
    threading.Event().wait(QUIET_S)
    row("without saves", load, first, lost)
    first, lost, load.late = len(load.times), len(load.lost), 0
    took = reload_all(place, up, path, template, load)
    row("with saves", load, first, lost)
    load.finish()
    print("save -> all serve it: p50 %.0f ms, p99 %.0f, max %.0f" % tuple(
        1e3 * percentile(took, part) for part in (0.5, 0.99, 1)))
    status = place.run("status", directory).stdout
    print("the gateway's own count: %s" % re.search(r"requests +(.*)", status).group(1))
    stream(place, up, path, template)
    up.stop()
