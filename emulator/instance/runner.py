# What: the default server of an instance: imports wsgi.py, serves its `application` over HTTP/1.1.
# Why: the platform does so when leanengine.yaml has no `run` (P-80, P-81). Its server is not public
#      (P-85); it must be lenient, or the vendor's SDK never becomes healthy (P-87 to P-89).
# Order: main() is the life of an instance: output, [a standby parks here], enter the project, load,
#      serve. Everything that depends on the version happens after the place where it parks.
# Contract: `python -u runner.py`, working directory = the app's root, LEANCLOUD_APP_PORT.
#      Exit codes: 0 after SIGTERM, 1 when the app cannot be served; the reason is on stderr.
# Not: wsgiref or http.server. The first refuses what P-87 needs, the second costs 20 ms of imports
#      and looks host names up. Nor socketserver: the accept loop is the smaller part.
#
# One file, valid from Python 2.7 to the newest, ASCII only. No module but sys and os, which every
# interpreter has already loaded, is imported before the app: the app finds the modules, and gevent
# what it patches, as if nobody had been there before.
from __future__ import print_function

import os
import sys

PY3 = sys.version_info[0] >= 3
GRACE_S = 10           # P-174: in-flight requests after SIGTERM
HEAD_BYTES = 128 << 10  # the gateway refuses more than 64 K (P-150)
DISCARD_BYTES = 256 << 10  # of a body that the app did not read; beyond it the connection ends
RECV_BYTES = 64 << 10


def main():
    make_output_prompt()
    # A standby parks here: pre-imports, then waits on a descriptor for "go" (DESIGN 13).
    enter_project()
    application = load_application()
    load_own_modules()
    port = int(os.environ.get('LEANCLOUD_APP_PORT') or 3000)
    if patched_by_gevent():
        serve_with_gevent(application, port)
    else:
        Server(application, port).run()


# --- from the interpreter's start to an application ---------------------------------------------

def make_output_prompt():
    """One write a line. `-u` alone gives one write for every piece of a print, and lines of two
    threads mixed, from 3.7 on; before that it does what we want."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, 'reconfigure'):
            stream.reconfigure(line_buffering=True, write_through=False)


def enter_project():
    """The app's root replaces our own directory at the head of sys.path. A standby was started
    before the root was mounted: it enters it again, and forgets what finders remember (trap 3)."""
    root = os.getcwd()
    own = os.path.dirname(os.path.abspath(__file__))
    if sys.path and os.path.abspath(sys.path[0]) == own:
        del sys.path[0]
    sys.path.insert(0, root)
    sys.path_importer_cache.pop(root, None)
    if 'importlib' in sys.modules and hasattr(sys.modules['importlib'], 'invalidate_caches'):
        sys.modules['importlib'].invalidate_caches()


def load_application():
    if not os.path.isfile('wsgi.py'):
        fail('wsgi.py: no such file in %s. The cloud imports wsgi.py and serves the "application" '
             'that it defines.' % os.getcwd())
    try:
        module = __import__('wsgi')
    except SystemExit as error:
        fail('wsgi.py ended the program while it was imported: sys.exit(%r).' % (error.code,),
             error.code if isinstance(error.code, int) and error.code else 1)
    except BaseException:
        report_import_failure(*sys.exc_info())
        sys.exit(1)
    if not hasattr(module, 'application'):
        fail('wsgi.py has no "application".%s' % describe_candidates(module))
    if not callable(module.application):
        fail('wsgi.py: "application" is %s, which cannot be called. It must be a WSGI function, '
             'object or class.' % describe(module.application))
    return module.application


def report_import_failure(kind, value, trace):
    """The plain traceback, beginning at the app's first line."""
    shown = skip_own_frames(trace)
    if PY3:
        value = value.with_traceback(shown)  # the hook looks there
    try:
        # 2.7 has already emptied the globals of a module whose import failed: no hook of the app.
        (sys.excepthook if PY3 else sys.__excepthook__)(kind, value, shown)
    except Exception:
        sys.__excepthook__(kind, value, shown)
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    # os.environ['NAME'] (P-303): the innermost frame is that of os.environ itself.
    if isinstance(value, KeyError) and trace.tb_frame.f_locals.get('self') is os.environ:
        print('The app needs the environment variable %s, which is not set. Here: put it into '
              '.env; in the cloud: set it for the group in the console.' % value.args[0],
              file=sys.stderr)
    sys.stderr.flush()


