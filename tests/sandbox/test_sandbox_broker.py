"""The port broker: every bind lands on the instance's own loopback address, whatever the app asks for."""

import errno
import os
import shutil
import signal
import socket
import subprocess

import pytest

from boxes import PYTHON, children, end, marked, new_address, wait_for
from helpers.census import listeners

SERVE = """
import socket, sys
def serve(family, address, only=None, port=3000, name="s"):
    s = socket.socket(family, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if only is not None:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
    s.bind((address, port))
    s.listen(5)
    return s
"""
FOREVER = """
print("up", flush=True)
while True:
    c, _ = s.accept(); c.sendall(b"hello from " + sys.argv[1].encode()); c.close()
"""


def host_listeners(mark):
    return listeners(marked(mark))


def options(address, *more):
    return ["--address", address, *more]


def broker_python(box, script, **keywords):
    address = keywords.pop("address", None) or new_address()
    result = box.python(SERVE + script, options=options(address, *keywords.pop("options", ())), **keywords)
    return address, result


def with_v6(rows):
    """A mark is looked at before the test is in any environment: its skip is the host's, not the environment's."""
    v6 = pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
    return [pytest.param(*row, marks=v6) if row[0] == "AF_INET6" else row for row in rows]


@pytest.fixture(params=["", "mount"])
def deny(request):
    return request.param


@pytest.fixture
def brokered(box, deny):
    probe = box.probe(deny)
    if not probe["notify"]["works"]:
        pytest.skip("no broker on this host: %s" % probe["notify"]["reason"])
    return box


@pytest.mark.contract("P-92")
def test_two_at_once_on_port_3000(brokered, deny):
    addresses = [new_address(), new_address()]
    processes = []
    for number, address in enumerate(addresses):
        script = SERVE + "s = serve(socket.AF_INET, '0.0.0.0')" + FOREVER
        process = brokered.start(PYTHON, "-c", script, str(number), deny=deny, options=options(address))
        assert process.stdout.readline() == "up\n", process.communicate()
        processes.append(process)
    assert host_listeners(brokered.mark) == {(address, 3000) for address in addresses}
    for number, address in enumerate(addresses):
        with socket.create_connection((address, 3000), timeout=5) as client:
            assert client.recv(100) == b"hello from %d" % number
    for process in processes:
        end(process)
    assert host_listeners(brokered.mark) == set()


ASKED = [
    ("AF_INET", "0.0.0.0", None, "0.0.0.0"),
    ("AF_INET", "127.0.0.1", None, "127.0.0.1"),
    ("AF_INET", "127.9.9.9", None, "127.9.9.9"),
    ("AF_INET6", "::", 0, "::"),
    ("AF_INET6", "::", 1, "::"),
    ("AF_INET6", "::1", None, "::1"),
    ("AF_INET6", "::ffff:0.0.0.0", 0, "0.0.0.0"),
]


@pytest.mark.parametrize("family,address,only,reported", with_v6(ASKED))
def test_asked_and_actual(brokered, deny, family, address, only, reported):
    own, result = broker_python(brokered, "s = serve(socket.%s, %r, %r); print(s.getsockname()[1])"
                                % (family, address, only), deny=deny)
    assert result.stdout == "3000\n", result
    for kind in ("bound", "listening"):
        events = brokered.events(kind)
        assert len(events) == 1, events
        assert events[0]["asked_address"] == reported and events[0]["asked_port"] == 3000
        assert events[0]["actual_address"] == own and events[0]["actual_port"] == 3000


@pytest.mark.parametrize("order", [0, 1])
def test_a_socket_for_each_family(brokered, deny, order):
    pair = ["a = serve(socket.AF_INET, '0.0.0.0')", "b = serve(socket.AF_INET6, '::', 1)"]
    own, result = broker_python(brokered, "\n".join(pair[::-1] if order else pair) + "\nprint('both')", deny=deny)
    assert result.stdout == "both\n", result
    actual = [(event["actual_address"], event["actual_port"]) for event in brokered.events("listening")]
    assert actual[0] == (own, 3000) and actual[1][0] in (own, "::1"), actual


def test_actual_port_is_another(brokered, deny):
    own, result = broker_python(brokered, "s = serve(socket.AF_INET, ''); print(s.getsockname())", deny=deny,
                                options=["--actual-port", "34567"])
    assert result.stdout == "('%s', 34567)\n" % own


