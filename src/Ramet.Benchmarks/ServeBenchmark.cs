using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Ramet.Host;

namespace Ramet.Benchmarks;

/// <summary>
/// Starts this executable as a server and asks it over loopback to run <c>print(1+1)</c>, on connections that stay open: from one client and from many. Every answer is checked.
/// </summary>
public sealed class ServeBenchmark(string executable, IReadOnlyList<string> globalArguments)
{
    /// <summary>Clients that ask at the same time to saturate the server.</summary>
    public const int Clients = 64;

    private const string Code = "print(1+1)";

    private static readonly byte[] s_request = Encoding.ASCII.GetBytes(FormattableString.Invariant(
        $"POST /v1/exec HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {Code.Length + 11}\r\n\r\n{{\"code\":\"{Code}\"}}"));

    /// <summary>Measures.</summary>
    /// <param name="runs">Requests from one client.</param>
    /// <param name="seconds">How long many clients ask.</param>
    /// <exception cref="BenchmarkException">The server did not start, or an answer was wrong.</exception>
    public Report Run(int runs, double seconds)
    {
        var clock = Stopwatch.StartNew();
        using var server = Start(out var address);
        try
        {
            var report = new Report();
            var latency = report.Times("exec_us", "POST /v1/exec print(1+1), 1 client");
            var saturated = report.Times("exec_64_clients_us", FormattableString.Invariant($"the same while {Clients} clients ask"));
            double ready = clock.Elapsed.TotalMilliseconds;
            Thread.Sleep(2000);
            double idle = ResidentMegabytes(server.Id);
            using (var client = new Client(address))
            {
                for (int i = 0; i < 100; i++) client.Ask();
                for (int i = 0; i < runs; i++) latency.Add(client.Ask());
            }

            // What the first seconds cost once is not growth.
            Saturate(address, Math.Max(1, seconds / 4), null);
            double warm = WithWorkers(server.Id).Sum(ProportionalMegabytes);
            double first = Saturate(address, seconds / 2, saturated);
            double middle = WithWorkers(server.Id).Sum(ProportionalMegabytes);
            double second = Saturate(address, seconds / 2, saturated);
            double end = WithWorkers(server.Id).Sum(ProportionalMegabytes);
            report.Figure("execs_per_second", FormattableString.Invariant($"answers to {Clients} clients"), (first + second) / 2, "1/s");
            report.Figure("ready_ms", "from the start of the process until it is ready", ready, "ms");
            report.Figure("idle_rss_mb", "resident memory of the server, idle", idle, "MiB");
            report.Figure("loaded_rss_mb", "resident memory of the server, after the load", ResidentMegabytes(server.Id), "MiB");
            report.Figure("growth_mb", "growth of server and workers together over the load (PSS)", end - warm, "MiB");
            report.Figure("growth_second_half_mb", "of that in its second half", end - middle, "MiB");
            report.Notes = "Clients are on the same machine and keep their connections. Every answer was checked.\n";
            return report;
        }
        finally
        {
            server.Kill();
            server.WaitForExit();
        }
    }

    private static double Saturate(IPEndPoint address, double seconds, Distribution? latency)
    {
        long end = HostClock.MonotonicNanoseconds + (long)(seconds * 1e9), started = HostClock.MonotonicNanoseconds;
        Exception? failure = null;
        long answers = 0;
        var threads = Enumerable.Range(0, Clients).Select(_ => new Thread(() =>
        {
            try
            {
                using var client = new Client(address);
                while (HostClock.MonotonicNanoseconds < end && Volatile.Read(ref failure) is null)
                {
                    double time = client.Ask();
                    Interlocked.Increment(ref answers);
                    if (latency is null) continue;
                    lock (latency) latency.Add(time);
                }
            }
#pragma warning disable CA1031 // It is thrown again below.
            catch (Exception exception)
#pragma warning restore CA1031
            {
                Interlocked.CompareExchange(ref failure, exception, null);
            }
        }, 256 << 10)).ToList();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();
        if (failure is not null) throw failure as BenchmarkException ?? new BenchmarkException($"A client failed: {failure.Message}");
        return answers / ((HostClock.MonotonicNanoseconds - started) / 1e9);
    }

