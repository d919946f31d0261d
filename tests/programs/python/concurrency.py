# threading, asyncio, queues, ssl over loopback, sqlite3.
import asyncio
import http.client
import http.server
import json
import os
import signal
import socket
import socketserver
import sqlite3
import ssl
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor


def threads():
    total, lock, barrier = [0], threading.Lock(), threading.Barrier(8)

    def work():
        barrier.wait(60)
        for _ in range(1000):
            with lock:
                total[0] += 1

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert total == [8000]
    event, condition, semaphore = threading.Event(), threading.Condition(), threading.BoundedSemaphore(2)
    began = time.monotonic()
    assert not event.wait(0.05) and time.monotonic() - began >= 0.049
    threading.Timer(0.02, event.set).start()
    assert event.wait(60)
    with condition:
        assert not condition.wait(0.01)
    with semaphore, ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(len, ["ab"] * 100)) == 200
    caught = []
    signal.signal(signal.SIGALRM, lambda number, frame: caught.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    time.sleep(0.1)
    assert caught == [signal.SIGALRM]
    print("threading ok")


def loops():
    async def main():
        async def serve(reader, writer):
            writer.write((await reader.readline()).upper())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]

        async def ask(n):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"hello {n}\n".encode())
            answer = await reader.readline()
            writer.close()
            return answer

        answers = await asyncio.gather(*(ask(n) for n in range(50)))
        assert answers == [f"HELLO {n}\n".encode() for n in range(50)]
        server.close()
        child = await asyncio.create_subprocess_exec("cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        output, _ = await child.communicate(b"x" * 200_000)
        assert len(output) == 200_000 and child.returncode == 0
        try:
            await asyncio.wait_for(asyncio.sleep(60), 0.02)
            raise AssertionError("no timeout")
        except asyncio.TimeoutError:
            pass
        loop = asyncio.get_running_loop()
        received = loop.create_future()
        loop.add_signal_handler(signal.SIGUSR1, lambda: received.set_result(True))
        os.kill(os.getpid(), signal.SIGUSR1)
        assert await received
        assert await loop.run_in_executor(None, lambda: 5) == 5

        class Echo(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport

            def datagram_received(self, data, address):
                self.transport.sendto(data, address)

        transport, _ = await loop.create_datagram_endpoint(Echo, ("127.0.0.1", 0))
        plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        plain.setblocking(False)
        await loop.sock_connect(plain, transport.get_extra_info("sockname"))
        await loop.sock_sendall(plain, b"datagram")
        assert await loop.sock_recv(plain, 100) == b"datagram"
        transport.close()
        plain.close()

    asyncio.run(main())
    print("asyncio ok")


def secure():
    folder = tempfile.mkdtemp()
    key, certificate = os.path.join(folder, "key.pem"), os.path.join(folder, "certificate.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate], check=True, capture_output=True)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = json.dumps({"length": len(body), "path": self.path}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("localhost", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = http.client.HTTPSConnection("localhost", server.server_port, context=ssl.create_default_context(cafile=certificate))
    for size in (0, 10, 1_000_000):
        client.request("POST", f"/{size}", b"x" * size)
        response = client.getresponse()
        assert json.loads(response.read()) == {"length": size, "path": f"/{size}"}
    assert client.sock.version() == "TLSv1.3"
    client.close()
    try:
        http.client.HTTPSConnection("localhost", server.server_port, context=ssl.create_default_context()).request("GET", "/")
        raise AssertionError("trusted")
    except ssl.SSLCertVerificationError:
        pass
    server.shutdown()
    print("ssl ok")


def database():
    path = os.path.join(tempfile.mkdtemp(), "data.db")
    with sqlite3.connect(path) as connection:
        assert connection.execute("pragma journal_mode=wal").fetchone() == ("wal",)
        connection.execute("create table t (id integer primary key, text)")
    connection.close()

    def write(n):
        own = sqlite3.connect(path, timeout=60)
        for i in range(20):
            with own:
                own.execute("insert into t (text) values (?)", (f"{n}-{i}",))
        own.close()

    writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    other = subprocess.run(["python3", "-c", f"import sqlite3; print(sqlite3.connect({path!r}).execute('select count(*), count(distinct text) from t').fetchone())"], capture_output=True, text=True)
    assert other.stdout == "(80, 80)\n", other
    print("sqlite3 ok")


threads()
loops()
secure()
database()