def test_other_ports(brokered, deny):
    script = ("a = serve(socket.AF_INET, '', port=6379); b = serve(socket.AF_INET, '', port=0); "
              "print(a.getsockname(), b.getsockname()[0]); c = socket.create_connection(a.getsockname()); print('connected')")
    own, result = broker_python(brokered, script, deny=deny)
    assert result.stdout == "('%s', 6379) %s\nconnected\n" % (own, own), result


def test_udp(brokered, deny):
    script = """
a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); a.bind(('', 5353))
b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); b.bind(('', 0))
b.sendto(b'x', a.getsockname())
print(a.getsockname(), b.getsockname()[0], a.recv(5))
"""
    own, result = broker_python(brokered, script, deny=deny)
    assert result.stdout == "('%s', 5353) 0.0.0.0 b'x'\n" % own, result


def test_errors_are_the_kernels(brokered, deny):
    script = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def name(result): return 'ok' if result == 0 else errno.errorcode[ctypes.get_errno()]
def call(function, *args):
    ctypes.set_errno(0); return name(getattr(libc, function)(*args))
s = socket.socket(); good = b'\\x02\\x00' + (3000).to_bytes(2, 'big') + bytes(12)
six = socket.socket(socket.AF_INET6); u = socket.socket(type=socket.SOCK_DGRAM)
print(call('bind', 999, good, 16), call('bind', 0, good, 16), call('bind', s.fileno(), ctypes.c_void_p(8), 16),
      call('bind', s.fileno(), good, 3), call('bind', s.fileno(), good, -1), call('bind', s.fileno(), good, 1000),
      call('bind', six.fileno(), good, 16), call('bind', s.fileno(), good, 16), call('bind', s.fileno(), good, 16))
t = socket.socket(); print(call('bind', t.fileno(), good, 16)); s.listen(1); print(call('bind', t.fileno(), good, 16))
print(call('listen', 999, 1), call('listen', 0, 1), call('listen', u.fileno(), 1))
"""
    _, result = broker_python(brokered, script, deny=deny)
    assert result.stdout.split() == ["EBADF", "ENOTSOCK", "EFAULT", "EINVAL", "EINVAL", "EINVAL", "EINVAL", "ok",
                                     "EINVAL", "EADDRINUSE", "EADDRINUSE", "EBADF", "ENOTSOCK", "ENOTSUP"], result
    refused = [event for event in brokered.events("bound") if event["errno"]]
    assert refused, "a refused bind is reported"


def test_listen_without_bind(brokered, deny):
    own, result = broker_python(brokered, "s = socket.socket(); s.listen(1); print(s.getsockname()[0])\n"
                                "s = socket.socket(socket.AF_INET6); s.listen(1); print(s.getsockname()[0])", deny=deny)
    assert result.stdout == "%s\n::ffff:%s\n" % (own, own)
    assert [event["asked_port"] for event in brokered.events("listening")] == [0, 0]


def test_listening_is_told_once_per_socket(brokered, deny):
    broker_python(brokered, "s = serve(socket.AF_INET, ''); s.listen(9); s.listen(2); t = serve(socket.AF_INET, '', port=3001)", deny=deny)
    assert [event["asked_port"] for event in brokered.events("listening")] == [3000, 3001]


def test_reuseport_and_prefork(brokered, deny):
    script = """
import os
def one():
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1); s.bind(('', 3000)); s.listen(5); return s
s = one()
r, w = os.pipe()
for i in range(3):
    if os.fork() == 0:
        one(); os.write(w, b'.'); os.read(os.pipe()[0], 1)
print(os.read(r, 1) + os.read(r, 1) + os.read(r, 1))
"""
    _, result = broker_python(brokered, script, deny=deny)
    assert result.stdout == "b'...'\n", result
    assert len(brokered.events("listening")) == 4


def test_bind_from_a_thread_and_a_grandchild(brokered, deny):
    script = """
import os, threading
out = []
t = threading.Thread(target=lambda: out.append(serve(socket.AF_INET, ''))); t.start(); t.join()
print(out[0].getsockname(), flush=True)
if os.fork() == 0:
    if os.fork() == 0:
        os.setsid(); print(serve(socket.AF_INET, '', port=3001).getsockname(), flush=True); os._exit(0)
    os.wait(); os._exit(0)
