"""Waiting for a condition, never for a time."""

import time

STEP_S = 0.02


def wait_for(condition, what, limit_s=10, show=None):
    """The first true value of condition(); fails after limit_s, printing what show() returns."""
    end = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            shown = show() if show else ""
            raise AssertionError("waited %g s for %s\n%s" % (limit_s, what, shown))
        time.sleep(STEP_S)
