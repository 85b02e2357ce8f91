import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

COUNTS = ("0.0.0.0", 8125)  # one datagram, one more
ADDRESS = ("0.0.0.0", 3000)
GREETING = "Hello from port %d"  # edit me, save, reload the page

counted = 0


def count(counter):
    global counted
    while True:
        counter.recv(1500)
        counted += 1


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(("127.0.0.1", COUNTS[1]))
            client.send(b"request:1|c")
        body = (GREETING % self.server.server_port + ", %d counted\n" % counted).encode("utf-8")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


counter = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
counter.bind(COUNTS)
threading.Thread(target=count, args=(counter,), daemon=True).start()
HTTPServer(ADDRESS, Handler).serve_forever()
