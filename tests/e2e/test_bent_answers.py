"""An app whose answers are no good HTTP: said by verify, which has no balancer in front of the app, and by the balancer."""

APP = """
import os, socket
listener = socket.create_server(("0.0.0.0", int(os.environ["LEANCLOUD_APP_PORT"])))
while True:
    connection, _ = listener.accept()
    connection.recv(65536)
    connection.sendall(%r)
    connection.close()
"""


# The checks take the last length; the balancer takes none of two.
ANSWER = b"HTTP/1.1 200 OK\nX : y\nContent-Length: 3\nContent-Length: 2\n\nok"


def test_a_bad_answer_is_a_finding_and_an_event(project, run, up):
    root = project({"wsgi.py": "", "requirements.txt": "", "leanengine.yaml": "run: python app.py\n",
                    "app.py": APP % ANSWER})
    done = run("verify", root)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "the answer to /: a line ends with LF alone" in said and "RFC 9112 §2.2" in said
    assert "a blank between a field's name and the colon" in said
    assert "two different Content-Length fields; behind the balancer that is a 502" in said
    instance = up(root)
    instance.wait_healthy()
    status, body = instance.http("/")
    assert status == 502 and b"two different Content-Length fields" in body
    instance.wait_line("the app's answer cannot be read: two different Content-Length fields")
