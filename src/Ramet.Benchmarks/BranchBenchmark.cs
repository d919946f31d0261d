using System.Globalization;
using System.Text;
using Ramet.Host;
using Ramet.Sandboxes;

namespace Ramet.Benchmarks;

/// <summary>What a branch of a running sandbox costs: how long the parent stands still, and when the child prints. By megabytes written since the template.</summary>
public sealed class BranchBenchmark(SandboxEngine engine, Template template)
{
    /// <summary>Measures.</summary>
    /// <param name="runs">Branches of each size.</param>
    /// <exception cref="BenchmarkException">An answer was wrong.</exception>
    public Report Run(int runs)
    {
        var report = new Report();
        foreach (int megabytes in (int[])[0, 4, 16, 64])
        {
            var pause = report.Times($"pause_{megabytes}mb_us", $"parent stands still, {megabytes} MB written");
            var child = report.Times($"child_{megabytes}mb_us", $"snapshot to first byte of a branch, {megabytes} MB written");
            Measure(megabytes, runs, pause, child);
        }

        report.Notes = "The parent is a Python program that has written so much since its template and waits for a line. Each branch gets one, checks its memory and prints the sum.\n";
        return report;
    }

    private void Measure(int megabytes, int runs, Distribution pause, Distribution child)
    {
        using var output = new Lines();
        using var parent = engine.Fork(template, new SandboxOptions { Output = output }, driven: false);
        parent.Execute(new ExecRequest
        {
            Code = $"import sys\ndata = bytearray(b'x' * {megabytes << 20})\nprint('ready', flush=True)\nline = sys.stdin.readline()\nprint(int(line) + data.count(b'x', 0, 4096))",
            OpenInput = true,
        });
        output.WaitFor("ready\n");
        int expected = megabytes == 0 ? 0 : 4096;
        for (int i = -5; i < runs; i++)
        {
            long started = HostClock.MonotonicNanoseconds;
            using var snapshot = parent.Capture();
            using var lines = new Lines();
            using var branch = engine.Restore(snapshot, new SandboxOptions { Output = lines }, driven: false);
            branch.WriteInput(Encoding.UTF8.GetBytes(i.ToString(CultureInfo.InvariantCulture) + "\n"));
            lines.WaitFor((i + expected).ToString(CultureInfo.InvariantCulture) + "\n");
            if (i < 0) continue;
            child.Add((HostClock.MonotonicNanoseconds - started) / 1000.0);
            pause.Add(snapshot.PauseNanoseconds / 1000.0);
        }
    }

    private sealed class Lines : IOutputReceiver, IDisposable
    {
        private readonly StringBuilder _text = new();

        public void Write(int stream, ReadOnlySpan<byte> bytes)
        {
            lock (_text)
            {
                _text.Append(Encoding.UTF8.GetString(bytes));
                Monitor.PulseAll(_text);
            }
        }

        public void WaitFor(string expected)
        {
            lock (_text)
            {
                while (_text.Length < expected.Length)
                {
                    if (!Monitor.Wait(_text, TimeSpan.FromSeconds(30))) break;
                }

                if (_text.ToString() != expected) throw new BenchmarkException($"A wrong answer of a branch: '{_text}' where '{expected}' is right.");
            }
        }

        public void Dispose() => _text.Clear();
    }
}
