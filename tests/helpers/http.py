"""HTTP for tests: no proxies, no redirects, one connection a request unless a Client or Stream is kept."""

import http.client
import json
import socket


class Answer(tuple):
    """(status, body) with the headers at hand."""

    def __new__(cls, status, body, headers):
        made = super().__new__(cls, (status, body))
        made.headers = headers
        return made

    @property
    def status(self):
        return self[0]

    @property
    def body(self):
        return self[1]

    @property
    def text(self):
        return self[1].decode("utf-8", "replace")

    def json(self):
        return json.loads(self[1])


class Client:
    """One kept-alive connection."""

    def __init__(self, address, port, limit_s=10):
        self.connection = http.client.HTTPConnection(address, port, timeout=limit_s)

    def ask(self, path="/", method=None, data=None, headers=None):
        self.connection.request(method or ("GET" if data is None else "POST"), path, body=data,
                                headers=headers or {})
        response = self.connection.getresponse()
        return Answer(response.status, response.read(), response.headers)

    def close(self):
        self.connection.close()


def ask(address, port, path="/", limit_s=30, headers=None, **keywords):
    client = Client(address, port, limit_s)
    try:
        return client.ask(path, headers={"Connection": "close", **(headers or {})}, **keywords)
    finally:
        client.close()


class Stream:
    """An answer that is read while it comes; `with up.open(path) as stream`."""

    def __init__(self, address, port, path, limit_s=10):
        self.bytes = b""
        self.socket = socket.create_connection((address, port), timeout=limit_s)
        self.socket.sendall(("GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path).encode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def read_until(self, wanted):
        while wanted not in self.bytes:
            piece = self.socket.recv(65536)
            assert piece, "it ended before %r: %r" % (wanted, self.bytes)
            self.bytes += piece
        return True
