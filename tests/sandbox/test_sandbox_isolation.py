"""What the app must not be able to do or see. Each test tries it from inside."""

import os
import shutil
import socket
import subprocess

import pytest

from helpers.environments import NAMESPACED

from boxes import APP_UID, ORDINARY_UID, children, end, wait_for


def test_probe_says_what_is_there(box):
    probe = box.probe()
    assert probe["level"] in ("full", "container", "none")
    missing = [name for name, feature in probe.items()
               if isinstance(feature, dict) and not feature["works"]]
    for name in missing:
        assert probe[name]["reason"], "a missing feature needs a reason"
    if box.leg in NAMESPACED:
        assert not missing and probe["level"] == "full"
        assert probe["maps_ids"] == (box.leg == "root")
    else:
        assert probe["level"] == "none" and probe["notify"]["works"]
        assert ("user-namespace" in missing) == (box.leg == "container")


def test_identity(full):
    result = full.shell("id -u; id -g; id -un; id -G; hostname; pwd; echo $HOME; stat -c %U . ..")
    assert result.stdout.split("\n") == ["1000", "1000", "leanengine", "1000", "web1",
                                         "/home/leanengine/app", "/home/leanengine", "leanengine",
                                         "leanengine", ""], result


def test_never_real_root_outside(full):
    process = full.start("/bin/sleep", "60")
    full.wait_event("started")
    init = children(process.pid)[0]
    command = wait_for(lambda: children(init), "the command")[0]
    with open("/proc/%d/status" % command) as file:
        uids = [line.split()[1:] for line in file if line.startswith("Uid:")][0]
    assert set(uids) == {str(full.host_uid)} and full.host_uid != 0
    process.terminate()
    process.communicate(timeout=10)


@pytest.mark.environments("root")
def test_root_without_unprivileged_user_is_refused(box):
    result = box.run("/bin/true", options=["--host-uid", "0"])
    assert result.returncode == 125 and "must not run as root" in result.stderr


def test_no_capabilities(full):
    status = full.shell("cat /proc/self/status").stdout
    rows = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(rows[name], 16) == 0, name
    assert rows["NoNewPrivs"] == "1" and rows["Seccomp"] == "2"


@pytest.mark.parametrize("path", ["/x", "/usr/x", "/etc/x", "/dev/x", "/home/x", "/usr/bin/env",
                                  "/etc/passwd", "/etc/hosts", "/proc/sys/kernel/hostname"])
def test_cannot_write(full, path):
    result = full.shell("echo broken >> %s" % path)
    assert result.returncode != 0
    assert "Read-only file system" in result.stderr or "Permission denied" in result.stderr


def test_writable_are_home_and_tmp(full):
    result = full.shell("touch ~/a ~/app/b /tmp/c /dev/shm/d && stat -c '%a %U' /tmp /dev/shm")
    assert result.returncode == 0, result
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["1777", "1777"]


def test_sees_nothing_of_the_host(full):
    listing = full.shell("ls /; ls /home; ls -d /root /var /run /mnt /opt /.host /.writable").stdout
    assert "root" not in listing and ".host" not in listing and ".writable" not in listing
    names = listing.split()
    assert names.count("leanengine") == 1
    assert set(names) <= {"bin", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "proc",
                          "sbin", "tmp", "usr", "leanengine"}
    assert full.shell("cat /etc/shadow").returncode != 0


def test_sees_no_process_of_the_host(full):
    result = full.shell("ls /proc | grep -c '^[0-9]*$'; tr '\\0' ' ' </proc/1/cmdline")
    count, init = result.stdout.split("\n")[:2]
    assert int(count) <= 5
    assert init.split() == ["leanlocal-init"], "init shows our command line"


@pytest.mark.parametrize("number", ["KILL", "TERM", "STOP", "CHLD", "USR1"])
def test_cannot_end_init(full, number):
    result = full.shell("kill -%s 1 2>/dev/null; echo alive; exit 7" % number)
    assert result.stdout == "alive\n" and result.returncode == 7