os.wait()
"""
    own, result = broker_python(brokered, script, deny=deny)
    assert result.stdout == "('%s', 3000)\n('%s', 3001)\n" % (own, own), result


def test_unix_sockets_are_left_alone(brokered, deny):
    script = """
import os, tempfile
path = os.path.join(tempfile.mkdtemp(), 's')
s = socket.socket(socket.AF_UNIX); s.bind(path); s.listen(1)
c = socket.socket(socket.AF_UNIX); c.connect(path); print('unix')
"""
    _, result = broker_python(brokered, script, deny=deny)
    assert result.stdout == "unix\n" and not brokered.events("bound"), result


# How a program names a port of its own: (family of the client's socket, address).
OWN = [("AF_INET", "127.0.0.1"), ("AF_INET", "localhost"), ("AF_INET", "0.0.0.0"), ("AF_INET", "127.1.2.3"),
       ("AF_INET6", "::1"), ("AF_INET6", "::ffff:127.0.0.1")]


@pytest.mark.parametrize("family,address", with_v6(OWN))
@pytest.mark.parametrize("port", [6380, 0, 3000])
def test_connect_to_an_own_port_over_loopback(brokered, deny, family, address, port):
    """The port asked for, the one that getsockname() tells, and the public one, which is another in truth."""
    script = """
s = serve(socket.AF_INET, '127.0.0.1', port=%d)
c = socket.socket(socket.%s); c.settimeout(5) if %d else None
c.connect((%r, %d or s.getsockname()[1]))
p, _ = s.accept(); p.sendall(b'own'); print(c.recv(9), c.getpeername()[0])
""" % (port, family, port, address, port)
    own, result = broker_python(brokered, script, deny=deny, options=["--actual-port", "34569"])
    peer = own if family == "AF_INET" else "::ffff:" + own
    assert result.stdout == "b'own' %s\n" % peer, result


@pytest.mark.parametrize("family,address", [("AF_INET", "127.0.0.1"), ("AF_INET6", "::1")])
def test_connect_to_an_own_datagram_port_over_loopback(brokered, deny, family, address):
    """And not to another's, nor to a port that a stream of ours has."""
    script = """
a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); a.bind(('0.0.0.0', 8125)); serve(socket.AF_INET, '', port=8126)
b = socket.socket(socket.%s, socket.SOCK_DGRAM); b.connect((%r, 8125)); b.send(b'count')
data, sender = a.recvfrom(9); a.sendto(b'seen', sender); print(data, b.recv(9))
c = socket.socket(type=socket.SOCK_DGRAM); c.connect(('127.0.0.1', 8126)); print(c.getpeername()[0])
a.close(); d = socket.socket(type=socket.SOCK_DGRAM); d.connect(('127.0.0.1', 8125)); print(d.getpeername()[0])
""" % (family, address)
    _, result = broker_python(brokered, script, deny=deny)
    assert result.stdout == "b'count' b'seen'\n127.0.0.1\n127.0.0.1\n", result


@pytest.mark.environments("user", "container")
@pytest.mark.parametrize("family,address", with_v6([("AF_INET", "127.0.0.1"), ("AF_INET6", "::1")]))
def test_datagrams_that_name_an_own_port(brokered, deny, family, address):
    """As statsd's clients send them. Each to its own server, the answer to the sender, errors as ever."""
    script = """
def server(port):
    s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('0.0.0.0', port)); s.settimeout(5); return s
a, b = server(8125), server(8126)
c = socket.socket(socket.%s, socket.SOCK_DGRAM); c.settimeout(5)
print(c.sendto(b'one', (%r, 8125)), c.sendto(b'', (%r, 8126)), c.sendto(b'x' * 40000, (%r, 8126)))
one, sender = a.recvfrom(99); print(one, a.sendto(b'seen', sender), c.recv(9), b.recv(9), len(b.recv(65536)))
try: c.sendto(b'x' * 70000, (%r, 8125))
except OSError as error: print(error.strerror)
a.close(); print(c.sendto(b'gone', (%r, 8125)))
""" % (family, *[address] * 5)
    _, result = broker_python(brokered, script, deny=deny)
    assert result.stdout == "3 0 40000\nb'one' 4 b'seen' b'' 40000\nMessage too long\n4\n", result


