"""One system call of an engine's start-up fails: each in turn, in the engine or in its sandboxes (tests/tools/engine_fault.c).

Either it starts and serves, since the call was not needed; or it says what failed and why, and ends or waits for the next
save. Never does it hang, die of a signal, or leave anything. All of them take a quarter of an hour: `./dev soak
faults [CALL]`; here the first of a few."""

import os
import re
import signal
import struct

import pytest

from helpers.environments import BUILD
from helpers.place import Place
from helpers.waiting import wait_for

# As in tests/tools/CMakeLists.txt: those that an engine with a built layer comes by.
CALLS = ("open socketpair socket bind listen pipe2 flock rename ftruncate send recv read write memfd_create fork mkdir fcntl "
         "fstat syscall epoll_create1 epoll_ctl sendmsg recvmsg sd_event_new sd_event_add_io mount "
         "signalfd execve prctl").split()
SAMPLE = "open flock listen write fork syscall mount sd_event_add_io".split()
EVERY = os.environ.get("LEANLOCAL_FAULTS") == "all"
LIMIT = 400  # calls of one name; far more than there are
WSGI = "def application(e, s):\n    s('200 OK', [])\n    return [b'hello']\n"
ENDED = r"(?m)^\S* *ready\b|\bfailed\b|\berror\b"


@pytest.fixture
def faulty(cache):
    program = os.path.join(BUILD, "tests", "tools", "leanlocal_fault")
    if not os.access(program, os.X_OK):
        pytest.fail("not built: " + program)
    made = Place(program, cache)
    yield made
    made.leave()


def start(place, root, fault):
    """fired, how it went"""
    counter = os.path.join(place.root, "counter")
    instance = place.up(root, env={"LEANLOCAL_FAULT": fault, "LEANLOCAL_FAULT_COUNTER": counter})
    wait_for(lambda: instance.process.poll() is not None or re.search(ENDED, instance.text), fault, 60,
             lambda: "%s\n%s" % (fault, instance.text))
    with open(counter, "rb") as file:
        return instance, bool(struct.unpack("ii", file.read(8))[1])


def answers(instance):
    """The fault may come to the very request; but it comes once. An engine that ends over it has not served."""
    for _ in range(3):
        try:
            if instance.http("/") == (200, b"hello"):
                return True
        except OSError:
            pass
    return False


def judge(instance, fault):
    """What came of it: "served", "refused", "ended"."""
    ready = re.search(r"(?m)^\S* *ready\b", instance.text)
    served = ready and answers(instance)
    if ready and not served:
        instance.wait_exit()
    outcome = "served" if served else "refused" if instance.process.poll() is None else "ended"
    if outcome != "ended":
        instance.process.send_signal(signal.SIGINT)
    code = instance.wait_exit()
    assert code >= 0 or code == -signal.SIGINT, "%s: ended by signal %d\n%s" % (fault, -code, instance.text)
    if outcome != "served":
        assert code != 0 or outcome == "refused", (fault, instance.text)
        assert re.search(r"\w.*: \w", instance.text), "%s: no reason\n%s" % (fault, instance.text)
    return outcome


@pytest.mark.parametrize("call", CALLS if EVERY else SAMPLE)
def test_a_failing_call(faulty, call):
    root = faulty.project({"wsgi.py": WSGI, "requirements.txt": ""})
    came = {}
    for nth in range(1, LIMIT):
        fault = "%s:%d:5" % (call, nth)  # EIO
        instance, fired = start(faulty, root, fault)
        outcome = judge(instance, fault)
        faulty.assert_nothing_left()
        if not fired:
            break
        came[nth] = outcome
        if not EVERY:
            break
    print(call, came)
    assert came, "%s: an engine does not come by it" % call