ATTACKS = [
    ("io-uring", "ENOSYS"), ("unshare-user", "EPERM"), ("unshare-mount", "EPERM"),
    ("clone-user", "EPERM"), ("clone3", "ENOSYS"), ("x32", "ENOSYS"), ("int80", "ENOSYS"),
    ("keyctl", "EPERM"), ("mount", "EPERM"), ("remount", "EPERM"), ("umount", "EPERM"),
    ("chroot", "EPERM"), ("ptrace-init", "EPERM"), ("init-memory", "EACCES"),
    ("init-environment", "EACCES"), ("init-root", "EACCES"),
    ("ptrace-child", "ok"),  # debuggers work
    ("ptrace-all", "ESRCH"), ("kill-all", "ESRCH"), ("init-vm", "EPERM"), ("init-descriptor", "EPERM"),
    ("init-descriptors", "EACCES"), ("setns", "EACCES"), ("pivot", "EPERM"), ("open-tree", "EPERM"), ("fsopen", "EPERM"),
    ("bind-parent", "EPERM"), ("remount-root", "EPERM"), ("open-by-handle", "EPERM"), ("mknod", "EPERM"),
    ("raw-socket", "EPERM"), ("packet-socket", "EPERM"), ("bpf", "EPERM"), ("capset", "EPERM"), ("ambient", "EPERM"),
    ("no-filter", "EINVAL"), ("swap", "EPERM"), ("reboot", "EPERM"), ("hostname", "EPERM"), ("priority", "EACCES"),
]


@pytest.mark.parametrize("name,expected", ATTACKS)
def test_attack(full, name, expected):
    assert full.attack(name) == expected


def test_cannot_become_root(full):
    assert full.attack("setuid") in ("EPERM", "EINVAL")


@pytest.mark.parametrize("name", ["sysctl", "sysrq", "kcore"])
def test_switches_of_the_kernel_are_closed(full, name):
    assert full.attack(name) in ("EROFS", "EACCES") + (() if name == "sysctl" else ("ENOENT", "EPERM"))


def test_a_root_file_with_the_bit_gives_nothing(full):
    """Bound in, nosuid; and no new privileges besides."""
    full.write("set-uid", "")
    shutil.copy(full.path("sandbox_attack"), full.path("set-uid"))
    os.chmod(full.path("set-uid"), 0o4755)
    result = full.run("/set-uid", "euid", options=["--bind", full.path("set-uid") + ":/set-uid"])
    assert result.stdout == "1000 ok\n", result


@pytest.mark.contract("P-130", "P-135")
def test_no_way_leads_to_a_file_of_the_host(full):
    """By its own name, by links that the project carries or the app makes, by `..`, by what /proc holds of init."""
    secret = full.write("home/alice/secret", "secret\n", 0o644)
    full.write("version/app.py", "")
    os.symlink(secret, full.path("version/absolute"))
    os.symlink("/", full.path("version/root"))
    os.symlink("../" * 20 + secret[1:], full.path("version/up"))
    full.give(full.path("version"))
    script = """
ln -s %(secret)s made; cd /tmp; ln -s / root
for way in '' ~/app/root ~/app/../../../../.. /tmp/root /.host /proc/1/root /proc/1/cwd /proc/self/root/.. /proc/self/cwd/../.. \
    /proc/1/fd/0/.. /proc/1/task/1/root; do cat $way%(secret)s; echo broken >> $way%(secret)s; done
for way in absolute up made; do cat ~/app/$way; echo broken >> ~/app/$way; done
cat ~/app/app.py && echo asked
""" % {"secret": secret}
    result = full.shell(script, options=["--lower", full.path("version")])
    assert result.stdout == "asked\n", result
    with open(secret) as file:
        assert file.read() == "secret\n"


