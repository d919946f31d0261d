/* Real programs: the shell, coreutils and Python, doing what scripts do. */
#include "conformance.h"

/* Runs a shell command; its output must be exactly this. */
static void expect_output(const char *command, const char *expected, int line)
{
    static char text[65536];
    FILE *pipe = popen(command, "r");
    if (pipe == NULL) FAIL("line %d: popen errno=%d", line, errno);
    size_t length = fread(text, 1, sizeof text - 1, pipe);
    text[length] = 0;
    int status = pclose(pipe);
    if (strcmp(text, expected) != 0) FAIL("line %d: output is \"%.300s\" (status 0x%x)", line, text, status);
    if (status != 0) FAIL("line %d: status 0x%x", line, status);
}

#define SHELL(command, expected) expect_output((command), (expected), __LINE__)

static void needs_python(void)
{
    if (access("/usr/bin/python3", X_OK) != 0) SKIP("no python3");
}

/* Runs Python code in a file of its own. */
static void expect_python(const char *code, const char *expected, int line)
{
    needs_python();
    write_file("script.py", code);
    expect_output("/usr/bin/python3 -I script.py 2>&1", expected, line);
}

#define PYTHON(code, expected) expect_python((code), (expected), __LINE__)

CASE(pipelines) { SHELL("seq 1 1000 | grep 7 | sort -rn | head -3", "997\n987\n979\n"); }
CASE(exit_status_of_a_pipeline) { SHELL("false | true; echo $?; true | false; echo $?", "0\n1\n"); }
CASE(command_substitution) { SHELL("echo \"$(echo a; echo $(echo b))\"", "a\nb\n"); }
CASE(here_documents) { SHELL("cat <<END\none $((1+1))\nEND", "one 2\n"); }
CASE(redirections) { SHELL("exec 3>out; echo three >&3; exec 3>&-; echo more >>out; cat <out; ls missing 2>/dev/null || echo failed", "three\nmore\nfailed\n"); }
CASE(background_jobs_and_wait) { SHELL("for i in 1 2 3; do (sleep 0.0$i; echo $i >f$i) & done; wait; cat f1 f2 f3", "1\n2\n3\n"); }
CASE(wait_for_one_job) { SHELL("(exit 7) & p=$!; wait $p; echo $?", "7\n"); }
CASE(traps) { SHELL("trap 'echo trapped' USR1; kill -USR1 $$; trap 'echo bye' EXIT; echo body", "trapped\nbody\nbye\n"); }
CASE(a_killed_command) { SHELL("sh -c 'kill -9 $$'; echo $?", "137\n"); }
CASE(subshells_have_their_own_directory) { SHELL("mkdir d; (cd d && basename $PWD); basename $PWD | cut -c1-11", "d\nconformance\n"); }
CASE(globbing_and_loops) { SHELL("touch b a c.txt; for f in *; do printf '%s ' \"$f\"; done; echo; echo *.txt", "a b c.txt \nc.txt\n"); }
CASE(find_and_xargs) { SHELL("mkdir -p x/y/z; touch x/1 x/y/2 x/y/z/3; find x -type f | sort | xargs -n1 basename | tr '\\n' ' '", "1 2 3 "); }
CASE(copying_trees) { SHELL("mkdir -p t/u; echo v >t/u/f; ln -s u t/l; ln t/u/f t/hard; cp -a t copy && diff -r t copy && readlink copy/l && stat -c %h copy/hard", "u\n2\n"); }
CASE(move_and_remove) { SHELL("mkdir -p a/b; touch a/b/c; mv a z; rm -r z/b; ls -A z | wc -l; rm -rf z; ls -A", "0\n"); }
CASE(tar_round_trip) { if (access("/bin/tar", X_OK) != 0) SKIP("no tar"); SHELL("mkdir t; echo text >t/f; chmod 640 t/f; tar cf t.tar t; rm -r t; tar xf t.tar; cat t/f; stat -c %a t/f", "text\n640\n"); }
CASE(gzip_round_trip) { if (access("/bin/gzip", X_OK) != 0) SKIP("no gzip"); SHELL("seq 1 10000 >n; gzip -k n; rm n; gzip -d n.gz; wc -c <n; tail -1 n", "48894\n10000\n"); }
CASE(dd_and_checksums) { SHELL("dd if=/dev/zero of=z bs=4096 count=100 2>/dev/null; md5sum <z; dd if=z bs=1 skip=5 count=3 2>/dev/null | wc -c", "a5dc382d75ec46434b313e289c281d8c  -\n3\n"); }
CASE(sed_and_cut) { SHELL("printf 'a:1\\nb:2\\n' | sed 's/:/=/' | cut -d= -f2 | paste -sd+", "1+2\n"); }
CASE(sort_of_a_large_file) { SHELL("seq 20000 -1 1 | sort -n | md5sum", "e071f707df7bbeee2a6a1eb48011ddd0  -\n"); }
CASE(tee_to_two_files) { SHELL("echo both | tee one two >/dev/null; cat one two", "both\nboth\n"); }
CASE(named_pipes_in_scripts) { SHELL("mkfifo p; echo through >p & cat p; wait", "through\n"); }
CASE(timeout_kills) { SHELL("timeout 0.1 sleep 10; echo $?", "124\n"); }
CASE(read_loops) { SHELL("printf 'x y\\nz w\\n' | while read -r a b; do echo $b $a; done", "y x\nw z\n"); }
CASE(environment_of_commands) { SHELL("A=1 sh -c 'echo $A'; env -i B=2 /bin/sh -c 'echo $A$B'", "1\n2\n"); }
CASE(date_of_a_file) { SHELL("touch -d '2001-02-03 04:05:06 UTC' f; TZ=UTC date -r f +%Y-%m-%dT%H:%M:%S; TZ=UTC ls -l --time-style=+%s f | cut -d' ' -f6", "2001-02-03T04:05:06\n981173106\n"); }
CASE(nohup_and_nice) { SHELL("nice -n 3 nice; nohup echo x 2>/dev/null", "3\nx\n"); }
CASE(yes_dies_of_a_broken_pipe) { SHELL("yes | head -2", "y\ny\n"); }

