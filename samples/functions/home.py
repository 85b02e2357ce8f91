# What answers the paths that are not the SDK's.
GREETING = b"Hello from cloud functions\n"  # edit me, save, reload the page


def home(environ, start_response):
    if environ["PATH_INFO"] == "/echo":
        return echo(environ, start_response)
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [GREETING]


def echo(environ, start_response):
    socket = environ.get("wsgi.websocket")
    if socket is None:
        start_response("400 Bad Request", [("Content-Type", "text/plain")])
        return [b"ask for a WebSocket\n"]
    message = socket.receive()
    while message is not None:
        socket.send(message)
        message = socket.receive()
    return []
