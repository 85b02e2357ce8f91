"""From the interpreter's start to a served application and SIGTERM; every way not to get there."""
import signal

import pytest

from runner_kit import find_interpreter, wait_until
from runner_client import Client

HELLO = '''
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'hello']
'''

SHAPES = {
    'function': HELLO,
    'generator': '''
def application(environ, start_response):
    start_response('200 OK', [])
    yield b'hel'
    yield b'lo'
''',
    'object': '''
class App(object):
    def __call__(self, environ, start_response):
        start_response('200 OK', [])
        return [b'hello']
application = App()
''',
    'class': '''
class application(object):
    def __init__(self, environ, start_response):
        self.start = start_response
    def __iter__(self):
        self.start('200 OK', [])
        yield b'hello'
''',
    'old-style class': '''
class application:
    def __init__(self, environ, start_response):
        self.start = start_response
    def __iter__(self):
        self.start('200 OK', [])
        yield b'hello'
''',
    'object of an old-style class': '''
class App:
    def __call__(self, environ, start_response):
        start_response('200 OK', [])
        return [b'hello']
application = App()
''',
    'imported': 'from app import app\napplication = app\n',
}


@pytest.mark.parametrize('shape', sorted(SHAPES))
@pytest.mark.contract("P-80", "P-94")
def test_every_shape_of_application(start, shape):  # P-80, P-94
    running = start({'wsgi.py': SHAPES[shape], 'app.py': HELLO.replace('application', 'app')})
    with Client(running.wait_ready().port) as client:
        assert client.get('/').body == b'hello'


@pytest.mark.contract("P-81", "P-82", "P-306")
def test_wsgi_is_imported_not_run(start, tmp_path):  # P-81, P-306
    running = start({'wsgi.py': '''
import os, sys
seen = [__name__, os.getcwd(), sys.path[0], open('data.txt').read()]
def application(environ, start_response):
    start_response('200 OK', [])
    return [repr(seen).encode('utf-8')]
if __name__ == '__main__':
    sys.exit('run as a program')
''', 'data.txt': 'beside'})
    with Client(running.wait_ready().port) as client:
        seen = client.get('/').body.decode()
    assert seen == repr(['wsgi', str(tmp_path), str(tmp_path), 'beside'])


@pytest.mark.contract("P-305")
def test_a_file_named_like_one_of_our_modules(start):  # P-305
    shadow = 'raise RuntimeError("a file of the project was taken for a module of the library")\n'
    running = start(dict({'wsgi.py': HELLO}, **{
        name + '.py': shadow for name in ('select', 'socket', 'threading', 'struct', 'selectors')}))
    with Client(running.wait_ready().port) as client:
        assert client.get('/').body == b'hello'


def test_the_port_is_reachable_on_every_address(start):
    running = start({'wsgi.py': HELLO}).wait_ready()
    with open('/proc/net/tcp') as table:
        locals_ = [line.split()[1] for line in table]
    assert '00000000:%04X' % running.port in locals_


@pytest.mark.parametrize('files,expected', [
    ({'app.py': HELLO}, ['wsgi.py: no such file']),
    ({'wsgi.py': 'app = lambda e, s: []\n'},
     ['wsgi.py has no "application"', 'It has "app" (function)', 'application = app']),
    ({'wsgi.py': 'import json\n'}, ['wsgi.py has no "application"', 'It defines json']),
    ({'wsgi.py': HELLO, 'wsgi/__init__.py': ''}, ['has no "application"', 'hides the file']),
    ({'wsgi.py': 'application = 5\n'}, ['"application" is int, which cannot be called']),
    ({'wsgi.py': 'x = (\n'}, ['wsgi.py", line ', 'SyntaxError']),
    ({'wsgi.py': 'import app\n', 'app.py': 'def x(:\n'},
     ['wsgi.py", line 1', 'app.py", line 1', 'SyntaxError']),
    ({'wsgi.py': 'import no_such_module\n'}, ['wsgi.py", line 1', 'no_such_module']),
    ({'wsgi.py': 'def f():\n    return 1 // 0\nf()\n'}, ['line 3', 'line 2', 'ZeroDivisionError']),
    ({'wsgi.py': 'import sys\nsys.exit("give me a key")\n'}, ['give me a key', 'sys.exit(']),
    ({'wsgi.py': 'import sys\nsys.exit(0)\n'}, ['sys.exit(0)']),
], ids=['missing', 'app', 'nothing', 'package', 'number', 'syntax', 'syntax-deeper', 'import',
        'traceback', 'exit-text', 'exit-0'])