@pytest.mark.environments("user", "container")
def test_datagrams_to_the_host_go_there(brokered, deny):
    """Also from an app that has ports of its own."""
    script = """
a = socket.socket(type=socket.SOCK_DGRAM); a.bind(('', 8125))
c = socket.socket(type=socket.SOCK_DGRAM); c.settimeout(5)
c.sendto(b'to the host', ('127.0.0.1', int(sys.argv[1]))); print(c.recv(9))
"""
    with socket.socket(type=socket.SOCK_DGRAM) as host:
        host.bind(("127.0.0.1", 0))
        host.settimeout(10)
        process = brokered.start(PYTHON, "-c", SERVE + script, str(host.getsockname()[1]), deny=deny,
                                 options=options(new_address()))
        data, sender = host.recvfrom(99)
        host.sendto(b"back", sender)
        out, err = process.communicate(timeout=10)
    assert data == b"to the host" and out == "b'back'\n", out + err


@pytest.mark.environments("user")
def test_a_server_is_not_forgotten_for_many_clients(brokered, deny):
    """As a resolver does: a socket for each question. More of them than are remembered."""
    script = """
s = serve(socket.AF_INET, '127.0.0.1')
for _ in range(600):
    c = socket.socket(type=socket.SOCK_DGRAM); c.bind(('', 0)); c.close()
c = socket.create_connection(('127.0.0.1', 3000)); print(c.getpeername()[0])
"""
    own, result = broker_python(brokered, script, deny=deny)
    assert result.stdout == own + "\n", result


def test_connect_without_waiting(brokered, deny):
    script = """
import asyncio
async def main():
    server = await asyncio.start_server(lambda r, w: (w.write(b'async'), w.close()), '0.0.0.0', 6380)
    reader, writer = await asyncio.open_connection('127.0.0.1', 6380)
    print(await reader.read())
    writer.close(); server.close()
asyncio.run(main())
"""
    _, result = broker_python(brokered, script, deny=deny)
    assert result.stdout == "b'async'\n", result


def test_a_call_that_may_wait_waits_for_a_full_queue(brokered, deny):
    script = """
import threading, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('', 6380)); s.listen(0)
first = [socket.create_connection(('127.0.0.1', 6380)) for _ in range(1)]
done = []
def late():
    c = socket.socket(); c.connect(('127.0.0.1', 6380)); done.append(c.getpeername()[1])
threads = [threading.Thread(target=late) for _ in range(3)]
for t in threads: t.start()
print(socket.socket().connect_ex(('127.0.0.1', 1)))
for _ in range(4): s.accept()
for t in threads: t.join()
print(done)
"""
    _, result = broker_python(brokered, script, deny=deny)
    assert result.stdout == "111\n[6380, 6380, 6380]\n", result


def test_what_is_no_own_port_stays_where_it_is(brokered, deny):
    """A service of the host on loopback (P-214), also when an own listener of that port has gone."""
    script = """
port = int(sys.argv[1])
s = serve(socket.AF_INET, '', port=port); s.close()
print(socket.create_connection(('127.0.0.1', port)).recv(9), flush=True)
t = serve(socket.AF_INET, '', port=port)
c = socket.create_connection(('127.0.0.1', port)); p, _ = t.accept(); p.sendall(b'own'); print(c.recv(9))
print(socket.socket().connect_ex(('127.0.0.1', 1)), socket.socket().connect_ex(('127.0.0.1', 0)))
"""
    with socket.socket() as host:
        host.bind(("127.0.0.1", 0))
        host.listen(5)
        process = brokered.start(PYTHON, "-c", SERVE + script, str(host.getsockname()[1]), deny=deny,
                                 options=options(new_address()))
        host.settimeout(10)
        peer, _ = host.accept()
        peer.sendall(b"host")
        peer.close()
        out, err = process.communicate(timeout=10)
    assert out == "b'host'\nb'own'\n111 111\n", out + err


def test_services_of_the_host_are_told_of_once_a_port(brokered, deny):
    """By TCP and only where somebody listens: not what is refused, nor an own port, nor a resolver."""
    script = """
port = int(sys.argv[1])
for address in ('127.0.0.1', 'localhost', '127.0.0.1'):
    socket.create_connection((address, port)).close()
s = serve(socket.AF_INET, '', port=6380); socket.create_connection(('127.0.0.1', 6380)).close()
print(socket.socket().connect_ex(('127.0.0.1', 1)))
socket.socket(type=socket.SOCK_DGRAM).connect(('127.0.0.1', port + 1 if port < 65535 else 1))
"""
    with socket.socket() as host:
        host.bind(("127.0.0.1", 0))
        host.listen(5)
        port = host.getsockname()[1]
        result = brokered.run(PYTHON, "-c", SERVE + script, str(port), deny=deny, options=options(new_address()))
    assert result.stdout == "111\n", result
    reached = [(event["asked_address"], event["asked_port"]) for event in brokered.events("reached")]
    assert reached == [("127.0.0.1", port)], reached