@pytest.mark.parametrize("target", ["/home/leanengine/../../.host/tmp/x", "/.host/tmp/x", "/.writable/x", "/opt/./x", "opt/x",
                                    "/opt/.."])
@pytest.mark.parametrize("option", ["--bind", "--file", "--symlink"])
@pytest.mark.environments("root")
def test_nothing_is_put_where_a_path_turns_back(full, option, target):
    value = full.path() + ":" + target if option == "--bind" else target + "=x"
    result = full.run("/bin/true", options=[option, value])
    assert result.returncode == 125 and target in result.stderr, result


@pytest.mark.environments("root", "user")
def test_a_link_in_the_version_leads_no_hand_of_ours_to_the_host(box):
    """Without namespaces its files are put beside it as who the app is."""
    os.makedirs(box.path("outside"))
    box.write("version/app.py", "")
    os.symlink(box.path("outside"), box.path("version/link"))
    box.give(box.path("version"))
    box.run("/bin/true", deny="mount", options=["--lower", box.path("version"),
                                                "--file", "/home/leanengine/app/link/planted=x"])
    assert os.geteuid() != 0 or os.listdir(box.path("outside")) == []


def test_no_process_of_the_host_can_be_signalled(full):
    """Of the same user outside, by its number there."""
    become = ["setpriv", "--reuid", str(full.host_uid), "--clear-groups"] if os.geteuid() == 0 else []
    victim = subprocess.Popen(become + ["sleep", "60"])
    try:
        result = full.shell("kill -9 %d; kill -9 -1; ls /proc/%d; echo tried" % (victim.pid, victim.pid))
        assert "tried" in result.stdout and victim.poll() is None, result
    finally:
        victim.kill()
        victim.wait()


def test_sockets_of_the_host_by_their_path(full):
    """As a container engine's would be: it is not there."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(full.path("engine.sock"))
        os.chmod(full.path("engine.sock"), 0o777)
        listener.listen()
        result = full.python("import socket; print(socket.socket(socket.AF_UNIX).connect_ex(%r))" % full.path("engine.sock"))
    assert result.stdout == "2\n", result  # ENOENT


@pytest.mark.contract("P-133")
def test_instances_share_no_memory(full):
    """System V's segments, /dev/shm, and the semaphores in it."""
    options = ["--bind", full.path("sandbox_attack") + ":/attack"]
    first = full.start("/bin/sh", "-c", "echo x > /dev/shm/leanlocal-shared; exec /attack share", options=options)
    assert first.stdout.readline() == "up\n"
    second = subprocess.run(full.command(*options) + ["--", "/bin/sh", "-c", "/attack shared; ls /dev/shm"],
                            capture_output=True, text=True, timeout=10)
    end(first)
    assert second.stdout == "ENOENT\n", second


@pytest.mark.parametrize("name,expected", [("io-uring", "ENOSYS"), ("unshare-user", "EPERM"),
                                           ("clone3", "ENOSYS")])
def test_filter_holds_without_namespaces(box, name, expected):
    directory = box.path("sandbox_attack")
    result = box.run(directory, name, deny="mount")
    assert result.stdout.strip() == expected, result


def test_user_namespaces_are_off_even_without_the_filter(full):
    assert full.shell("cat /proc/sys/user/max_user_namespaces").stdout == "0\n"


def test_setuid_programs_give_nothing(full):
    assert full.shell("su -c id root </dev/null").returncode != 0


def test_abstract_sockets_of_the_host(full):
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind("\0leanlocal-test-abstract")
        listener.listen()
        # Root's process and an ordinary user's alike: refused by Landlock where the kernel has it (6.12).
        release = tuple(int(part) for part in os.uname().release.split(".")[:2])
        expected = "EPERM" if release >= (6, 12) else "ok"
        assert full.attack("abstract") == expected
    finally:
        listener.close()


