"""Requests at a fixed rate, whatever the answers take: what many browsers do.

Each latency is counted from the moment when the request was due, so that a stall is seen by all that came into it."""

import threading
import time
from http.client import HTTPException

from helpers import http


class Load:
    def __init__(self, address, port, rate, workers=8, path="/"):
        self.address, self.port, self.rate, self.path = address, port, rate, path
        self.times, self.lost, self.late = [], [], 0  # seconds; (seconds, what); asked behind time
        self.begun = time.monotonic()
        self.next, self.lock, self.ending = 0, threading.Lock(), threading.Event()
        self.workers = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]
        for worker in self.workers:
            worker.start()

    def _take(self):
        """When the next request is due."""
        with self.lock:
            self.next += 1
            return self.begun + self.next / self.rate

    def _work(self):
        client = http.Client(self.address, self.port)
        while not self.ending.is_set():
            due = self._take()
            if self.ending.wait(max(0, due - time.monotonic())):
                break
            self.late += time.monotonic() - due > 0.02
            try:
                answer = client.ask(self.path)
                if answer.status != 200:
                    self.lost.append((due - self.begun, answer.status, answer.body[:200]))
            except (OSError, HTTPException) as error:
                self.lost.append((due - self.begun, 0, repr(error)))
                client = http.Client(self.address, self.port)
            self.times.append(time.monotonic() - due)
        client.close()

    def finish(self):
        self.ending.set()
        for worker in self.workers:
            worker.join(30)
        return self


def percentile(values, part):
    """Of 0.99: what 99 of 100 do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