def test_two_instances_do_not_meet_on_loopback(brokered, deny):
    processes = []
    for number in range(2):
        script = SERVE + """
s = serve(socket.AF_INET, '127.0.0.1', port=6380); print('up', flush=True); sys.stdin.readline()
c = socket.create_connection(('127.0.0.1', 6380)); p, _ = s.accept(); print(p.getsockname()[0], flush=True)
"""
        address = new_address()
        command = brokered.command("--stdin", *options(address)) + ["--", PYTHON, "-c", script]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   env=dict(os.environ, LEANLOCAL_SANDBOX_DENY=deny))
        assert process.stdout.readline() == "up\n"
        processes.append((address, process))
    for address, process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == address + "\n"
        assert process.wait(timeout=10) == 0
        process.stdin.close()
        process.stdout.close()


def test_unix_sockets_connect_as_ever(brokered, deny):
    """Also with a path as short as an internet address."""
    script = """
import os
import tempfile; os.chdir(tempfile.mkdtemp())
for path in ('a', 'a' * 13, 'a' * 25, 'a' * 100):
    s = socket.socket(socket.AF_UNIX); s.bind(path); s.listen(1)
    c = socket.socket(socket.AF_UNIX); c.connect(path); c.close()
print('unix')
"""
    _, result = broker_python(brokered, script, deny=deny)
    assert result.stdout == "unix\n", result


def test_errors_of_connect_are_the_kernels(brokered, deny):
    script = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def call(fd, address, length):
    ctypes.set_errno(0)
    return 'ok' if libc.connect(fd, address, length) == 0 else errno.errorcode[ctypes.get_errno()]
s = serve(socket.AF_INET, '127.0.0.1', port=6380)
good = b'\\x02\\x00' + (6380).to_bytes(2, 'big') + bytes([127, 0, 0, 1]) + bytes(120)
c = socket.socket()
print(call(999, good, 16), call(0, good, 16), call(c.fileno(), ctypes.c_void_p(8), 16), call(c.fileno(), good, 3),
      call(c.fileno(), good, 128), call(c.fileno(), good, 16), call(s.fileno(), good, 16))
"""
    _, result = broker_python(brokered, script, deny=deny)
    assert result.stdout.split() == ["EBADF", "ENOTSOCK", "EFAULT", "EINVAL", "ok", "EISCONN", "EISCONN"], result


def test_alarms_during_connect(brokered, deny):
    script = """
import signal
s = serve(socket.AF_INET, '127.0.0.1', port=6380); s.listen(500)
hits = []
signal.signal(signal.SIGALRM, lambda *a: hits.append(1)); signal.siginterrupt(signal.SIGALRM, False)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
for i in range(300):
    c = socket.socket(); c.connect(('127.0.0.1', 6380)); s.accept()[0].close(); c.close()
signal.setitimer(signal.ITIMER_REAL, 0); print('done', len(hits) > 0)
"""
    _, result = broker_python(brokered, script, deny=deny)
    assert result.stdout == "done True\n", result


def test_alarms_during_bind(brokered, deny):
    script = """
