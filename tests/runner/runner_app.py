# The app of test_runner_http.py and test_runner_wsgi.py: one path a behaviour. Python 2.7 to 3.
import json
import sys
import threading
import time

EVENTS = []          # what happened, asked for by /events
GATES = {}           # /gate/NAME lets a waiting generator go on


def gate(name):
    return GATES.setdefault(name, threading.Event())


def text(value):
    return value if isinstance(value, bytes) else value.encode('utf-8')


def plain(start_response, body, headers=()):
    start_response('200 OK', [('Content-Type', 'text/plain')] + list(headers))
    return [text(body)]


def echo(environ, start_response):
    body = environ['wsgi.input'].read()
    return plain(start_response, body)


def environ_json(environ, start_response):
    plain_values = dict((key, value) for key, value in environ.items()
                        if isinstance(value, (str, bool, int)))
    plain_values['types'] = sorted(set(type(key).__name__ for key in environ))
    return plain(start_response, json.dumps(plain_values))


def lines(environ, start_response):
    stream = environ['wsgi.input']
    first = stream.readline()
    three = stream.readline(3)
    part = stream.read(2)
    hinted = stream.readlines(1)
    rest = [line.decode('latin-1') for line in stream]
    after = stream.read() + stream.read(5) + stream.readline()
    parts = [each.decode('latin-1') for each in [first, three, part] + hinted]
    return plain(start_response, json.dumps([parts, rest, after.decode('latin-1')]))


def stream(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    name = environ['QUERY_STRING']
    yield b'one'
    yield b''
    gate(name).wait(10)
    yield b'two'


def endless(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    name = environ['QUERY_STRING']
    try:
        for _ in range(1000):
            yield b'x' * 100
            time.sleep(0.01)
    finally:
        EVENTS.append('closed ' + name)


class Closing(object):
    def __init__(self, chunks, name, fail=None):
        self.chunks = iter(chunks)
        self.name = name
        self.fail = fail

    def __iter__(self):
        return self

    def __next__(self):
        for chunk in self.chunks:
            return chunk
        if self.fail:
            raise ValueError(self.fail)
        raise StopIteration

    next = __next__

    def close(self):
        EVENTS.append('closed ' + self.name)


def closing(environ, start_response):
    start_response('200 OK', [])
    return Closing([b'a', b'b'], environ['QUERY_STRING'])


def fail_early(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/html')])
    raise ValueError('early trouble')


def fail_late(environ, start_response):
    start_response('200 OK', [])
    return Closing([b'a part'], environ['QUERY_STRING'], 'late trouble')


def fail_measured(environ, start_response):
    start_response('200 OK', [('Content-Length', '100')])
    return Closing([b'a part'], 'measured', 'late trouble')


def exits(environ, start_response):
    sys.exit(3)


def twice(environ, start_response):
    start_response('200 OK', [('Content-Type', 'application/json'), ('X-First', '1')])
    start_response('201 Created', [('Content-Type', 'text/plain; charset=utf-8')])
    return [b'{"runtime": "x", "version": "y"}']


def twice_late(environ, start_response):
    start_response('200 OK', [])
    yield b'sent'
    start_response('200 OK', [])


def replaced(environ, start_response):
    start_response('200 OK', [('X-First', '1')])
    try:
        raise ValueError('handled')
    except ValueError:
        start_response('503 Service Unavailable', [('X-Second', '1')], sys.exc_info())
    return [b'sorry']


def replaced_late(environ, start_response):
    start_response('200 OK', [])
    yield b'sent'
    try:
        raise ValueError('came too late')
    except ValueError:
        start_response('500 Internal Server Error', [], sys.exc_info())
    yield b'never'


def writes(environ, start_response):
    write = start_response('200 OK', [])
    write(b'first ')
    write(b'second ')
    return [b'third']


class Source(object):
    def __init__(self):
        self.left = [b'a' * 5000, b'b' * 5000]

    def read(self, size):
        return self.left.pop(0)[:size] if self.left else b''

    def close(self):
        EVENTS.append('source closed')


def wrapped(environ, start_response):
    start_response('200 OK', [])
    return environ['wsgi.file_wrapper'](Source(), 4096)


def empty_str(environ, start_response):
    start_response('200 OK', [('X-Allow', 'yes')])
    return ['']


def known(environ, start_response):
    start_response('200 OK', [])
    return [b'abc', b'', b'defg']


class OneElement(object):
    def __len__(self):
        return 1

    def __iter__(self):
        yield b'single'


def one_element(environ, start_response):
    start_response('200 OK', [])
    return OneElement()


def no_content(environ, start_response):
    start_response(environ['QUERY_STRING'].replace('_', ' '), [('X-A', '1')])
    return [b'this must not be sent']


def too_long(environ, start_response):
    start_response('200 OK', [('Content-Length', '3')])
    return [b'abcdef']


def too_short(environ, start_response):
    start_response('200 OK', [('Content-Length', '10')])
    return [b'abc']


def prints(environ, start_response):
    sys.stdout.write('out without flush %s\n' % environ['QUERY_STRING'])
    sys.stderr.write('err without flush %s\n' % environ['QUERY_STRING'])
    environ['wsgi.errors'].write('errors without flush %s\n' % environ['QUERY_STRING'])
    gate(environ['QUERY_STRING']).wait(10)
    return plain(start_response, 'done')


def opens_gate(environ, start_response):
    gate(environ['QUERY_STRING']).set()
    return plain(start_response, 'open')


def events(environ, start_response):
    return plain(start_response, json.dumps(EVENTS))


def ignores_body(environ, start_response):
    return plain(start_response, 'ignored')


def reads_some(environ, start_response):
    return plain(start_response, environ['wsgi.input'].read(4))


def says_close(environ, start_response):
    return plain(start_response, 'bye', [('Connection', 'close'), ('Transfer-Encoding', 'gzip')])


BAD = {
    'none': None,
    'int': [1],
    'unicode': [u'text'],
    'mixed': [b'a', u'b'],
}
BAD_HEADERS = {
    'inject': [('X-A', 'a\r\nX-Evil: 1')],
    'inject-name': [('X-A\r\nX-Evil: 1', 'a')],
    'lf': [('X-A', 'a\nX-Evil: 1')],
    'nul': [('X-A', 'a\0b')],
    'type': [('X-A', 5)],
    'wide': [('X-A', u'\u4e2d')],
    'length': [('Content-Length', 'abc')],
    'colon': [('X:A', 'a')],
}


def bad(environ, start_response):
    start_response('200 OK', [])
    return BAD[environ['QUERY_STRING']]


def bad_header(environ, start_response):
    start_response('200 OK', BAD_HEADERS[environ['QUERY_STRING']])
    return [b'never']


def bad_status(environ, start_response):
    start_response('200 OK\r\nX-Evil: 1', [])
    return [b'never']


def never_starts(environ, start_response):
    return [b'body']


def never_starts_empty(environ, start_response):
    return []


def latin(environ, start_response):
    return plain(start_response, 'x', [('X-Latin', 'caf\xe9')])


def application(environ, start_response):
    name = environ['PATH_INFO'].strip('/').split('/')[0] or 'environ_json'
    return globals()[name](environ, start_response)
