namespace Ramet.Sandboxes.Tests;

/// <summary>Branches of sandboxes that run: whatever is going on in them goes on in each.</summary>
public sealed class BranchTests
{
    [Fact]
    public async Task A_sandbox_that_gave_back_what_is_as_in_its_template_goes_on_as_it_was()
    {
        using var session = await Session.StartAsync("""
            import sys, hashlib
            data = [str(i) for i in range(20000)]
            for line in sys.stdin:
                print(len(data), hashlib.sha256("".join(data).encode()).hexdigest()[:8], flush=True)
            """);
        var expected = new System.Text.StringBuilder();
        ulong released = 0;
        for (int i = 0; i < 10; i++)
        {
            session.Send("look\n");
            session.WaitFor(expected.Append("20000 " + Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(
                System.Text.Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 20000)))))[..8] + "\n").ToString());
            // The program goes on behind its output, and would write between the readings.
            session.Sandbox.Pause();
            long before = Written(session);
            ulong now = session.Sandbox.Trim();
            released += now;
            Assert.InRange(before - Written(session), 0, (long)now);
            session.Sandbox.Resume();
        }

        Assert.True(released > 10 * 4096, $"only {released} bytes were given back");
    }

    private static long Written(Session session) => session.Sandbox.Machine.Memory.FindWrittenPages().Sum(range => (long)range.Length);

    [Fact]
    public async Task Memory_that_a_program_has_freed_is_in_no_snapshot_and_is_given_back()
    {
        using var session = await Session.StartAsync("""
            import sys
            kept = b"k" * (4 << 20)
            large = b"x" * (64 << 20)
            print(len(large), flush=True)
            for line in sys.stdin:
                if line == "free\n": large = b""
                if line == "fill\n": large = bytearray(64 << 20); print(large.count(0), flush=True); large[:] = b"y" * (64 << 20)
                print(len(large), kept.count(b"k"), large.count(b"y"), flush=True)
            """);
        session.WaitFor("67108864\n");
        using (var full = session.Sandbox.Capture()) Assert.InRange(full.Length, 68L << 20, 80L << 20);
        session.Send("free\n");
        session.WaitFor("67108864\n0 4194304 0\n");
        using (var small = session.Sandbox.Capture()) Assert.InRange(small.Length, 4L << 20, 12L << 20);
        Assert.InRange(session.Sandbox.Trim(), 60UL << 20, 80UL << 20);
        using var branch = session.Branch();
        foreach (var one in new[] { session, branch })
        {
            // What is allocated again is zero, whatever was there.
            one.Send("fill\n");
            one.WaitFor((one == session ? "67108864\n0 4194304 0\n" : "") + "67108864\n67108864 4194304 67108864\n");
        }
    }

    [Fact]
    public async Task A_program_goes_on_from_the_same_point_in_parent_and_branches()
    {
        using var parent = await Session.StartAsync("""
            import sys
            total = 0
            print("ready", flush=True)
            for line in sys.stdin:
                total += int(line)
                print(total, flush=True)
            """);
        parent.WaitFor("ready\n");
        parent.Send("5\n");
        parent.WaitFor("ready\n5\n");
        using var first = parent.Branch();
        using var second = parent.Branch();
        parent.Send("1\n");
        first.Send("10\n");
        second.Send("100\n");
        parent.WaitFor("ready\n5\n6\n");
        first.WaitFor("15\n");
        second.WaitFor("105\n");
        using var third = first.Branch();
        third.Send("1000\n");
        third.WaitFor("1015\n");
        first.Send("1\n");
        first.WaitFor("15\n16\n");
    }

    [Fact]
    public async Task Threads_processes_pipes_timers_and_connections_are_all_there()
    {
        using var parent = await Session.StartAsync("""
            import os, signal, socket, subprocess, sys, threading, time, select, tempfile
            # A connection, with bytes on the way.
            server = socket.socket(); server.bind(("127.0.0.1", 0)); server.listen()
            client = socket.create_connection(server.getsockname()); peer, _ = server.accept()
            client.sendall(b"on the way")
            unix = socket.socketpair()
            unix[0].sendall(b"unix")
            # A thread that waits, one that counts, a child behind pipes, a timer, an epoll set, an open file that is deleted.
            gate, done = threading.Event(), []
            waiter = threading.Thread(target=lambda: (gate.wait(), done.append("thread")))
            waiter.start()
            counter = [0]
            def count():
                while not gate.is_set(): counter[0] += 1
            spinner = threading.Thread(target=count); spinner.start()
            child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            child.stdin.write(b"through cat\n"); child.stdin.flush()
            signal.signal(signal.SIGALRM, lambda *_: done.append("alarm"))
            started = time.monotonic()
            signal.setitimer(signal.ITIMER_REAL, 1.0)
            poll = select.epoll(); poll.register(peer, select.EPOLLIN)
            file = tempfile.TemporaryFile(); file.write(b"deleted file"); file.flush()
            big = bytearray(os.urandom(8 << 20)); checksum = sum(big[::4096])
            print("ready", flush=True)
            sys.stdin.readline()
            gate.set(); waiter.join(); spinner.join()
            child.stdin.close()
            while "alarm" not in done: time.sleep(0.01)
            file.seek(0)
            print(len(poll.poll(0)), peer.recv(100).decode(), unix[1].recv(10).decode(), child.stdout.read().decode().strip(), child.wait(), sorted(done), counter[0] > 0,
                file.read().decode(), sum(big[::4096]) == checksum, 0.9 < time.monotonic() - started < 30)
            """);
        parent.WaitFor("ready\n");
        using var branch = parent.Branch();
        using var branchOfBranch = branch.Branch();
        const string expected = "1 on the way unix through cat 0 ['alarm', 'thread'] True deleted file True True\n";
        foreach (var sandbox in (Session[])[branch, parent, branchOfBranch])
        {
            sandbox.Send("go\n");
            sandbox.WaitFor((sandbox == parent ? "ready\n" : "") + expected);
            Assert.Equal(0, sandbox.Sandbox.Wait().ExitCode);
        }
    }

    [Fact]
    public async Task Branches_of_branches_keep_no_ancestors_memory()
    {
        using var root = await Session.StartAsync("""
            import sys
            data = bytearray(8 << 20)
            print("ready", flush=True)
            for line in sys.stdin:
                n = int(line)
                data[n * 65536:(n + 1) * 65536] = bytes([n + 1]) * 65536
                print(sum(data[::65536]), flush=True)
            """);
        root.WaitFor("ready\n");
        var current = root;
        var lengths = new List<long>();
        int sum = 0;
        for (int depth = 0; depth < 32; depth++)
        {
            var next = current.Branch(out long length);
            lengths.Add(length);
            if (current != root) current.Dispose();
            current = next;
            current.Send($"{depth}\n");
            sum += depth + 1;
            current.WaitFor($"{sum}\n");
        }

        current.Dispose();
        // 64 KiB are written in each generation: what a snapshot holds grows by that, not by what its ancestors held.
        Assert.InRange(lengths[31], lengths[0], lengths[0] + (40 * (65536 + 65536)));
    }

    [Fact]
    public async Task A_branch_has_randomness_and_an_identity_of_its_own()
    {
        using var parent = await Session.StartAsync("""
            import os, sys, uuid
            print("ready", flush=True)
            sys.stdin.readline()
            print(os.urandom(16).hex(), uuid.uuid4(), open("/proc/sys/kernel/random/boot_id").read().strip(), flush=True)
            """);
        parent.WaitFor("ready\n");
        using var first = parent.Branch();
        using var second = parent.Branch();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var sandbox in (Session[])[parent, first, second])
        {
            sandbox.Send("go\n");
            sandbox.Sandbox.Wait();
            foreach (string word in sandbox.Output.Replace("ready\n", "", StringComparison.Ordinal).Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries)) Assert.True(seen.Add(word), $"'{word}' came twice");
        }

        Assert.Equal(9, seen.Count);
    }

    [Fact]
    public async Task A_paused_sandbox_stands_still_and_its_clock_with_it()
    {
        using var sandbox = await Session.StartAsync("""
            import select, sys, time
            last = time.monotonic()
            print("ready", flush=True)
            worst, told = 0, False
            while not told:
                told = select.select([sys.stdin], [], [], 0.02)[0]
                now = time.monotonic(); worst = max(worst, now - last); last = now
            print("worst", worst < 4, flush=True)
            """);
        sandbox.WaitFor("ready\n");
        sandbox.Sandbox.Pause();
        // If it ran, it would answer.
        sandbox.Send("go\n");
        await Task.Delay(5000, TestContext.Current.CancellationToken);
        Assert.Equal("ready\n", sandbox.Output);
        Assert.True(sandbox.Sandbox.IsPaused);
        using var branch = sandbox.Branch();
        sandbox.Sandbox.Resume();
        sandbox.WaitFor("ready\nworst True\n");
        branch.WaitFor("worst True\n");
    }

    [Fact]
    public async Task A_sandbox_that_has_ended_cannot_be_branched()
    {
        using var sandbox = await Session.StartAsync("print('ready')");
        sandbox.Sandbox.Wait();
        Assert.Throws<SandboxException>(() => sandbox.Sandbox.Capture());
        Assert.Throws<SandboxException>(sandbox.Sandbox.Pause);
    }

    [Fact]
    public async Task Signals_about_files_reach_the_programs_of_a_branch()
    {
        // Asked for before the capture, told of after it: readiness of a pipe, a lease, a directory; and a namespace is held open.
        using var parent = await Session.StartAsync("""
            import fcntl, os, signal, sys
            wanted = [signal.SIGRTMIN + 1, signal.SIGRTMIN + 2, signal.SIGRTMIN + 3]
            signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
            reader, writer = os.pipe()
            fcntl.fcntl(reader, fcntl.F_SETOWN, os.getpid())
            fcntl.fcntl(reader, fcntl.F_SETSIG, wanted[0])
            fcntl.fcntl(reader, fcntl.F_SETFL, os.O_ASYNC)
            open("/tmp/leased", "w").close()
            leased = os.open("/tmp/leased", os.O_RDONLY)
            fcntl.fcntl(leased, fcntl.F_SETSIG, wanted[1])
            fcntl.fcntl(leased, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            os.mkdir("/tmp/watched")
            watched = os.open("/tmp/watched", os.O_RDONLY)
            fcntl.fcntl(watched, fcntl.F_SETSIG, wanted[2])
            fcntl.fcntl(watched, fcntl.F_NOTIFY, fcntl.DN_CREATE)
            namespace = os.open("/proc/self/ns/mnt", os.O_RDONLY)
            print("ready", flush=True)
            for line in sys.stdin:
                os.write(writer, b"x")
                try:
                    os.open("/tmp/leased", os.O_WRONLY | os.O_NONBLOCK)
                except BlockingIOError:
                    pass
                open("/tmp/watched/file", "w").close()
                got = [signal.sigtimedwait(wanted, 10) for _ in wanted]
                print(sorted(info.si_signo - signal.SIGRTMIN for info in got), os.fstat(namespace).st_ino == os.stat("/proc/self/ns/mnt").st_ino, flush=True)
            """);
        parent.WaitFor("ready\n");
        using var branch = parent.Branch();
        branch.Send("go\n");
        branch.WaitFor("[1, 2, 3] True\n");
        parent.Send("go\n");
        parent.WaitFor("ready\n[1, 2, 3] True\n");
    }
}
