import asyncio
import socket
import threading
import time
import unittest

import ramet
from ramet import ApiError, AsyncClient, BadRequestError, Client, NotFoundError, RametError, RateLimitError, RequestTimeoutError, ServerError, TransportError
from ramet._events import EventParser
from ramet.models import parse_time


class Scripted:
    """A server that answers with what it is told, one text for each request; None: it says nothing."""

    def __init__(self, *answers):
        self._answers = list(answers)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.requests = 0
        self.connections = 0
        self._open = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while self._answers:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            while self._answers:
                if not connection.recv(65536):
                    break
                self.requests += 1
                answer = self._answers.pop(0)
                if answer is None:
                    break
                connection.sendall(answer)
                if b"close" in answer:
                    connection.close()
                    break

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()
        for connection in self._open:
            connection.close()


def answer(status, body, headers=""):
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n{body}".encode()


BUSY = answer(503, '{"title":"busy","detail":"later"}', "Retry-After: 1\r\n")
GOOD = answer(200, '{"status":"ok"}')


class ErrorTests(unittest.TestCase):
    def test_an_error_says_what_to_do_and_names_the_request(self):
        with self.assertRaises(BadRequestError) as caught:
            ramet.exec("1", language="pyhton")
        error = caught.exception
        self.assertEqual((400, None), (error.status, error.retry_after))
        self.assertIn("python", error.detail)
        self.assertTrue(error.request_id)
        self.assertIn(error.request_id, str(error))
        self.assertIsInstance(error, ApiError)
        self.assertIsInstance(error, RametError)
        with self.assertRaises(NotFoundError):
            ramet.Sandbox.connect("sb_/../none")

    def test_a_server_that_is_not_there_is_a_transport_error(self):
        with self.assertRaisesRegex(TransportError, "ramet serve"):
            Client("http://127.0.0.1:9").health()
        with self.assertRaisesRegex(TransportError, "ramet serve"):
            asyncio.run(AsyncClient("http://127.0.0.1:9").health())

    def test_addresses_and_keys_that_cannot_be_are_refused(self):
        for url in ("127.0.0.1:8080", "ftp://x", "http://", "http://a/?b=c"):
            with self.assertRaises(ValueError):
                Client(url)
        with self.assertRaises(ValueError):
            Client("http://a", "key\n")

    def test_a_busy_server_is_asked_again_and_given_up_on(self):
        with Scripted(BUSY, GOOD) as server:
            self.assertEqual({"status": "ok"}, Client(server.url).health())
        with Scripted(BUSY, GOOD) as server:
            self.assertEqual({"status": "ok"}, asyncio.run(AsyncClient(server.url).health()))
        with Scripted(answer(429, '{"detail":"slow down"}', "Retry-After: 7\r\n")) as server, self.assertRaises(RateLimitError) as caught:
            Client(server.url, retries=0).health()
        self.assertEqual((7.0, "slow down"), (caught.exception.retry_after, caught.exception.detail))

    def test_an_answer_that_is_no_problem_document_is_an_error_too(self):
        with Scripted(answer(502, "<html>bad gateway")) as server, self.assertRaises(ServerError) as caught:
            Client(server.url).health()
        self.assertIn("bad gateway", str(caught.exception))

    def test_silence_is_a_timeout_and_no_answer_a_transport_error(self):
        with Scripted(None) as server:
            begun = time.monotonic()
            with self.assertRaises(RequestTimeoutError):
                Client(server.url, timeout=0.3).health()
            self.assertLess(time.monotonic() - begun, 20)
        with Scripted(None) as server, self.assertRaises(RequestTimeoutError):
            asyncio.run(AsyncClient(server.url, timeout=0.3).health())
        for text in (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nclose", b"nonsense close\r\n\r\n"):
            with Scripted(text) as server, self.assertRaises(TransportError):
                Client(server.url).health()
            with Scripted(text) as server, self.assertRaises(TransportError):
                asyncio.run(AsyncClient(server.url).health())

    def test_connections_are_kept_and_replaced_when_they_have_ended(self):
        with Scripted(GOOD, GOOD, GOOD) as server:
            client = Client(server.url)
            for _ in range(3):
                client.health()
            self.assertEqual((3, 1), (server.requests, server.connections))
        closing = answer(200, '{"status":"ok"}', "X: close\r\n")
        with Scripted(closing, closing) as server:
            client = Client(server.url)
            client.health()
            time.sleep(0.2)
            client.health()
            self.assertEqual(2, server.connections)

    def test_chunks_and_event_fields_are_put_together(self):
        body = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n5;x=y\r\n\": 1}\r\n0\r\nT: t\r\n\r\n"
        with Scripted(body, body) as server:
            self.assertEqual({"a": 1}, Client(server.url).health())
        with Scripted(body, body) as server:
            self.assertEqual({"a": 1}, asyncio.run(AsyncClient(server.url).health()))
        parser = EventParser()
        text = ": waiting\n\nevent: stdout\r\ndata: {\"text\":\"\u00e9\"}\r\n\r\ndata:[1,\ndata: 2]\n\n".encode()
        events = [event for n in range(len(text)) for event in parser.feed(text[n:n + 1])]
        self.assertEqual([("stdout", {"text": "é"}), ("message", [1, 2])], events)

    def test_times_of_any_precision_are_read(self):
        self.assertEqual(123456, parse_time("2026-01-02T03:04:05.1234567+00:00").microsecond)
        self.assertEqual(500000, parse_time("2026-01-02T03:04:05.5Z").microsecond)


if __name__ == "__main__":
    unittest.main()
