"""HTTP/1.1 of the runner's own server: framing, keep-alive, bodies, refusals."""
import json

import pytest

from runner_kit import wait_until
from runner_client import Client


@pytest.fixture
def client(everything):
    with Client(everything.port) as found:
        yield found


@pytest.mark.contract("P-96")
def test_environ(client, everything):
    answer = client.get('/environ_json/a%20b%E4%B8%AD%zz?x=%20&y', headers=(
        'X-One: 1\r\nX-One: 2\r\nCookie: a=1\r\nCookie: b=2\r\nX_Under: no\r\n'
        'Content-Type: text/x\r\n'))
    environ = json.loads(answer.body)
    assert environ['REQUEST_METHOD'] == 'GET'
    assert environ['SCRIPT_NAME'] == ''
    # On 3 these are the bytes as latin-1; json on 2.7 has read them as UTF-8.
    assert environ['PATH_INFO'] in ('/environ_json/a b\xe4\xb8\xad%zz',
                                    '/environ_json/a b\u4e2d%zz')
    assert environ['QUERY_STRING'] == 'x=%20&y'
    assert environ['REQUEST_URI'] == '/environ_json/a%20b%E4%B8%AD%zz?x=%20&y'
    assert environ['SERVER_PROTOCOL'] == 'HTTP/1.1'
    assert environ['SERVER_PORT'] == str(everything.port)
    assert environ['SERVER_NAME']
    assert environ['REMOTE_ADDR'] == '127.0.0.1'
    assert environ['HTTP_HOST'] == 'test'
    assert environ['HTTP_X_ONE'] == '1,2'
    assert environ['HTTP_COOKIE'] == 'a=1; b=2'
    assert 'HTTP_X_UNDER' not in environ
    assert environ['CONTENT_TYPE'] == 'text/x'
    assert 'CONTENT_LENGTH' not in environ and 'HTTP_CONTENT_TYPE' not in environ
    assert environ['wsgi.url_scheme'] == 'http'  # P-96
    assert environ['wsgi.multithread'] is True
    assert environ['wsgi.multiprocess'] is False and environ['wsgi.run_once'] is False
    assert environ['types'] == ['str']


def test_absolute_form_of_the_target(client):
    environ = json.loads(client.get('http://other/environ_json/p?q=1').body)
    assert (environ['PATH_INFO'], environ['QUERY_STRING']) == ('/environ_json/p', 'q=1')


def test_keep_alive_and_date(client):
    for _ in range(3):
        answer = client.get('/known')
        assert answer.status == 200 and answer.get('connection') is None
        assert answer.get('date').endswith(' GMT')
    assert client.get('/known', headers='Connection: close\r\n').get('connection') == 'close'
    assert client.at_end()


def test_two_pipelined_requests_are_answered_in_order(client):
    client.send(b'POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\none'
                b'GET /known HTTP/1.1\r\nHost: t\r\n\r\n')
    assert client.answer().body == b'one'
    assert client.answer().body == b'abcdefg'


def test_request_byte_by_byte(client):
    for byte in b'POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nhi':
        client.send(bytes([byte]))
    assert client.answer().body == b'hi'


def test_http10_closes(client):
    answer = client.get('/known', version='1.0')
    assert answer.body == b'abcdefg' and answer.get('connection') == 'close'
    assert client.at_end()


def test_http10_keep_alive_with_a_known_length(client):
    for _ in range(2):
        answer = client.get('/known', version='1.0', headers='Connection: keep-alive\r\n')
        assert answer.get('connection') == 'keep-alive' and answer.body == b'abcdefg'


def test_http10_stream_ends_with_the_connection(client, everything):
    with Client(everything.port) as other:
        other.get('/opens_gate?ten')
    answer = client.get('/stream?ten', version='1.0', headers='Connection: keep-alive\r\n')
    assert answer.get('transfer-encoding') is None and answer.get('content-length') is None
    assert answer.body == b'onetwo' and answer.is_complete


def test_chunked_request_body(client):
    client.send(b'POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n'
                b'4\r\nwiki\r\n5;ext=1\r\npedia\r\n0\r\nTrailer: x\r\n\r\n')
    assert client.answer().body == b'wikipedia'
    assert client.get('/known').status == 200


def test_upload_of_1_mb(client):
    body = bytes(range(256)) * 4096
    assert client.post('/echo', body).body == body
    client.send(b'POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n')
    for start in range(0, len(body), 70000):
        piece = body[start:start + 70000]
        client.send(b'%x\r\n%s\r\n' % (len(piece), piece))
    client.send(b'0\r\n\r\n')
    assert client.answer().body == body