def skip_own_frames(trace):
    while trace is not None and trace.tb_frame.f_globals is globals():
        trace = trace.tb_next
    return trace


def describe(thing):
    kind = type(thing)
    module = getattr(kind, '__module__', '')
    name = kind.__name__
    return name if module in ('builtins', '__builtin__', '') else module + '.' + name


def describe_candidates(module):
    for name in ('app', 'wsgi_app', 'wsgi', 'server', 'engine', 'Application', 'APPLICATION'):
        found = getattr(module, name, None)
        if callable(found):
            return (' It has "%s" (%s): add the line "application = %s".'
                    % (name, describe(found), name))
    path = getattr(module, '__file__', None)
    if not path or os.path.basename(path).split('.')[0] != 'wsgi':
        return ' What was imported is %s: a package named "wsgi" hides the file.' % path
    names = sorted(name for name in vars(module) if not name.startswith('_'))
    return (' It defines %s.' % ', '.join(names[:8])) if names else ' It defines nothing.'


def fail(message, code=1):
    print(message, file=sys.stderr)
    sys.stderr.flush()
    sys.exit(code)


def load_own_modules():
    """After the app's own, and never from the app's directory: a file of the project may be named
    like one of them (P-305)."""
    global errno, select, signal, socket, struct, threading, time
    path = list(sys.path)
    root = os.getcwd()
    sys.path[:] = [entry for entry in path if os.path.abspath(entry) != root]
    try:
        import errno
        import select
        import signal
        import socket
        import struct
        import threading
        import time
    finally:
        sys.path[:] = path


# --- a request's body -----------------------------------------------------------------------------

class ClientGone(IOError):
    """The other side closed the connection, before it had sent or read everything."""


class BadRequest(IOError):
    """What came is not HTTP as we speak it."""


class Body(object):
    """wsgi.input: exactly the body of this request, decoded, whatever the app asks for."""

    def __init__(self, connection, length, chunked, expects_continue):
        self.connection = connection
        self.left = length      # bytes to come: of the body, or of the current chunk
        self.chunked = chunked  # false again after the last chunk
        self.expects_continue = expects_continue
        self.buffer = b''

    def read(self, size=-1):
        parts, have = [self.buffer], len(self.buffer)
        while size is None or size < 0 or have < size:
            piece = self._next_piece()
            if not piece:
                break
            parts.append(piece)
            have += len(piece)
        data = b''.join(parts)
        if size is None or size < 0:
            size = have
        self.buffer = data[size:]
        return data[:size]

    def readline(self, size=-1):
        searched = 0
        while True:
            end = self.buffer.find(b'\n', searched) + 1
            searched = len(self.buffer)
            if end or size is not None and 0 <= size <= searched:
                break
            piece = self._next_piece()
            if not piece:
                break
            self.buffer += piece
        end = end or len(self.buffer)
        if size is not None and size >= 0:
            end = min(end, size)
        line, self.buffer = self.buffer[:end], self.buffer[end:]
        return line

    def readlines(self, hint=None):
        lines, have = [], 0
        for line in self:
            lines.append(line)
            have += len(line)
            if hint and have >= hint:
                break
        return lines

    def __iter__(self):
        return self

    def __next__(self):
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    next = __next__

    def is_finished(self):
        return self.left == 0 and not self.chunked

    def is_discardable(self):
        if self.expects_continue:
            return self.is_finished()  # else nobody knows whether the client will send it
        return self.left <= DISCARD_BYTES

    def discard(self):
        """Makes room for the next request. False: that would be too much, or cannot be."""
        if not self.is_discardable():
            return False
        left = DISCARD_BYTES
        while left > 0:
            piece = self._next_piece()
            if not piece:
                return True
            left -= len(piece)
        return self.is_finished()

    def _next_piece(self):
        """Some bytes of the body as they come, b'' at its end."""
        if self.is_finished():
            return b''
        if self.expects_continue:
            self.expects_continue = False
            self.connection.send(b'HTTP/1.1 100 Continue\r\n\r\n')
        if self.chunked and self.left == 0:
            self._next_chunk()
            if not self.chunked:
                return b''
        piece = self.connection.receive(self.left)
        self.left -= len(piece)
        if self.chunked and self.left == 0 and self.connection.receive_line() != b'':
            raise BadRequest('a chunk is longer than it says')
        return piece

    def _next_chunk(self):
        digits = self.connection.receive_line().split(b';')[0].strip(b' \t')
        if not digits or len(digits) > 15 or digits.strip(b'0123456789abcdefABCDEF'):
            raise BadRequest('not the size of a chunk: %r' % digits)
        self.left = int(digits, 16)
        if self.left == 0:
            self.chunked = False
            while self.connection.receive_line():
                pass  # trailers