def test_what_cannot_be_served_is_said_and_exit_1(start, files, expected):
    running = start(files)
    assert running.wait_exit() == 1
    for text in expected:
        assert text in running.stderr
    assert 'runner.py' not in running.stderr and '<frozen' not in running.stderr
    assert running.stdout == ''


def test_exit_code_of_the_app(start):
    running = start({'wsgi.py': 'import sys\nsys.exit(7)\n'})
    assert running.wait_exit() == 7


@pytest.mark.contract("P-303")
def test_missing_variable_is_named(start):  # P-303
    running = start({'wsgi.py': 'import os\nKEY = os.environ["MY_SERVICE_KEY"]\n' + HELLO})
    assert running.wait_exit() == 1
    assert 'KeyError' in running.stderr
    assert 'needs the environment variable MY_SERVICE_KEY' in running.stderr


def test_another_key_error_names_no_variable(start):
    running = start({'wsgi.py': '{}["MY_SERVICE_KEY"]\n'})
    assert running.wait_exit() == 1
    assert 'environment variable' not in running.stderr


def test_the_hook_for_uncaught_exceptions_is_asked(start, python):
    running = start({'wsgi.py': '''
import sys
def hook(kind, value, trace):
    sys.stderr.write('hook saw %s at line %d\\n' % (kind.__name__, trace.tb_lineno))
sys.excepthook = hook
1 // 0
'''})
    assert running.wait_exit() == 1
    # 2.7 empties the globals of a module whose import failed, so that its hook cannot run.
    assert ('hook saw ZeroDivisionError at line 6' in running.stderr
            or 'ZeroDivisionError: ' in running.stderr and '2.7' in python)


def test_port_in_use_is_said(start):
    first = start({'wsgi.py': HELLO}).wait_ready()
    second = start({}, env={'LEANCLOUD_APP_PORT': str(first.port)})
    assert second.wait_exit() == 1
    assert 'cannot listen on 0.0.0.0:%d: Address already in use' % first.port in second.stderr


def test_print_at_import_appears_at_once(start):
    running = start({'wsgi.py': 'import sys, time\nprint("imported")\n'
                                'sys.stdin.read() if False else time.sleep(60)\n'})
    wait_until(lambda: 'imported\n' in running.stdout, 'not printed')


SLOW = '''
import os, threading, time
started = threading.Event()
def application(environ, start_response):
    path = environ['PATH_INFO']
    if path == '/slow':
        print('slow begins')
        while not os.path.exists('go'):
            time.sleep(0.02)
    start_response('200 OK', [])
    return [b'hello']
'''


def refuses(running):
    try:
        Client(running.port).close()
        return False
    except ConnectionResetError:  # it was still in the queue of a listener that is closed by now
        return False
    except ConnectionRefusedError:
        return True


def test_sigterm_finishes_requests_under_way(start, tmp_path):
    running = start({'wsgi.py': SLOW}).wait_ready()
    idle, slow = Client(running.port), Client(running.port)
    assert idle.get('/').status == 200  # a kept-alive connection between two requests
    slow.send(b'GET /slow HTTP/1.1\r\nHost: t\r\n\r\n')
    wait_until(lambda: 'slow begins' in running.stdout, 'the request did not begin')
    running.terminate()
    wait_until(lambda: refuses(running), 'it still accepts')
    assert idle.at_end()
    assert running.process.poll() is None
    (tmp_path / 'go').write_text('')
    answer = slow.answer()
    assert answer.body == b'hello' and answer.get('connection') == 'close'
    assert running.wait_exit() == 0
    assert running.stderr == ''
    idle.close()
    slow.close()


