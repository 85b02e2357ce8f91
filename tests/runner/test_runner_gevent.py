"""An app that has patched itself with gevent gets gevent's server (P-84, P-85).

First with a stand-in for gevent, on every interpreter and offline: which server is chosen and what
it is told. Then with the real one, from the index; without the index that test skips."""
import os
import subprocess

import pytest

from runner_kit import Running, find_interpreter, wait_until
from runner_client import Client

STAND_IN = {
    'gevent/__init__.py': '''
import signal, time
def signal_handler(number, call):
    signal.signal(number, lambda *_: call())
sleep = time.sleep
''',
    'gevent/event.py': '''
import time
class Event(object):
    is_set = False
    def set(self):
        self.is_set = True
    def wait(self):
        while not self.is_set:
            time.sleep(0.02)
''',
    'gevent/monkey.py': '''
patched = []
def is_module_patched(name):
    return name in patched
''',
    'gevent/pywsgi.py': '''
import sys
class WSGIHandler(object):
    pass
class WSGIServer(object):
    def __init__(self, listener, application, log, handler_class, environ):
        names = [base.__name__ for base in handler_class.__mro__]
        print('listener %s:%d' % listener.getsockname())
        print('log %r' % (log,))
        print('environ %r' % (environ,))
        print('handlers %s' % ' '.join(names))
        print('application %s' % application.__name__)
    def start(self):
        print('started')
    def close(self):
        print('closed')
''',
}
PATCHED = '''
import gevent.monkey
gevent.monkey.patched.append('socket')
def application(environ, start_response):
    pass
'''


@pytest.mark.contract("P-85")
def test_which_server_and_what_it_is_told(start):
    running = start(dict(STAND_IN, **{'wsgi.py': PATCHED}))
    wait_until(lambda: 'started\n' in running.stdout, 'not started')
    assert 'listener 0.0.0.0:%d\n' % running.port in running.stdout
    assert 'log None\n' in running.stdout  # the balancer keeps the access log
    assert "'SERVER_NAME': 'localhost'" in running.stdout  # else gevent asks the DNS
    assert "'wsgi.file_wrapper': " in running.stdout
    assert 'handlers Handler WSGIHandler object\n' in running.stdout
    assert 'application application\n' in running.stdout
    running.terminate()
    assert running.wait_exit(5) == 0
    assert running.stdout.endswith('closed\n')


@pytest.mark.contract("P-84")
def test_websocket_handler_where_its_package_is(start):
    running = start(dict(STAND_IN, **{
        'wsgi.py': PATCHED,
        'geventwebsocket/__init__.py': '',
        'geventwebsocket/handler.py': 'from gevent.pywsgi import WSGIHandler\n'
                                      'class WebSocketHandler(WSGIHandler):\n    pass\n'}))
    wait_until(lambda: 'started\n' in running.stdout, 'not started')
    assert 'handlers Handler WebSocketHandler WSGIHandler object\n' in running.stdout


def test_imported_but_not_patched_is_the_threaded_server(start):
    running = start(dict(STAND_IN, **{
        'wsgi.py': 'import gevent.monkey\ndef application(environ, start_response):\n'
                   '    start_response("200 OK", [])\n    return [b"threads"]\n'}))
    with Client(running.wait_ready().port) as client:
        assert client.get('/').body == b'threads'


@pytest.fixture(scope='module')
def real_gevent(tmp_path_factory):
    python = next(filter(None, map(find_interpreter, ['3.11', '3.12', '3.10', '3.13'])), None)
    if python is None:
        pytest.skip('no Python 3.10 to 3.13 on this host')
    directory = str(tmp_path_factory.mktemp('gevent'))
    made = subprocess.run([python, '-m', 'venv', directory], capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip('%s cannot make an environment with pip' % python)
    python = os.path.join(directory, 'bin', 'python')
    got = subprocess.run([python, '-m', 'pip', 'install', '-q', '--retries', '1', 'gevent',
                          'gevent-websocket'], capture_output=True, text=True)
    if got.returncode != 0:
        pytest.skip('gevent cannot be installed, no index: ' + got.stderr.strip()[-200:])
    return python


REAL = '''
from gevent import monkey
monkey.patch_all()
import atexit, os, time
atexit.register(lambda: print('atexit'))
def application(environ, start_response):
    path = environ['PATH_INFO']
    socket = environ.get('wsgi.websocket')
    if socket is not None:
        socket.send(socket.receive())
        return []
    if path == '/slow':
        print('slow begins')
        while not os.path.exists('go'):
            time.sleep(0.02)
    start_response('200 OK', [('X-First', '1')])
    start_response('200 OK', [('X-Scheme', environ['wsgi.url_scheme'])])  # P-87
    return [b'', environ['SERVER_NAME'].encode()]
'''


def test_the_real_gevent(real_gevent, tmp_path):
    (tmp_path / 'wsgi.py').write_text(REAL)
    running = Running(real_gevent, tmp_path)
    try:
        with Client(running.wait_ready().port) as client:
            answer = client.get('/')
            assert answer.body == b'localhost' and answer.get('x-scheme') == 'http'
            assert answer.get('x-first') is None
        with Client(running.port) as client:
            client.send(b'GET / HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\n'
                        b'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n'
                        b'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
            assert client.head()[0][1] == '101'
            client.send(b'\x81\x82\x00\x00\x00\x00hi')
            assert client.take(4) == b'\x81\x02hi'
        with Client(running.port) as slow:
            slow.send(b'GET /slow HTTP/1.1\r\nHost: t\r\n\r\n')
            wait_until(lambda: 'slow begins' in running.stdout, 'the request did not begin')
            running.terminate()
            wait_until(lambda: not still_accepts(running), 'it still accepts')
            (tmp_path / 'go').write_text('')
            assert slow.answer().body == b'localhost'
        assert running.wait_exit(12) == 0
        assert running.stdout.endswith('atexit\n')
        assert 'Traceback' not in running.stderr
    finally:
        running.stop()


def still_accepts(running):
    try:
        Client(running.port).close()
        return True
    except ConnectionRefusedError:
        return False