# --- a response -----------------------------------------------------------------------------------

DAYS = ('Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun')
MONTHS = ('Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec')
OURS = ('connection', 'keep-alive', 'transfer-encoding', 'proxy-connection', 'upgrade', 'trailer')


def http_date():
    now = time.gmtime()
    return '%s, %02d %s %04d %02d:%02d:%02d GMT' % (
        DAYS[now.tm_wday], now.tm_mday, MONTHS[now.tm_mon - 1], now.tm_year,
        now.tm_hour, now.tm_min, now.tm_sec)


def wire_text(what, value):
    """The bytes of one status or field. Refuses what would end the line early."""
    if not isinstance(value, str):
        if PY3 or not isinstance(value, unicode):  # noqa: F821
            raise TypeError('%s is %s, it must be str' % (what, describe(value)))
    try:
        data = value.encode('latin-1') if not isinstance(value, bytes) else value
    except UnicodeEncodeError:
        raise ValueError('%s has characters outside ISO-8859-1: %r' % (what, value))
    if b'\r' in data or b'\n' in data or b'\0' in data:
        raise ValueError('%s has a line break or NUL in it, refused: %r' % (what, value))
    return data


class Response(object):
    """One answer. Not sent before its first byte is known, so that start_response() may be called
    again (P-87) and an early exception still becomes a 500."""

    def __init__(self, connection, request, body):
        self.connection = connection
        self.request = request
        self.body = body
        self.status = None      # bytes
        self.headers = []       # of (name, value), bytes
        self.declared = None    # the app's own Content-Length
        self.is_sent = False    # its head
        self.is_bodyless = False
        self.is_chunked = False
        self.left = None        # bytes of the declared length that are still due
        self.keep_alive = request.keep_alive
        self.is_single = False  # the result has one element: its length is the body's

    def start_response(self, status, headers, exc_info=None):
        if self.is_sent:
            if exc_info:
                reraise(exc_info)
            raise AssertionError('start_response() called after the first byte was sent')
        line = wire_text('the status', status)
        if len(line) < 3 or not line[:3].isdigit() or line[3:4] not in (b'', b' '):
            raise ValueError('not a status: %r' % (status,))
        declared, fields, keep_alive = None, [], self.request.keep_alive
        for name, value in headers:
            field = wire_text('a header name', name), wire_text('header %s' % name, value)
            lower = name.lower()
            if not field[0] or b':' in field[0] or field[0] != field[0].strip():
                raise ValueError('not a header name: %r' % (name,))
            if lower == 'content-length':
                if not field[1].strip().isdigit():
                    raise ValueError('not a Content-Length: %r' % (value,))
                declared = int(field[1])
            if lower == 'connection' and field[1].lower() == b'close':
                keep_alive = False
            if lower not in OURS:
                fields.append(field)
        self.status, self.headers, self.declared = line, fields, declared
        self.keep_alive = keep_alive
        return self.write

    def write(self, data):
        if not data:
            return  # before its type is looked at: [""] (P-89)
        require_bytes(data)
        if self.status is None:
            raise AssertionError('the application gave a body before it called start_response()')
        head = b''
        if not self.is_sent:
            head = self._head(len(data) if self.is_single else None)
        if self.is_bodyless:
            data = b''
        elif self.is_chunked:
            data = ('%x\r\n' % len(data)).encode('ascii') + data + b'\r\n'
        elif self.left is not None:
            if len(data) > self.left:
                complain('the body is longer than its Content-Length of %d bytes, cut.'
                         % self.declared)
                data = data[:self.left]
            self.left -= len(data)
        if head or data:
            self.connection.send(head + data)

    def finish(self):
        if self.status is None:
            raise AssertionError('the application never called start_response()')
        if not self.is_sent:
            self.connection.send(self._head(0))
        if self.is_chunked:
            self.connection.send(b'0\r\n\r\n')
        if self.left:
            complain('the body is %d bytes shorter than its Content-Length of %d bytes.'
                     % (self.left, self.declared))
            self.keep_alive = False

    def _head(self, length):
        """The status line and fields; decides how the body is framed. length: None if not known."""
        code = self.status[:3]
        self.is_bodyless = (self.request.method == 'HEAD' or code in (b'204', b'304')
                            or code.startswith(b'1'))
        fields = list(self.headers)
        names = set(name.lower() for name, _ in fields)
        if b'date' not in names:
            fields.append((b'Date', http_date().encode('ascii')))
        if self.declared is not None:
            self.left = None if self.is_bodyless else self.declared
        elif self.is_bodyless:
            if self.request.method == 'HEAD' and length:
                fields.append((b'Content-Length', str(length).encode('ascii')))
        elif length is not None:
            self.left = self.declared = length
            fields.append((b'Content-Length', str(length).encode('ascii')))
        elif self.request.is_http11:
            self.is_chunked = True
            fields.append((b'Transfer-Encoding', b'chunked'))
        else:
            self.keep_alive = False
        if self.connection.server.is_stopping or not self.body.is_discardable():
            self.keep_alive = False
        if not self.keep_alive:
            fields.append((b'Connection', b'close'))
        elif not self.request.is_http11:
            fields.append((b'Connection', b'keep-alive'))
        self.is_sent = True
        lines = [b'HTTP/1.1 ' + self.status]
        lines.extend(name + b': ' + value for name, value in fields)
        return b'\r\n'.join(lines) + b'\r\n\r\n'

    def is_delimited_by_close(self):
        return (self.is_sent and not self.is_bodyless and not self.is_chunked
                and self.left is None)