    private Process Start(out IPEndPoint address)
    {
        var start = new ProcessStartInfo(executable) { RedirectStandardError = true, RedirectStandardInput = true, UseShellExecute = false };
        foreach (string argument in (IEnumerable<string>)["serve", "--dev", "--listen", "127.0.0.1:0", .. globalArguments]) start.ArgumentList.Add(argument);
        start.Environment["RAMET_CONFIG"] = "/dev/null";
        start.Environment["RAMET_KEYS_RATE_PER_SECOND"] = "0";
        var server = Process.Start(start) ?? throw new BenchmarkException("The server could not be started.");
        var said = new StringBuilder();
        const string Marker = "Ready on http://";
        while (server.StandardError.ReadLine() is { } line)
        {
            said.Append(line).Append('\n');
            int at = line.IndexOf(Marker, StringComparison.Ordinal);
            if (at < 0) continue;
            address = IPEndPoint.Parse(line[(at + Marker.Length)..].Split(' ')[0]);
            new Thread(() => server.StandardError.ReadToEnd()) { IsBackground = true }.Start();
            return server;
        }

        server.WaitForExit();
        throw new BenchmarkException($"The server did not start: {said}");
    }

    /// <summary>A process and its children, whichever of its threads started them.</summary>
    private static List<int> WithWorkers(int pid) =>
    [
        pid,
        .. Directory.GetDirectories(FormattableString.Invariant($"/proc/{pid}/task"))
            .SelectMany(task => File.ReadAllText(Path.Combine(task, "children")).Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Select(child => int.Parse(child, CultureInfo.InvariantCulture)),
    ];

    private static double ResidentMegabytes(int pid) => Megabytes(pid, "status", "VmRSS:");

    /// <summary>Pages that are mapped several times, as those of a template are by each machine, count once: a machine that touches more of them does not need more memory.</summary>
    private static double ProportionalMegabytes(int pid) => Megabytes(pid, "smaps_rollup", "Pss:");

    private static double Megabytes(int pid, string file, string name)
    {
        string line = File.ReadLines($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/{file}").First(text => text.StartsWith(name, StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024.0;
    }

    /// <summary>A connection that asks one thing after the other. Plain sockets: the client shares the machine with the server and is not to be what is measured.</summary>
    private sealed class Client : IDisposable
    {
        private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        private readonly byte[] _buffer = new byte[16384];

        public Client(IPEndPoint address) => _socket.Connect(address);

        /// <summary>Asks and checks the answer; gives the time, microseconds.</summary>
        public double Ask()
        {
            long started = HostClock.MonotonicNanoseconds;
            _socket.Send(s_request);
            int length = 0, body = -1, wanted = int.MaxValue;
            while (length < wanted)
            {
                int count = _socket.Receive(_buffer.AsSpan(length));
                if (count == 0) throw new BenchmarkException("The server closed a connection.");
                length += count;
                if (body >= 0) continue;
                body = _buffer.AsSpan(0, length).IndexOf("\r\n\r\n"u8);
                if (body >= 0) wanted = body + 4 + ContentLength(_buffer.AsSpan(0, body));
            }

            double time = (HostClock.MonotonicNanoseconds - started) / 1000.0;
            var answer = _buffer.AsSpan(0, length);
            if (!answer.StartsWith("HTTP/1.1 200 "u8) || answer.IndexOf("\"stdout\":\"2\\n\",\"stderr\":\"\""u8) < 0 || answer.IndexOf("\"exit_code\":0,"u8) < 0)
                throw new BenchmarkException($"A wrong answer: {Encoding.UTF8.GetString(answer)}");
            return time;
        }

        public void Dispose() => _socket.Dispose();

        private static int ContentLength(ReadOnlySpan<byte> head)
        {
            int at = head.IndexOf("Content-Length: "u8);
            if (at < 0) throw new BenchmarkException("An answer without Content-Length.");
            var rest = head[(at + 16)..];
            int end = rest.IndexOf((byte)'\r');
            return int.Parse(end < 0 ? rest : rest[..end], CultureInfo.InvariantCulture);
        }
    }
}