def test_input_reads_lines_and_never_beyond_the_body(client):
    body = b'first\nsecond\nthird\nfourth\nlast'
    client.send(b'POST /lines HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n%s'
                b'GET /known HTTP/1.1\r\nHost: t\r\n\r\n' % (len(body), body))
    parts, rest, after = json.loads(client.answer().body)
    assert parts == ['first\n', 'sec', 'on', 'd\n']
    assert rest == ['third\n', 'fourth\n', 'last'] and after == ''
    assert client.answer().body == b'abcdefg'


def test_unread_body_is_passed_over(client):
    assert client.post('/ignores_body', b'x' * 50000).body == b'ignored'
    assert client.post('/reads_some', b'abcdefgh').body == b'abcd'
    assert client.get('/known').status == 200


def test_huge_unread_body_ends_the_connection_after_the_answer(client):
    answer = client.post('/ignores_body', b'x' * 600000)
    assert answer.body == b'ignored' and answer.get('connection') == 'close'
    assert client.at_end()


def test_expect_continue_when_the_app_reads(client):
    client.send(b'POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n'
                b'Expect: 100-continue\r\n\r\n')
    status, headers = client.head()
    assert status[1] == '100' and headers == []
    client.send(b'ok')
    assert client.answer().body == b'ok'
    assert client.get('/known').status == 200


def test_expect_continue_is_not_sent_when_the_app_does_not_read(client):
    client.send(b'POST /ignores_body HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n'
                b'Expect: 100-continue\r\n\r\n')
    answer = client.answer()
    assert answer.status == 200 and answer.get('connection') == 'close'


def test_stream_arrives_chunk_by_chunk(client, everything):
    client.send(b'GET /stream?live HTTP/1.1\r\nHost: t\r\n\r\n')
    status, headers = client.head()
    assert ('transfer-encoding', 'chunked') in headers
    assert client.chunk() == b'one'  # while the generator waits
    with Client(everything.port) as other:
        other.get('/opens_gate?live')
    assert [client.chunk(), client.chunk()] == [b'two', b'']
    assert client.get('/known').status == 200


@pytest.mark.parametrize('path,length', [
    ('/known', '7'), ('/one_element', '6'), ('/empty_str', '0')])
def test_known_length_is_said(client, path, length):
    answer = client.get(path)
    assert answer.get('content-length') == length and len(answer.body) == int(length)
    assert answer.get('transfer-encoding') is None


@pytest.mark.parametrize('status', ['204_No_Content', '304_Not_Modified'])
def test_status_without_body(client, status):
    answer = client.get('/no_content?' + status)
    assert answer.status == int(status[:3]) and answer.get('transfer-encoding') is None
    assert client.get('/known').body == b'abcdefg'  # nothing stands between


def test_head_has_no_body_and_ends_an_endless_stream(client):
    assert client.get('/known', 'HEAD').status == 200
    assert client.get('/endless?head', 'HEAD').status == 200
    assert client.get('/known').body == b'abcdefg'
    wait_until(lambda: 'closed head' in json.loads(client.get('/events').body), 'not closed')


def test_app_says_close(client):
    answer = client.get('/says_close')
    assert answer.get('connection') == 'close' and answer.get('transfer-encoding') is None
    assert answer.body == b'bye' and client.at_end()


def test_body_longer_than_declared_is_cut(client, everything):
    assert client.get('/too_long').body == b'abc'
    assert client.get('/known').body == b'abcdefg'
    wait_until(lambda: 'longer than its Content-Length' in everything.stderr, 'not said')


def test_body_shorter_than_declared_does_not_pass_for_complete(client):
    assert not client.get('/too_short').is_complete


@pytest.mark.parametrize('request_bytes', [
    b'GET / HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    b'GET / HTTP/1.1\r\nHost: t\r\nContent-Length: -1\r\n\r\n',
    b'GET / HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc',
    b'GET / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip\r\n\r\n',
    b'POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n'
    b'0x5\r\nhello\r\n0\r\n\r\n',
    b'POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n',
    b'GET / HTTP/1.1\r\nHost: t\r\nno colon\r\n\r\n',
    b'GET / HTTP/1.1\r\nHost : t\r\n\r\n',
    b'GET / HTTP/1.1\r\nHost: t\r\n folded\r\n\r\n',
    b'nonsense\r\n\r\n',
    b'GET / HTTP/2.0\r\n\r\n',
])
def test_what_is_not_http_is_400_and_the_end(client, request_bytes):
    client.send(request_bytes)
    assert client.answer().status == 400
    assert client.at_end()


def test_endless_head_is_refused(client):
    client.send(b'GET / HTTP/1.1\r\nX: ' + b'x' * 200000)
    assert client.answer().status == 400


def test_many_at_once(everything):
    clients = [Client(everything.port) for _ in range(100)]
    for each in clients:
        each.send(b'GET /known HTTP/1.1\r\nHost: t\r\n\r\n')
    assert all(each.answer().body == b'abcdefg' for each in clients)
    for each in clients:
        each.close()