import signal
hits = []
signal.signal(signal.SIGALRM, lambda *a: hits.append(1)); signal.siginterrupt(signal.SIGALRM, False)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
for i in range(300):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('', 3000)); s.listen(1); s.close()
signal.setitimer(signal.ITIMER_REAL, 0); print('done', len(hits) > 0)
"""
    _, result = broker_python(brokered, script, deny=deny)
    assert result.stdout == "done True\n", result


@pytest.mark.parametrize("interrupts", [False, True])
def test_alarms_during_bind_listen_and_accept(brokered, deny, interrupts):
    """One each 20 ms, as a profiler has it, and three of them while each accept() waits. Where signals end calls
    (SA_RESTART is off), one that comes before the broker has taken the question ends bind() with EINTR: that is the
    app's to ask again, and the second question gets the same answer."""
    script = """
import os, select, signal
alarms = []
def asked(call):
    while True:
        try:
            return call()
        except InterruptedError:
            assert %s
signal.signal(signal.SIGALRM, lambda *_: alarms.append(1)); signal.siginterrupt(signal.SIGALRM, %s)
signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
asked(lambda: s.bind(('', 3000))); asked(lambda: s.listen(9))
if os.fork() == 0:
    for _ in range(4):
        select.select([], [], [], 0.06); socket.create_connection(('127.0.0.1', 3000)).close()
    os._exit(0)
print([s.accept()[0].getsockname()[1] for _ in range(4)], len(alarms) > 3)
""" % (interrupts, interrupts)
    _, result = broker_python(brokered, script, deny=deny)
    assert result.stdout == "[3000, 3000, 3000, 3000] True\n", result


def test_children_accept_on_one_socket(brokered, deny):
    """The other kind of pre-fork server; its clients reach all of them by the port that is written in."""
    script = """
import os
s = serve(socket.AF_INET, '0.0.0.0')
for _ in range(4):
    if os.fork() == 0:
        c, _ = s.accept(); c.sendall(str(os.getpid()).encode()); c.close(); os._exit(0)
s.close()
print(len({socket.create_connection(('127.0.0.1', 3000)).recv(20) for _ in range(4)}))
"""
    _, result = broker_python(brokered, script, deny=deny)
    assert result.stdout == "4\n", result
    assert len(brokered.events("listening")) == 1


# Node listens on both families, its cluster accepts in the parent and hands sockets to the workers, and it has an
# io_uring of its own; a service beside it, and the workers' own port, are reached by the names that people write.
NODE = """
const http = require('http'), net = require('net'), cluster = require('cluster'), dgram = require('dgram');
if (!cluster.isPrimary) { http.createServer((q, r) => r.end('worker')).listen(3000); }
else {
  const said = [], say = (name, word) => { said.push(name + ' ' + word); if (said.length === 4) {
    console.log(said.sort().join(', ')); process.exit(0); } };
  const get = host => http.get('http://' + host + ':3000/', r => r.on('data', d => say(host, d)));
  let up = 0;
  cluster.on('listening', () => { if (++up === 2) { get('127.0.0.1'); get('localhost'); } });
  cluster.fork(); cluster.fork();
  net.createServer(c => c.end('redis')).listen(6380, '127.0.0.1', function () {
    net.connect(6380, 'localhost').on('data', d => say(this.address().address, d)); });
  const server = dgram.createSocket('udp4'); server.on('message', m => say('udp', m));
  server.bind(8125, () => { const c = dgram.createSocket('udp4'); c.connect(8125, '127.0.0.1', () => c.send('count')); });
}
"""


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
@pytest.mark.environments("user", "container")
def test_node_and_its_cluster(brokered, deny):
    own = new_address()
    script = brokered.write("server.js", NODE)
    result = brokered.run(shutil.which("node"), script, deny=deny,
                          options=options(own, "--bind", "%s:%s" % (script, script)))
    assert result.stdout == "127.0.0.1 worker, %s redis, localhost worker, udp count\n" % own, result
    actual = {event["actual_address"] for event in brokered.events("listening")}
    assert actual <= {own, "::ffff:" + own}, actual


def test_no_detour_leads_beyond_loopback(brokered, deny):
    """A port had by a connection that was given up; a transparent or free bind; the newer kind of stream."""
    script = """
import ctypes
libc = ctypes.CDLL(None)
out = []
s = serve(socket.AF_INET, '', port=3001)
c = socket.socket(); c.connect(('127.0.0.1', 3001)); libc.connect(c.fileno(), bytes(16), 16); c.listen(1)
out.append(c)
for port, level, option in ((3002, socket.IPPROTO_IP, 15), (3003, socket.SOL_SOCKET, socket.SO_REUSEPORT)):  # 15: IP_FREEBIND
    f = socket.socket(); f.setsockopt(level, option, 1); f.bind(('192.0.2.7', port)); f.listen(1)
    out.append(f)
try:
    m = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262); m.bind(('0.0.0.0', 3300)); m.listen(1)  # MPTCP
    out.append(m)
except OSError:
    pass  # not in this kernel
print({each.getsockname()[0] for each in out})
"""
    own, result = broker_python(brokered, script, deny=deny)
    assert result.stdout == "{'%s'}\n" % own, result


