"""HTTP for tests: no proxies, no redirects, one connection a request unless a Client is kept."""

import http.client
import json


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "<%d %r>" % (self.status, self.text[:200])


class Client:
    """One kept-alive connection."""

    def __init__(self, address, port, limit_s=10):
        self.connection = http.client.HTTPConnection(address, port, timeout=limit_s)

    def ask(self, path="/", method="GET", body=None, headers=None):
        self.connection.request(method, path, body=body, headers=headers or {})
        return Answer(self.connection.getresponse())

    def close(self):
        self.connection.close()


def ask(address, port, path="/", method="GET", body=None, headers=None, limit_s=10):
    client = Client(address, port, limit_s)
    try:
        return client.ask(path, method, body, {"Connection": "close", **(headers or {})})
    finally:
        client.close()
