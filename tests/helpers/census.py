"""Who is there: processes, mounts, control groups and sockets that a test may have left on the host.

A process belongs to a test when its environment carries the test's mark, when an ancestor of it does (the app's
own environment is clean by design), or when its mount table names a directory of the test."""

import os
import socket
import struct


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _stat(pid):
    """(parent, state, start time), or None: the fields after the name, which may hold anything."""
    fields = _read("/proc/%d/stat" % pid).rpartition(b")")[2].split()
    return (int(fields[1]), fields[0].decode(), int(fields[19])) if len(fields) > 19 else None


def parent(pid):
    found = _stat(pid)
    return found[0] if found else None


def children(pid):
    return [other for other in _pids() if parent(other) == pid]


def alive(pid, start=None):
    found = _stat(pid)
    return bool(found) and found[1] != "Z" and (start is None or found[2] == start)


def arguments(pid):
    return _read("/proc/%d/cmdline" % pid).decode("utf-8", "replace").split("\0")[:-1]


def command_line(pid):
    return " ".join(arguments(pid))


def name(pid):
    return _read("/proc/%d/comm" % pid).decode("utf-8", "replace").strip()


def _sockets(pid):
    """Inodes of the sockets that a process holds."""
    found = set()
    try:
        for name in os.listdir("/proc/%d/fd" % pid):
            target = os.readlink("/proc/%d/fd/%s" % (pid, name))
            if target.startswith("socket:["):
                found.add(target[8:-1])
    except OSError:
        pass
    return found


def connections(pid, prefix):
    """Remote addresses of a process' established IPv4 connections that begin with prefix."""
    held, found = _sockets(pid), []
    for line in _read("/proc/%d/net/tcp" % pid).decode().splitlines()[1:]:
        fields = line.split()
        remote = socket.inet_ntoa(bytes.fromhex(fields[2].split(":")[0])[::-1])
        if fields[3] == "01" and fields[9] in held and remote.startswith(prefix):
            found.append(remote)
    return found


def _address(text):
    """"0100007F:0BB8" as /proc/net has it -> ("127.0.0.1", 3000)"""
    raw, port = text.split(":")
    words = struct.pack("=%dI" % (len(raw) // 8), *(int(raw[i:i + 8], 16) for i in range(0, len(raw), 8)))
    return socket.inet_ntop(socket.AF_INET if len(words) == 4 else socket.AF_INET6, words), int(port, 16)


def listeners(pids):
    """(address, port) of every TCP listener and UDP socket of these processes, as the host sees it."""
    held = set().union(*(_sockets(pid) for pid in pids))
    found = set()
    for name in ("tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6"):
        for line in _read("/proc/net/" + name).decode().splitlines()[1:]:
            fields = line.split()
            if fields[9] in held and (fields[3] == "0A" or not name.startswith("tcp")):
                found.add(_address(fields[1]))
    return found


def is_exposed(address):
    """Reachable from other machines."""
    return not address.startswith(("127.", "::ffff:127.")) and address != "::1"


def _group_places():
    """Where this process's own control groups are: below them programs make theirs."""
    found = []
    mounts = [line.split() for line in _read("/proc/self/mountinfo").decode("utf-8", "replace").splitlines()]
    for line in _read("/proc/self/cgroup").decode("utf-8", "replace").splitlines():
        _, names, path = line.split(":", 2)
        for fields in mounts:
            kind, options = fields[fields.index("-") + 1], fields[-1].split(",")
            if kind == ("cgroup" if names else "cgroup2") and (not names or set(names.split(",")) & set(options)):
                found.append(fields[4] + path.rstrip("/"))
    return found


def groups(pids):
    """Directories of control groups that engines with these pids have made."""
    found = []
    for place in _group_places():
        names = os.listdir(place) if os.path.isdir(place) else []
        found += [os.path.join(place, name) for name in names
                  if name.startswith("leanlocal-") and name.split("-")[1] in map(str, pids)]
    return sorted(found)


class Census:
    """All processes that a test started, now and at earlier looks."""

    def __init__(self, mark, directory):
        self.mark = mark.encode()
        self.directory = directory.encode()
        self.seen = {}  # (pid, start) -> command line
        self.mounts = self._host_mounts()

    @staticmethod
    def _host_mounts():
        lines = _read("/proc/self/mountinfo").decode("utf-8", "replace").splitlines()
        return {line.split()[4] for line in lines}

    def _ours(self, pid):
        if self.mark in _read("/proc/%d/environ" % pid):
            return True
        return self.directory in _read("/proc/%d/mountinfo" % pid)

    def look(self):
        """Takes down who is there; {pid: command line} of those alive."""
        stats = {pid: stat for pid in _pids() if (stat := _stat(pid)) and stat[1] != "Z"}
        ours = {pid for pid in stats if pid != os.getpid() and self._ours(pid)}
        grown = True
        while grown:
            more = {pid for pid, stat in stats.items() if stat[0] in ours} - ours
            ours |= more
            grown = bool(more)
        for pid in ours:
            self.seen.setdefault((pid, stats[pid][2]), command_line(pid))
        for pid, start in self.seen:
            if pid in stats and stats[pid][2] == start:
                ours.add(pid)
        return {pid: command_line(pid) for pid in sorted(ours)}

    def left_groups(self):
        return groups({pid for pid, _ in self.seen})

    def left_mounts(self):
        text = self.directory.decode()
        return sorted(path for path in self._host_mounts() - self.mounts if text in path)


def is_port_free(address, port):
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((address, port))
            return True
        except OSError:
            return False