def test_writable_limit(full):
    script = ("dd if=/dev/zero of=$HOME/a bs=1M count=3 2>/dev/null && echo first; "
              "dd if=/dev/zero of=/tmp/b bs=1M count=3; echo second $?")
    result = full.shell(script, options=["--writable", str(4 << 20)])
    assert "first" in result.stdout and "second 1" in result.stdout, "home and /tmp share one limit"
    assert "No space left" in result.stderr or "quota" in result.stderr


def test_shm_limit(full):
    result = full.shell("dd if=/dev/zero of=/dev/shm/a bs=1M count=80")
    assert result.returncode != 0 and "No space left" in result.stderr


def test_shared_memory_and_semaphores_work(full):
    assert full.python("import multiprocessing as m; m.Lock(); p = m.Pool(2); "
                       "print(p.map(abs, [-1, -2]))").stdout == "[1, 2]\n"


@pytest.mark.parametrize("deny", ["", "mount", "notify"])
def test_only_three_descriptors(box, deny):
    with open("/dev/null") as extra:
        os.set_inheritable(extra.fileno(), True)
        options = ["--bind", box.path("sandbox_attack") + ":/attack"]
        mounts = deny != "mount" and box.leg in NAMESPACED
        program = "/attack" if mounts else box.path("sandbox_attack")
        process = box.start(program, "descriptors", deny=deny, options=options,
                            pass_fds=[extra.fileno()])
        out, err = process.communicate(timeout=10)
    assert out.split() == ["0", "1", "2", "ok"], (out, err)


@pytest.mark.parametrize("deny", ["", "mount", "notify"])
def test_init_holds_nothing_of_ours(box, deny):
    """Else a pipe would not end as long as the app lives. /dev/null three times, the line to us, signals, the broker."""
    with open("/etc/passwd") as extra:
        process = box.start("/bin/sleep", "60", deny=deny, options=["--address", "127.77.251.1"], pass_fds=[extra.fileno()])
        box.wait_event("started")
        folder = "/proc/%d/fd" % children(process.pid)[0]
        links = sorted(os.path.basename(os.readlink(os.path.join(folder, fd)).split(":")[0]) for fd in os.listdir(folder))
    end(process)
    broker = [] if deny == "notify" else ["anon_inode"]
    assert links == ["anon_inode"] + broker + ["null"] * 3 + ["socket"], links


def test_signal_state_is_clean(full):
    status = full.run("/bin/cat", "/proc/self/status").stdout
    rows = [line for line in status.splitlines() if line.startswith(("SigBlk", "SigIgn", "SigCgt"))]
    assert [int(line.split()[1], 16) for line in rows] == [0, 0, 0]


def test_starts_fresh(full):
    assert full.shell("touch ~/left /tmp/left").returncode == 0
    assert full.shell("ls ~ /tmp").stdout == "/home/leanengine:\napp\n\n/tmp:\n"


def test_names_resolve_and_tls_roots_are_there(full):
    assert full.shell("getent hosts localhost").stdout.split()[-1:] == ["localhost"]
    if os.path.exists("/etc/ssl/certs/ca-certificates.crt"):
        assert full.shell("test -s /etc/ssl/certs/ca-certificates.crt").returncode == 0


def test_no_socket_of_a_container_engine(full):
    assert full.shell("ls /var/run/docker.sock /run/docker.sock").returncode != 0


@pytest.mark.contract("P-133")
def test_other_instances_files(full):
    first = full.start("/bin/sh", "-c", "echo secret > /tmp/secret; echo up; sleep 60")
    assert first.stdout.readline() == "up\n"
    second = subprocess.run(full.command() + ["--", "/bin/sh", "-c", "cat /tmp/secret /proc/*/root/tmp/secret"],
                            capture_output=True, text=True, timeout=10)
    assert "secret" not in second.stdout
    first.terminate()
    first.communicate(timeout=10)


def test_uids_differ():
    assert APP_UID not in (0, ORDINARY_UID)
