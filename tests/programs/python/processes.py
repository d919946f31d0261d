# subprocess, multiprocessing by fork and by spawn, signals, shared memory, pools.
import multiprocessing as mp
import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import shared_memory


def square(n):
    return n * n


def count(lock, total, n):
    for _ in range(n):
        with lock:
            total.value += 1


def talk(connection):
    for message in iter(connection.recv, None):
        connection.send(message.upper())


def fill(name):
    memory = shared_memory.SharedMemory(name)
    memory.buf[:4] = b"done"
    memory.close()


def use(method):
    context = mp.get_context(method)
    with context.Pool(3) as pool:
        assert pool.map(square, range(50)) == [n * n for n in range(50)]
        assert pool.apply_async(square, (9,)).get(timeout=60) == 81
    lock, total = context.Lock(), context.Value("i", 0, lock=False)
    workers = [context.Process(target=count, args=(lock, total, 200)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0, worker.exitcode
    assert total.value == 600
    here, there = context.Pipe()
    talker = context.Process(target=talk, args=(there,))
    talker.start()
    here.send("hello")
    assert here.recv() == "HELLO"
    here.send(None)
    talker.join(60)
    queue = context.Queue()
    feeder = context.Process(target=queue.put, args=(list(range(10_000)),))
    feeder.start()
    assert sum(queue.get(timeout=60)) == 49_995_000
    feeder.join(60)
    memory = shared_memory.SharedMemory(create=True, size=4096)
    filler = context.Process(target=fill, args=(memory.name,))
    filler.start()
    filler.join(60)
    assert bytes(memory.buf[:4]) == b"done"
    memory.close()
    memory.unlink()
    with context.Manager() as manager:
        shared = manager.dict(a=1)
        shared["b"] = 2
        assert dict(shared) == {"a": 1, "b": 2}
    victim = context.Process(target=signal.pause)
    victim.start()
    victim.terminate()
    victim.join(60)
    assert victim.exitcode == -signal.SIGTERM
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        assert list(pool.map(square, range(5))) == [0, 1, 4, 9, 16]
    print(method, "ok")


def children():
    run = subprocess.run(["sh", "-c", "cat; echo error >&2; exit 5"], input="in", capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (5, "in", "error\n")
    try:
        subprocess.run(["sleep", "100"], timeout=0.2)
        raise AssertionError("no timeout")
    except subprocess.TimeoutExpired:
        pass
    first = subprocess.Popen(["printf", "b\\na\\n"], stdout=subprocess.PIPE)
    second = subprocess.run(["sort"], stdin=first.stdout, capture_output=True)
    first.stdout.close()
    assert first.wait() == 0 and second.stdout == b"a\nb\n"
    large = subprocess.run([sys.executable, "-c", "import sys; sys.stdout.write(sys.stdin.read()[::-1])"], input="ab" * 500_000, capture_output=True, text=True)
    assert large.stdout == "ba" * 500_000
    assert subprocess.run(["sh", "-c", "kill -KILL $$"]).returncode == -9
    reader, writer = os.pipe()
    child = subprocess.Popen(["sh", "-c", f"echo passed >&{writer}"], pass_fds=[writer], start_new_session=True, cwd="/", preexec_fn=lambda: os.umask(0o77))
    os.close(writer)
    assert os.read(reader, 100) == b"passed\n" and child.wait() == 0
    try:
        subprocess.run(["/no/such/program"])
        raise AssertionError("no error")
    except FileNotFoundError:
        pass
    print("subprocess ok")


if __name__ == "__main__":
    children()
    use("fork")
    use("spawn")
    use("forkserver")
