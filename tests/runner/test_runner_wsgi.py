"""The contract between the runner and an application: PEP 3333, and where it must be lenient."""
import json

import pytest

from runner_kit import wait_until
from runner_client import Client


@pytest.fixture
def client(everything):
    with Client(everything.port) as found:
        yield found


def events(everything):
    with Client(everything.port) as client:
        return json.loads(client.get('/events').body)


@pytest.mark.contract("P-87", "P-88")
def test_start_response_twice_the_last_wins(client):  # P-87: the vendor's SDK answers its ping so
    answer = client.get('/twice')
    assert answer.status == 201 and answer.get('content-type') == 'text/plain; charset=utf-8'
    assert answer.get('x-first') is None
    assert json.loads(answer.body) == {'runtime': 'x', 'version': 'y'}


def test_start_response_after_the_first_byte_breaks_off(client, everything):
    answer = client.get('/twice_late')
    assert answer.body == b'sent' and not answer.is_complete
    wait_until(lambda: 'start_response() called after the first byte' in everything.stderr, 'log')


def test_exc_info_replaces_what_was_not_sent(client):
    answer = client.get('/replaced')
    assert answer.status == 503 and answer.get('x-second') == '1' and answer.body == b'sorry'
    assert answer.get('x-first') is None


def test_exc_info_is_raised_again_when_it_comes_too_late(client, everything):
    answer = client.get('/replaced_late')
    assert answer.body == b'sent' and not answer.is_complete
    wait_until(lambda: 'ValueError: came too late' in everything.stderr, 'log')


def test_write_callable(client):
    answer = client.get('/writes')
    assert answer.body == b'first second third' and len(answer.chunks) == 3


@pytest.mark.contract("P-80")
def test_a_file_as_the_body(client, everything):
    assert client.get('/wrapped').body == b'a' * 4096 + b'b' * 4096
    wait_until(lambda: 'source closed' in events(everything), 'it was not closed')


@pytest.mark.contract("P-89")
def test_empty_str_chunk_is_skipped(client):  # P-89
    answer = client.get('/empty_str')
    assert answer.status == 200 and answer.body == b'' and answer.get('x-allow') == 'yes'


@pytest.mark.parametrize('what', ['none', 'int', 'unicode', 'mixed'])
def test_what_is_not_bytes_is_500_and_named(client, everything, what):
    answer = client.get('/bad?' + what)
    assert answer.status == 500 and b'Traceback' not in answer.body
    expected = 'must return an iterable of bytes' if what == 'none' else 'it must be bytes'
    wait_until(lambda: expected in everything.stderr, 'log')


@pytest.mark.parametrize('what', ['inject', 'inject-name', 'lf', 'nul', 'type', 'wide', 'length',
                                  'colon'])
def test_bad_header_is_500_and_not_sent(client, what):
    answer = client.get('/bad_header?' + what)
    assert answer.status == 500 and answer.get('x-evil') is None and answer.get('x-a') is None


def test_bad_status_is_500(client):
    answer = client.get('/bad_status')
    assert answer.status == 500 and answer.get('x-evil') is None


def test_latin1_header(client):
    assert client.get('/latin').get('x-latin') == 'caf\xe9'


@pytest.mark.parametrize('path', ['/never_starts', '/never_starts_empty'])
def test_no_start_response_is_500(client, path):
    assert client.get(path).status == 500


def test_early_exception_is_500_with_a_traceback_in_the_log(client, everything):
    answer = client.get('/fail_early')
    assert answer.status == 500 and answer.get('content-type') == 'text/plain'
    assert b'early trouble' not in answer.body
    wait_until(lambda: 'ValueError: early trouble' in everything.stderr, 'log')
    assert 'runner.py' not in everything.stderr.split('early trouble')[0].split('Traceback')[-1]


def test_late_exception_breaks_off(client, everything):
    answer = client.get('/fail_late?chunked')
    assert answer.body == b'a part' and not answer.is_complete
    wait_until(lambda: 'closed chunked' in events(everything), 'close() not called')


def test_late_exception_with_a_length_breaks_off(client):
    assert not client.get('/fail_measured').is_complete


def test_late_exception_in_http10_resets(client):
    assert not client.get('/fail_late?ten', version='1.0').is_complete


def test_sys_exit_in_a_request_is_an_error_not_the_end(client, everything):
    assert client.get('/exits').status == 500
    with Client(everything.port) as other:
        assert other.get('/known').status == 200


def test_close_is_called(client, everything):
    assert client.get('/closing?plain').body == b'ab'
    wait_until(lambda: 'closed plain' in events(everything), 'close() not called')


def test_client_away_closes_the_generator(everything):
    client = Client(everything.port)
    client.send(b'GET /endless?away HTTP/1.1\r\nHost: t\r\n\r\n')
    client.head()
    client.close()
    wait_until(lambda: 'closed away' in events(everything), 'the generator lives on')


def test_client_away_in_its_body_is_no_noise(everything):
    before = everything.stderr
    client = Client(everything.port)
    client.send(b'POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\nabc')
    client.close()
    with Client(everything.port) as other:
        assert other.get('/known').status == 200
    assert 'Traceback' not in everything.stderr[len(before):]


def test_print_appears_at_once(client, everything):
    client.send(b'GET /prints?now HTTP/1.1\r\nHost: t\r\n\r\n')
    wait_until(lambda: 'out without flush now\n' in everything.stdout, 'stdout')
    wait_until(lambda: 'err without flush now\n' in everything.stderr, 'stderr')
    wait_until(lambda: 'errors without flush now\n' in everything.stderr, 'wsgi.errors')
    with Client(everything.port) as other:
        other.get('/opens_gate?now')
    assert client.answer().body == b'done'


VALIDATED = '''
from wsgiref.validate import validator

def app(environ, start_response):
    body = environ['wsgi.input'].read(int(environ.get('CONTENT_LENGTH') or 0))
    environ['wsgi.errors'].write('validated\\n')
    environ['wsgi.errors'].flush()
    if environ['PATH_INFO'] == '/write':
        start_response('200 OK', [('Content-Type', 'text/plain')])(b'written ')
        return [body]
    if environ['PATH_INFO'] == '/empty':
        start_response('204 No Content', [])
        return []
    if environ['PATH_INFO'] == '/lines':
        start_response('200 OK', [('Content-Type', 'text/plain')])
        return iter([b'one', b'two'])
    start_response('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', str(len(body)))])
    return [body]

application = validator(app)
'''


def test_the_standard_library_finds_no_fault(start):
    running = start({'wsgi.py': VALIDATED}, env={'PYTHONWARNINGS': 'error:::wsgiref'}).wait_ready()
    with Client(running.port) as client:
        assert client.post('/', b'body').body == b'body'
        assert client.post('/write', b'body').body == b'written body'
        assert client.get('/empty').status == 204
        assert client.get('/lines').body == b'onetwo'
        assert client.get('/lines', 'HEAD').status == 200
        assert client.get('/?x=1', version='1.0').status == 200
    wait_until(lambda: 'validated' in running.stderr, 'wsgi.errors')
    assert 'Error' not in running.stderr and 'garbage' not in running.stderr, running.stderr
