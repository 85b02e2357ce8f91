"""One system call of a start-up fails: each in turn, in whichever process it comes (tests/tools/sandbox_fault.c).

Either the start ends with an error that names the step, or the call was not needed; then the app must find each
promise kept, to the letter. Nothing is left in either case: the census of boxes.py (processes, mounts), and the
descriptors of the sandbox's parent."""

import errno
import os
import re
import shutil

import pytest

from boxes import BUILD

# As in tests/tools/CMakeLists.txt.
CALLS = ("mount umount2 mkdir rmdir symlink chdir chmod fchmod lchown sethostname fork setgroups setresgid setresuid "
         "setsid socketpair epoll_create1 epoll_ctl memfd_create signalfd write sendmsg recvmsg dup2 dup3 fstat execve "
         "syscall prctl fcntl open").split()
TALK = ("sendmsg", "recvmsg")  # the line on which errors are told: without it an end must do
LIMIT = 400  # calls of one name; far more than there are

pytestmark = pytest.mark.environments("root", "user", "nested")


@pytest.fixture(params=["", "mount"])
def deny(request):
    return request.param


@pytest.fixture
def start(box, deny):
    """start("mount:3:5") -> returncode, stdout, message, fired, descriptors of the parent"""
    shutil.copy(os.path.join(BUILD, "tests", "tools", "sandbox_fault"), box.directory)
    box.driver = box.path("sandbox_fault")
    box.write("version/app.py", "new\n")
    box.give(box.path("version"))
    program = box.path("sandbox_attack") if deny else "/attack"
    options = ["--address", "127.77.250.1", "--lower", box.path("version"),
               "--bind", box.path("sandbox_attack") + ":/attack"]
    name, _, value = box.mark.partition("=")

    def run(fault):
        os.environ.update({"LEANLOCAL_FAULT": fault, name: value})  # inits carry it too, for the census
        try:
            result = box.run(program, "promises", deny=deny, options=options)
        finally:
            del os.environ["LEANLOCAL_FAULT"], os.environ[name]
        told = re.search(r"fault: fired=(\d) fds=(\d+)\n", result.stderr)
        assert told, result
        message = result.stderr.replace(told.group(0), "")
        return result.returncode, result.stdout, message, told.group(1) == "1", int(told.group(2))
    return run


def judge(box, call, fault, code, message):
    """A start that failed: is the step named?"""
    failed = box.events("failed")
    if code == 125:
        said = failed[0]["message"] if failed else message.replace("sandbox_run: ", "")
        assert re.search(r"\w.*: \w", said), (fault, message)
    else:
        assert code == 124 and call in TALK, (fault, code, message)
        assert box.events()[-1]["event"] == "exited", fault


# Only what is called by number is new enough to have an older way.
@pytest.mark.parametrize("call,number", [(call, errno.EIO) for call in CALLS] + [("syscall", errno.ENOSYS)])
def test_a_failing_call(box, start, call, number):
    code, promises, message, fired, descriptors = start("none:1:5")
    assert code == 0 and not fired, message
    for nth in range(1, LIMIT):
        fault = "%s:%d:%d" % (call, nth, number)
        code, found, message, fired, left = start(fault)
        if not fired:
            break
        assert left == descriptors, "%s leaves descriptors: %d, not %d" % (fault, left, descriptors)
        if code == 0:
            assert found == promises, "%s went unnoticed" % fault
        else:
            judge(box, call, fault, code, message)
    assert nth < LIMIT - 1


def test_each_call_is_reached(box, start, deny):
    """Else its row would be no test. Without mounts, or ids to change, some are not needed."""
    reached = {call for call in CALLS if start(call + ":1:5")[3]}
    spared = {"mount", "umount2", "rmdir", "sethostname", "symlink", "chmod"} if deny else set()
    spared |= {"setgroups", "setresgid", "setresuid", "lchown"} if box.leg != "root" else set()
    assert set(CALLS) - reached <= spared, set(CALLS) - reached - spared