def require_bytes(chunk):
    if not isinstance(chunk, bytes):
        raise TypeError('the application gave %s as a part of the body, it must be bytes: %.60r'
                        % (describe(chunk), chunk))


def reraise(exc_info):
    if PY3:
        raise exc_info[1].with_traceback(exc_info[2])
    exec('raise a, b, c', {'a': exc_info[0], 'b': exc_info[1], 'c': exc_info[2]})


def complain(message):
    print(message, file=sys.stderr)


def report_exception():
    import traceback
    kind, value, trace = sys.exc_info()
    lines = traceback.format_exception(kind, value, skip_own_frames(trace))
    sys.stderr.write(''.join(lines))  # one write: requests run side by side
    sys.stderr.flush()


def run_application(application, environ, response):
    """PEP 3333, as far as applications rely on it. close() is called whatever happens."""
    result = application(environ, response.start_response)
    if result is None or isinstance(result, bytes) and PY3:
        raise TypeError('the application returned %s, it must return an iterable of bytes, as in '
                        '[b"text"]' % describe(result))
    try:
        if isinstance(result, (list, tuple, bytes)) and not response.is_sent:
            join_body(result, response)
        else:
            response.is_single = has_one_element(result)
            for chunk in result:
                response.write(chunk)
                if response.is_bodyless:
                    break  # HEAD of an endless stream
        response.finish()
    finally:
        close = getattr(result, 'close', None)
        if close is not None:
            close()


def join_body(result, response):
    chunks = [result] if isinstance(result, bytes) else [chunk for chunk in result if chunk]
    for chunk in chunks:
        require_bytes(chunk)  # all of them, before the first is sent
    response.is_single = True
    response.write(b''.join(chunks))


def has_one_element(result):
    try:
        return len(result) == 1
    except (TypeError, AttributeError, NotImplementedError):
        return False


# --- a connection: requests one after the other ------------------------------------------------