@pytest.mark.parametrize("name,expected", [("io-uring", "ENOSYS"), ("x32", "ENOSYS"), ("int80", "ENOSYS"),
                                           ("clone3", "ENOSYS"), ("unshare-user", "EPERM")])
def test_ways_around_the_broker_are_refused(brokered, deny, name, expected):
    program = brokered.path("sandbox_attack")
    result = brokered.run(program, name, deny=deny, options=options(new_address(), "--bind", "%s:%s" % (program, program)))
    assert result.stdout.strip() == expected, result


def test_without_init_no_app(brokered, deny):
    """Who would answer its calls? It ends, asleep in accept() or not, and so does what it has forked."""
    script = SERVE + "import os\ns = serve(socket.AF_INET, '')\nos.fork()\nprint('up', flush=True)\ns.accept()"
    own = new_address()
    process = brokered.start(PYTHON, "-c", script, deny=deny, options=options(own))
    assert process.stdout.readline() + process.stdout.readline() == "up\nup\n"
    os.kill(children(process.pid)[0], signal.SIGKILL)
    process.communicate(timeout=5)
    wait_for(lambda: not marked(brokered.mark), "all to be gone", 3)
    assert socket.socket().connect_ex((own, 3000)) == errno.ECONNREFUSED


def test_many_binds_do_not_block_init(brokered, deny):
    # Nobody reads the events while this runs: the driver is stopped.
    script = SERVE + """
print("up", flush=True)
sys.stdin.readline()
for i in range(2000):
    s = socket.socket(); s.bind(('', 0)); s.close()
print("done", flush=True)
"""
    command = brokered.command("--stdin", *options(new_address())) + ["--", PYTHON, "-c", script]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                               env=dict(os.environ, LEANLOCAL_SANDBOX_DENY=deny))
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGSTOP)
    process.stdin.write("go\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"
    process.send_signal(signal.SIGCONT)
    assert process.wait(timeout=10) == 0
    process.stdin.close()
    process.stdout.close()


def test_servers_show_nothing_beyond_their_address(brokered, deny):
    """Every kind of server at once, and what the host sees of it: only 127/8 and ::1."""
    script = SERVE + """
a = serve(socket.AF_INET, '0.0.0.0'); b = serve(socket.AF_INET6, '::', 0, port=3001)
c = serve(socket.AF_INET6, '::', 1, port=3002); d = serve(socket.AF_INET, '', port=0)
e = socket.socket(); e.listen(1)
f = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); f.bind(('', 4000))
g = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); g.bind(('::', 4001))
print("up", flush=True); sys.stdin.read(); import time; time.sleep(1000)
"""
    own = new_address()
    process = brokered.start(PYTHON, "-c", script, deny=deny, options=options(own))
    assert process.stdout.readline() == "up\n", process.communicate()
    seen = host_listeners(brokered.mark)
    end(process)
    assert len(seen) == 7 and {address for address, _ in seen} <= {own, "::ffff:" + own, "::1"}, seen


def test_without_the_broker_this_is_what_would_happen(box):
    """The counter-test: denied, the very same script is on 0.0.0.0, so the tests above can fail."""
    result = box.python("import socket; s = socket.socket(); s.bind(('127.77.99.99', 0)); print(s.getsockname()[0])\n"
                        "s = socket.socket(); s.bind(('', 0)); print(s.getsockname()[0])", deny="notify",
                        options=options(new_address()))
    assert result.stdout == "127.77.99.99\n0.0.0.0\n"
    assert not box.events("bound")


def test_http_server_in_a_sandbox(full):
    own = new_address()
    process = full.start(PYTHON, "-u", "-c", "import http.server as h; h.HTTPServer.server_bind = "
                         "lambda s: __import__('socketserver').TCPServer.server_bind(s) or setattr(s, 'server_name', 'x') "
                         "or setattr(s, 'server_port', 3000)\nh.HTTPServer(('', 3000), h.SimpleHTTPRequestHandler).serve_forever()",
                         options=options(own))
    full.wait_event("listening")

    def answered():
        try:
            with socket.create_connection((own, 3000), timeout=5) as client:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return client.recv(20).startswith(b"HTTP/1.0 200")
        except OSError:
            return False
    wait_for(answered, "an answer")
    end(process)