CASE(python_says_hello) { PYTHON("print(1+1)", "2\n"); }
CASE(python_exit_codes) { needs_python(); SHELL("python3 -c 'import sys; sys.exit(3)'; echo $?; python3 -c 'raise SystemExit(\"m\")' 2>&1; echo $?", "3\nm\n1\n"); }
CASE(python_subprocess) {
    PYTHON("import subprocess as s\n"
           "print(s.run(['tr', 'a-z', 'A-Z'], input='abc', capture_output=True, text=True).stdout)\n"
           "print(s.run('exit 5', shell=True).returncode)\n"
           "p = s.Popen(['sleep', '10']); p.kill(); print(p.wait())\n"
           "try: s.run(['sleep', '10'], timeout=0.1)\n"
           "except s.TimeoutExpired: print('late')\n"
           "try: s.run(['/no/such'])\n"
           "except FileNotFoundError as e: print(e.errno)\n", "ABC\n5\n-9\nlate\n2\n");
}
CASE(python_threads) {
    PYTHON("import threading, queue\n"
           "q, total, lock = queue.Queue(), 0, threading.Lock()\n"
           "def work():\n"
           "    global total\n"
           "    while (n := q.get()) is not None:\n"
           "        with lock: total += n\n"
           "ts = [threading.Thread(target=work) for _ in range(8)]\n"
           "for t in ts: t.start()\n"
           "for i in range(2000): q.put(i)\n"
           "for t in ts: q.put(None)\n"
           "for t in ts: t.join()\n"
           "print(total)\n", "1999000\n");
}
CASE(python_multiprocessing) {
    PYTHON("import multiprocessing as m\n"
           "def f(x): return x * x\n"
           "if __name__ == '__main__':\n"
           "    with m.Pool(3) as p: print(sum(p.map(f, range(50))))\n"
           "    q = m.Queue(); p = m.Process(target=q.put, args=('sent',)); p.start(); print(q.get()); p.join(); print(p.exitcode)\n"
           "    v = m.Value('i', 0)\n"
           "    with v.get_lock(): v.value += 1\n"
           "    print(v.value)\n", "40425\nsent\n0\n1\n");
}
CASE(python_multiprocessing_spawn) {
    PYTHON("import multiprocessing as m\n"
           "def f(x): return -x\n"
           "if __name__ == '__main__':\n"
           "    m.set_start_method('spawn')\n"
           "    with m.Pool(2) as p: print(p.map(f, [1, 2, 3]))\n", "[-1, -2, -3]\n");
}
CASE(python_concurrent_futures) {
    PYTHON("from concurrent.futures import *\n"
           "def f(x): return x + 1\n"
           "if __name__ == '__main__':\n"
           "    with ThreadPoolExecutor(4) as e: print(sum(e.map(f, range(100))))\n"
           "    with ProcessPoolExecutor(2) as e: print(sum(e.map(f, range(20))))\n", "5050\n210\n");
}
CASE(python_asyncio) {
    PYTHON("import asyncio\n"
           "async def echo(r, w):\n"
           "    w.write(await r.readline()); await w.drain(); w.close()\n"
           "async def main():\n"
           "    s = await asyncio.start_server(echo, '127.0.0.1', 0)\n"
           "    port = s.sockets[0].getsockname()[1]\n"
           "    async def ask(i):\n"
           "        r, w = await asyncio.open_connection('127.0.0.1', port)\n"
           "        w.write(b'%d\\n' % i); x = int(await r.readline()); w.close(); return x\n"
           "    print(sum(await asyncio.gather(*[ask(i) for i in range(40)])))\n"
           "    p = await asyncio.create_subprocess_exec('echo', 'child', stdout=asyncio.subprocess.PIPE)\n"
           "    print((await p.communicate())[0], p.returncode)\n"
           "    try: await asyncio.wait_for(asyncio.sleep(10), 0.05)\n"
           "    except asyncio.TimeoutError: print('timeout')\n"
           "asyncio.run(main())\n", "780\nb'child\\n' 0\ntimeout\n");
}
CASE(python_signals) {
    PYTHON("import signal, os, time\n"
           "signal.signal(signal.SIGALRM, lambda *a: print('alarm'))\n"
           "signal.setitimer(signal.ITIMER_REAL, 0.05); time.sleep(0.2)\n"
           "try: os.kill(os.getpid(), signal.SIGINT); time.sleep(1)\n"
           "except KeyboardInterrupt: print('interrupt')\n", "alarm\ninterrupt\n");
}
CASE(python_files) {
    PYTHON("import os, tempfile, shutil, mmap, pathlib\n"
           "d = tempfile.mkdtemp(dir='.')\n"
           "p = pathlib.Path(d, 'f'); p.write_bytes(b'x' * 10000)\n"
           "with open(p, 'r+b') as f, mmap.mmap(f.fileno(), 0) as m: m[5000] = ord('y'); print(m.find(b'y'))\n"
           "print(p.read_bytes().index(b'y'), p.stat().st_size)\n"
           "shutil.copytree(d, 'copy'); print(os.listdir('copy')); shutil.rmtree(d); print(os.path.exists(d))\n"
           "with tempfile.TemporaryFile() as t: t.write(b'ab'); t.seek(0); print(t.read())\n", "5000\n5000 10000\n['f']\nFalse\nb'ab'\n");
}
CASE(python_http_over_loopback) {
    PYTHON("import http.server, threading, urllib.request\n"
           "class H(http.server.BaseHTTPRequestHandler):\n"
           "    def do_GET(self): self.send_response(200); self.end_headers(); self.wfile.write(self.path.encode() * 1000)\n"
           "    def log_message(self, *a): pass\n"
           "s = http.server.ThreadingHTTPServer(('127.0.0.1', 0), H)\n"
           "threading.Thread(target=s.serve_forever, daemon=True).start()\n"
           "for i in range(5): print(len(urllib.request.urlopen(f'http://127.0.0.1:{s.server_port}/{i}').read()))\n"
           "s.shutdown()\n", "2000\n2000\n2000\n2000\n2000\n");
}
CASE(python_sqlite) {
    PYTHON("import sqlite3\n"
           "c = sqlite3.connect('db.sqlite'); c.execute('create table t (a, b)')\n"
           "with c: c.executemany('insert into t values (?, ?)', [(i, i * i) for i in range(1000)])\n"
           "c.close(); c = sqlite3.connect('db.sqlite'); print(c.execute('select sum(b) from t').fetchone())\n"
           "c.execute('pragma journal_mode=wal'); c.execute('delete from t where a > 10'); c.commit(); print(c.execute('select count(*) from t').fetchone())\n",
           "(332833500,)\n(11,)\n");
}
CASE(python_random_differs) { needs_python(); SHELL("a=$(python3 -c 'import random,os,uuid;print(random.random(),os.urandom(8),uuid.uuid4())'); b=$(python3 -c 'import random,os,uuid;print(random.random(),os.urandom(8),uuid.uuid4())'); test \"$a\" != \"$b\" && echo differ", "differ\n"); }
CASE(python_resource_and_time) {
    PYTHON("import resource, time, os\n"
           "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 1000, time.perf_counter() > 0, time.time() > 1.7e9, os.cpu_count() >= 1, os.getloadavg()[0] >= 0)\n"
           "t = time.monotonic(); time.sleep(0.05); print(time.monotonic() - t >= 0.05)\n", "True True True True True\nTrue\n");
}
CASE(python_memory_limit) {
    PYTHON("import resource\n"
           "resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))\n"
           "try: b = bytearray(1 << 30)\n"
           "except MemoryError: print('no memory')\n", "no memory\n");
}
CASE(python_pty_or_error) {
    PYTHON("import sys\n"
           "print(sys.stdin.isatty())\n", "False\n");
}
CASE(python_fork_and_pipes) {
    PYTHON("import os\n"
           "r, w = os.pipe()\n"
           "for i in range(20):\n"
           "    if os.fork() == 0: os.write(w, b'%d ' % i); os._exit(i)\n"
           "os.close(w); codes = sorted(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(20))\n"
           "data = b''\n"
           "while (b := os.read(r, 100)): data += b\n"
           "print(codes == list(range(20)), sorted(map(int, data.split())) == codes)\n", "True True\n");
}
CASE(python_selectors_and_socketpair) {
    PYTHON("import selectors, socket\n"
           "s = selectors.DefaultSelector(); a, b = socket.socketpair(); s.register(a, selectors.EVENT_READ)\n"
           "print(s.select(0)); b.send(b'x'); print(len(s.select(1)), a.recv(1)); print(type(s).__name__)\n", "[]\n1 b'x'\nEpollSelector\n");
}
CASE(python_deep_recursion_is_an_exception) {
    PYTHON("def f(n): return f(n + 1)\n"
           "try: f(0)\n"
           "except RecursionError: print('deep')\n", "deep\n");
}
CASE(numpy_computes) {
    needs_python();
    if (system("/usr/bin/python3 -I -c 'import numpy' 2>/dev/null") != 0) SKIP("no numpy");
    PYTHON("import numpy as np\n"
           "a = np.arange(10000.0).reshape(100, 100); print(int((a @ a).trace()), np.linalg.matrix_rank(np.eye(50)))\n", "251616502500 50\n");
}