class Request(object):
    """The head of one request, parsed."""

    def __init__(self, head):
        lines = head.split(b'\r\n')
        words = lines[0].split(b' ')
        if len(words) != 3 or words[2] not in (b'HTTP/1.1', b'HTTP/1.0'):
            raise BadRequest('not a request line: %.100r' % lines[0])
        self.method, self.target, self.protocol = [to_native(word) for word in words]
        self.is_http11 = self.protocol == 'HTTP/1.1'
        self.headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(b':')
            if not colon or not name or name != name.strip():
                raise BadRequest('not a header: %.100r' % line)
            self._add(to_native(name).lower(), to_native(value.strip(b' \t')))
        options = [word.strip() for word in self.headers.get('connection', '').lower().split(',')]
        self.keep_alive = 'close' not in options and (self.is_http11 or 'keep-alive' in options)
        self._find_body()

    def _add(self, name, value):
        if name in self.headers:
            if name in ('content-length', 'transfer-encoding', 'host'):
                raise BadRequest('two of %s' % name)
            value = self.headers[name] + ('; ' if name == 'cookie' else ',') + value
        self.headers[name] = value

    def _find_body(self):
        coding = self.headers.get('transfer-encoding')
        length = self.headers.get('content-length')
        self.is_chunked = coding is not None
        if self.is_chunked and (coding.lower() != 'chunked' or length is not None):
            raise BadRequest('Transfer-Encoding: %s' % coding)
        if length is not None and not length.isdigit():
            raise BadRequest('Content-Length: %s' % length)
        self.length = int(length or 0)
        self.expects_continue = (self.is_http11 and (self.is_chunked or self.length > 0)
                                 and self.headers.get('expect', '').lower() == '100-continue')

    def environ(self, body, server_port, peer):
        target = self.target
        if not target.startswith('/') and '://' in target:
            target = '/' + target.split('://', 1)[1].partition('/')[2]
        path, _, query = target.partition('?')
        environ = {
            'REQUEST_METHOD': self.method, 'SCRIPT_NAME': '', 'PATH_INFO': unquote(path),
            'QUERY_STRING': query, 'REQUEST_URI': self.target, 'SERVER_NAME': 'localhost',
            'SERVER_PORT': str(server_port), 'SERVER_PROTOCOL': self.protocol,
            'REMOTE_ADDR': peer[0], 'REMOTE_PORT': str(peer[1]),
            'wsgi.version': (1, 0), 'wsgi.url_scheme': 'http',  # P-96
            'wsgi.input': body, 'wsgi.input_terminated': True, 'wsgi.errors': sys.stderr,
            'wsgi.multithread': True, 'wsgi.multiprocess': False, 'wsgi.run_once': False,
            'wsgi.file_wrapper': FileWrapper,
        }
        for name, value in self.headers.items():
            if name in ('content-type', 'content-length'):
                environ[name.upper().replace('-', '_')] = value
            elif '_' not in name:  # X_A would pass for X-A
                environ['HTTP_' + name.upper().replace('-', '_')] = value
        return environ


def to_native(data):
    return data.decode('latin-1') if PY3 else data


def unquote(path):
    parts = path.split('%')
    for index in range(1, len(parts)):
        try:
            parts[index] = chr(int(parts[index][:2], 16)) + parts[index][2:]
        except ValueError:
            parts[index] = '%' + parts[index]
    return ''.join(parts)