STREAM = '''
import os, time
def application(environ, start_response):
    start_response('200 OK', [])
    yield b'begun'
    while not os.path.exists('go'):
        time.sleep(0.02)
'''


def test_sigterm_after_the_head_was_sent(start, tmp_path):
    running = start({'wsgi.py': STREAM}).wait_ready()
    with Client(running.port, timeout=3) as client:  # less than the grace of 10 s
        client.send(b'GET / HTTP/1.1\r\nHost: t\r\n\r\n')
        assert ('connection', 'close') not in client.head()[1]
        assert client.chunk() == b'begun'
        running.terminate()
        wait_until(lambda: refuses(running), 'it still accepts')
        (tmp_path / 'go').write_text('')
        assert client.chunk() == b''
        assert client.at_end()  # kept alive no longer, whatever its head said
    assert running.wait_exit(3) == 0


def test_sigterm_serves_who_is_already_in_the_queue(start):
    running = start({'wsgi.py': HELLO}).wait_ready()
    running.process.send_signal(signal.SIGSTOP)
    clients = [Client(running.port) for _ in range(5)]
    for client in clients:
        client.send(b'GET / HTTP/1.1\r\nHost: t\r\n\r\n')
    running.terminate()
    running.process.send_signal(signal.SIGCONT)
    assert [client.answer().body for client in clients] == [b'hello'] * 5
    assert running.wait_exit(3) == 0
    for client in clients:
        client.close()


def test_sigterm_when_idle_ends_at_once(start):
    running = start({'wsgi.py': HELLO}).wait_ready()
    running.terminate()
    assert running.wait_exit(3) == 0
    assert running.stderr == ''


def test_sigterm_runs_what_the_app_wants_to_be_run(start):
    running = start({'wsgi.py': '''
import atexit, signal
def bye(number, frame):
    print('handler of the app %d' % number)
signal.signal(signal.SIGTERM, bye)
atexit.register(lambda: print_('atexit'))
def print_(text):
    print(text)
''' + HELLO}).wait_ready()
    running.terminate()
    assert running.wait_exit(3) == 0
    assert running.stdout == 'handler of the app %d\natexit\n' % signal.SIGTERM


def test_default_socket_timeout_of_the_app_is_not_ours(start):
    running = start({'wsgi.py': 'import socket\nsocket.setdefaulttimeout(0.001)\n' + SLOW},
                    env={}).wait_ready()
    with Client(running.port) as client:
        assert client.get('/').status == 200
        client.send(b'GET / HTTP/1.1\r\n')
        with Client(running.port) as other:  # takes longer than the timeout
            other.send(b'GET /slow HTTP/1.1\r\nHost: t\r\n\r\n')
            wait_until(lambda: 'slow begins' in running.stdout, 'the request did not begin')
        client.send(b'Host: t\r\n\r\n')
        assert client.answer().body == b'hello'


def test_the_interpreters_of_this_host(request):
    """Never empty: a run in which every interpreter was skipped shows nothing."""
    assert find_interpreter('system') or find_interpreter('3.11')


LOOPS = '''
import asyncio
async def later():
    await asyncio.sleep(0)
    return b'from a coroutine'
def application(environ, start_response):
    start_response('200 OK', [])
    return [asyncio.get_event_loop().run_until_complete(later())]
'''


@pytest.mark.contract("P-95")
def test_a_view_may_run_a_coroutine(start, python):  # P-95: Tornado's adapter does
    if '2.7' in python:
        pytest.skip('2.7 has no asyncio')
    if '3.14' in python:
        pytest.skip('from 3.14 on no thread has an event loop by itself')
    running = start({'wsgi.py': LOOPS}).wait_ready()
    for _ in range(2):
        with Client(running.port) as client:
            for _ in range(2):
                assert client.get('/').body == b'from a coroutine'
    assert 'Error' not in running.stderr
