"""A client that sends bytes as they are and says exactly what came back."""
import socket


class Answer:
    def __init__(self, status, reason, headers, body, is_complete, chunks):
        self.status = status
        self.reason = reason
        self.headers = headers      # list of (lower-case name, value)
        self.body = body
        self.is_complete = is_complete
        self.chunks = chunks        # as framed, for chunked bodies

    def get(self, name):
        values = [value for key, value in self.headers if key == name.lower()]
        return values[0] if values else None


class Client:
    def __init__(self, port, timeout=10):
        self.sock = socket.create_connection(('127.0.0.1', port), timeout)
        self.buffer = b''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def get(self, path, method='GET', headers='', version='1.1'):
        self.send(('%s %s HTTP/%s\r\nHost: test\r\n%s\r\n'
                   % (method, path, version, headers)).encode('latin-1'))
        return self.answer(method)

    def post(self, path, body, headers=''):
        self.send(('POST %s HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n%s\r\n'
                   % (path, len(body), headers)).encode('latin-1') + body)
        return self.answer()

    def _more(self):
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            self.was_reset = True
            return False
        self.buffer += data
        return bool(data)

    was_reset = False

    def line(self):
        while b'\r\n' not in self.buffer:
            if not self._more():
                raise EOFError('closed, after %r' % self.buffer)
        line, _, self.buffer = self.buffer.partition(b'\r\n')
        return line

    def take(self, size):
        """size bytes, or fewer at the end of the connection."""
        while len(self.buffer) < size and self._more():
            pass
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def at_end(self):
        return not self.buffer and not self._more()

    def head(self):
        status = self.line().decode('latin-1').split(' ', 2)
        headers = []
        while True:
            line = self.line().decode('latin-1')
            if not line:
                return status, headers
            name, _, value = line.partition(':')
            headers.append((name.lower(), value.strip()))

    def chunk(self):
        """The next chunk of a chunked body, b'' at its proper end, None if it broke off."""
        try:
            size = int(self.line(), 16)
        except EOFError:
            return None
        data = self.take(size)
        if len(data) < size or self.take(2) != b'\r\n':
            return None
        return data

    def answer(self, method='GET'):
        status, headers = self.head()
        assert status[0] == 'HTTP/1.1', status
        code = int(status[1])
        fields = dict(headers)
        body, complete, chunks = b'', True, []
        if method == 'HEAD' or code in (204, 304) or code < 200:
            pass
        elif fields.get('transfer-encoding') == 'chunked':
            while True:
                piece = self.chunk()
                if not piece:
                    complete = piece is not None
                    break
                chunks.append(piece)
            body = b''.join(chunks)
        elif 'content-length' in fields:
            body = self.take(int(fields['content-length']))
            complete = len(body) == int(fields['content-length'])
        else:
            while self._more():
                pass
            body, self.buffer = self.buffer, b''
            complete = not self.was_reset
        return Answer(code, status[2], headers, body, complete, chunks)