class Connection(object):
    def __init__(self, server, sock, peer):
        self.server = server
        self.sock = sock
        self.peer = peer
        self.buffer = b''
        self.is_idle = True  # between two requests; the server's lock guards it

    def run(self):
        try:
            while self._serve_one():
                pass
        except (ClientGone, socket.error):
            pass
        except Exception:
            report_exception()
        finally:
            self.server.forget(self)
            self.sock.close()

    def send(self, data):
        try:
            self.sock.sendall(data)
        except socket.error as error:
            raise ClientGone(error.errno, 'the client closed the connection')

    def receive(self, limit):
        """1 to limit bytes."""
        if not self.buffer and not self._fill():
            raise ClientGone(errno.ECONNRESET, 'the client closed the connection in the request')
        data, self.buffer = self.buffer[:limit], self.buffer[limit:]
        return data

    def receive_line(self):
        while b'\r\n' not in self.buffer:
            if len(self.buffer) > HEAD_BYTES:
                raise BadRequest('a line without end')
            if not self._fill():
                raise ClientGone(errno.ECONNRESET, 'the client closed the connection')
        line, _, self.buffer = self.buffer.partition(b'\r\n')
        return line

    def _fill(self):
        while True:
            try:
                data = self.sock.recv(RECV_BYTES)
                break
            except socket.error as error:
                if error.errno != errno.EINTR:  # 2.7: SIGTERM may meet any thread
                    raise ClientGone(error.errno, 'the client closed the connection')
        self.buffer += data
        return bool(data)

    def _serve_one(self):
        """False: the connection is over."""
        if not self.buffer and not self._fill():
            return False
        self.server.begin(self)
        try:
            keep = self._answer()
            return self.server.end(self) and keep
        except BaseException:
            self.server.end(self)
            raise

    def _answer(self):
        try:
            request = Request(self._receive_head())
        except BadRequest as error:
            return self._refuse(error)
        body = Body(self, request.length, request.is_chunked, request.expects_continue)
        response = Response(self, request, body)
        environ = request.environ(body, self.server.port, self.peer)
        try:
            run_application(self.server.application, environ, response)
        except ClientGone:
            return False
        except BadRequest as error:
            return self._refuse(error) if not response.is_sent else self._abort(response)
        except BaseException:  # SystemExit too: it would end this thread without a word
            report_exception()
            if response.is_sent:
                return self._abort(response)
            return self._send_error(request, '500 Internal Server Error')
        if not response.keep_alive or not body.discard():
            self._linger()
            return False
        return True

    def _receive_head(self):
        while True:
            while self.buffer.startswith(b'\r\n'):
                self.buffer = self.buffer[2:]
            head, found, rest = self.buffer.partition(b'\r\n\r\n')
            if found:
                self.buffer = rest
                return head
            if len(self.buffer) > HEAD_BYTES:
                raise BadRequest('the head has no end')
            if not self._fill():
                raise ClientGone(errno.ECONNRESET, 'the client closed the connection')

    def _refuse(self, error):
        complain('Bad request: %s' % error)
        return self._send_error(None, '400 Bad Request')

    def _send_error(self, request, status):
        text = (status[4:] + '\n').encode('ascii')
        head = ('HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nDate: %s\r\n'
                'Connection: close\r\n\r\n' % (status, len(text), http_date())).encode('ascii')
        self.send(head if request and request.method == 'HEAD' else head + text)
        self._linger()
        return False

    def _abort(self, response):
        """What was sent must not pass for complete; a chunked or measured body says so itself."""
        if response.is_delimited_by_close():
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        return False

    def _linger(self):
        """Closing while bytes of the request are unread resets the connection, and the client may
        lose the answer: wait a little for its end."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
            self.sock.settimeout(1)
            left = 4 * DISCARD_BYTES
            while left > 0:
                data = self.sock.recv(RECV_BYTES)
                if not data:
                    break
                left -= len(data)
        except socket.error:
            pass


class FileWrapper(object):
    """wsgi.file_wrapper (PEP 333), which some call without asking whether it is there."""

    def __init__(self, source, size=8192):
        self.source = source
        self.size = size
        if hasattr(source, 'close'):
            self.close = source.close

    def __iter__(self):
        return self

    def __next__(self):
        data = self.source.read(self.size)
        if not data:
            raise StopIteration
        return data

    next = __next__


# --- the threaded server ------------------------------------------------------------------------

def listen(port):
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(('0.0.0.0', port))
        listener.listen(1024)
    except socket.error as error:
        fail('cannot listen on 0.0.0.0:%d: %s' % (port, os.strerror(error.errno)))
    return listener


class Server(object):
    """One thread a connection. The main thread accepts, and is woken by signals."""

    def __init__(self, application, port):
        self.application = application
        self.port = port
        self.is_stopping = False
        self.changed = threading.Condition()
        self.connections = set()

    def run(self):
        give_threads_an_event_loop()
        # The handlers first: who sees the port open may send SIGTERM at once.
        wake_fd = self._catch_signals()
        listener = listen(self.port)
        listener.settimeout(0)  # who knocked may have gone before accept()
        while not self.is_stopping:
            try:
                ready = select.select([listener, wake_fd], [], [])[0]
            except (OSError, select.error) as error:
                if error.args[0] != errno.EINTR:
                    raise
                continue
            if listener in ready:
                self._accept(listener)
        self._stop(listener)

    def _catch_signals(self):
        """A signal's number is written to a pipe by the C handler, so none is lost between a test
        of is_stopping and the wait."""
        read_fd, write_fd = os.pipe()
        for fd in (read_fd, write_fd):
            set_nonblocking(fd)
        signal.set_wakeup_fd(write_fd)
        self.app_handler = signal.getsignal(signal.SIGTERM)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        return read_fd

    def _on_signal(self, number, frame):
        self.is_stopping = True

    def _accept(self, listener):
        try:
            sock, peer = listener.accept()
        except socket.error as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                complain('cannot accept a connection: %s' % os.strerror(error.errno))
                time.sleep(0.1)
            return False
        sock.settimeout(None)  # the app may have called setdefaulttimeout()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(self, sock, peer)
        with self.changed:
            self.connections.add(connection)
        thread = threading.Thread(target=connection.run)
        thread.daemon = True
        try:
            thread.start()
        except Exception:  # no more threads
            report_exception()
            self.forget(connection)
            sock.close()
        return True

    def begin(self, connection):
        with self.changed:
            connection.is_idle = False

    def end(self, connection):
        with self.changed:
            connection.is_idle = True
            return not self.is_stopping

    def forget(self, connection):
        with self.changed:
            self.connections.discard(connection)
            self.changed.notify_all()

    def _stop(self, listener):
        """Who is already in the queue is served, requests under way are finished."""
        deadline = time.time() + GRACE_S
        exit_at(deadline)
        while self._accept(listener):
            pass
        listener.close()
        with self.changed:
            for connection in self.connections:
                if connection.is_idle:
                    end_reading(connection.sock)
            while self.connections and time.time() < deadline:
                self.changed.wait(max(0.01, deadline - time.time()))
        finish(self.app_handler)


def give_threads_an_event_loop():
    """asyncio.get_event_loop() makes a loop in the main thread only. Where requests are greenlets
    of one thread (P-85) that is enough: Tornado's WSGI adapter (P-95), and views that run a
    coroutine, rely on it. Not for an app with a policy of its own."""
    asyncio = sys.modules.get('asyncio')
    if asyncio is None or sys.version_info >= (3, 14):
        return  # 3.14 has none in the main thread either
    if type(asyncio.get_event_loop_policy()) is not asyncio.DefaultEventLoopPolicy:
        return

    class Policy(asyncio.DefaultEventLoopPolicy):
        def get_event_loop(self):
            try:
                return asyncio.DefaultEventLoopPolicy.get_event_loop(self)
            except RuntimeError:
                self.set_event_loop(self.new_event_loop())
                return asyncio.DefaultEventLoopPolicy.get_event_loop(self)

    asyncio.set_event_loop_policy(Policy())


def end_reading(sock):
    # Bytes that have already come stay readable: a request just being sent is still answered.
    try:
        sock.shutdown(socket.SHUT_RD)
    except socket.error:
        pass


def exit_at(deadline):
    """Threads of the app that are no daemons would keep the process for ever."""
    def watch():
        time.sleep(max(0, deadline - time.time()))
        os._exit(0)
    thread = threading.Thread(target=watch)
    thread.daemon = True
    thread.start()


def finish(app_handler, at_once=False):
    """What the app wants to be done at SIGTERM is done after its last request. at_once: the end of
    an interpreter full of greenlets is noisy, so it is left out; atexit's functions run."""
    if callable(app_handler):
        app_handler(signal.SIGTERM, None)
    if at_once:
        import atexit
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    sys.exit(0)


def set_nonblocking(fd):
    import fcntl
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK)


# --- gevent's server, for an app that has patched itself ---------------------------------------

def patched_by_gevent():
    monkey = sys.modules.get('gevent.monkey')
    if monkey is None:
        return False
    if hasattr(monkey, 'is_module_patched'):
        return monkey.is_module_patched('socket')
    return 'socket' in getattr(monkey, 'saved', {})  # gevent 1.0


def serve_with_gevent(application, port):
    """As the vendor's own templates do it (P-84): no access log, WebSocket where its package is."""
    import gevent
    import gevent.event
    import gevent.pywsgi
    try:
        from geventwebsocket.handler import WebSocketHandler as handler
    except ImportError:
        handler = gevent.pywsgi.WSGIHandler
    busy = [0]

    class Handler(handler):
        def handle_one_response(self):
            busy[0] += 1
            try:
                return handler.handle_one_response(self)
            finally:
                busy[0] -= 1

    app_handler = signal.getsignal(signal.SIGTERM)
    stop = gevent.event.Event()
    on_signal = getattr(gevent, 'signal_handler', None) or gevent.signal
    on_signal(signal.SIGTERM, stop.set)
    on_signal(signal.SIGINT, stop.set)
    # SERVER_NAME given, or gevent asks the DNS for it.
    server = gevent.pywsgi.WSGIServer(listen(port), application, log=None, handler_class=Handler,
                                      environ={'SERVER_NAME': 'localhost',
                                               'wsgi.file_wrapper': FileWrapper})
    server.start()
    stop.wait()
    server.close()
    deadline = time.time() + GRACE_S
    while busy[0] and time.time() < deadline:
        gevent.sleep(0.02)
    finish(app_handler, at_once=True)


if __name__ == '__main__':
    main()
