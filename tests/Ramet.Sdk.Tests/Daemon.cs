using System.Collections.Concurrent;
using System.Diagnostics;
using Ramet.Sdk.Tests;

[assembly: AssemblyFixture(typeof(Daemon))]

namespace Ramet.Sdk.Tests;

/// <summary>The server that the SDKs talk to: ./ramet serve --dev, started as users start it.</summary>
public sealed class Daemon : IDisposable
{
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly Process _process;

    public Daemon()
    {
        string data = Environment.GetEnvironmentVariable("RAMET_TEST_DATA_DIR") is { Length: > 0 } given ? given : Path.Combine(Tools.Root, "artifacts", "test-data");
        string executable = Environment.GetEnvironmentVariable("RAMET_TEST_EXECUTABLE") is { Length: > 0 } own ? own : Path.Combine(Tools.Root, "ramet");
        var start = new ProcessStartInfo(executable, ["serve", "--dev", "--listen", "127.0.0.1:0"]) { RedirectStandardError = true, RedirectStandardOutput = true, UseShellExecute = false };
        foreach (string name in start.Environment.Keys.Where(name => name.StartsWith("RAMET_", StringComparison.Ordinal)).ToList()) start.Environment.Remove(name);
        start.Environment["RAMET_DATA_DIR"] = data;
        start.Environment["RAMET_CONFIG"] = "/dev/null";
        _process = Process.Start(start)!;
        _process.OutputDataReceived += static (_, _) => { };
        _process.BeginOutputReadLine();
        var ready = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        _ = Task.Run(() =>
        {
            while (_process.StandardError.ReadLine() is { } line)
            {
                _lines.Enqueue(line);
                int at = line.IndexOf("Ready on ", StringComparison.Ordinal);
                if (at >= 0) ready.TrySetResult(line[(at + 9)..].Split(' ')[0]);
            }

            ready.TrySetException(new InvalidOperationException("The server ended: " + Log));
        });
        // The first start of all builds images and templates.
        Address = new Uri(ready.Task.WaitAsync(TimeSpan.FromMinutes(15)).GetAwaiter().GetResult());
    }

    public Uri Address { get; }

    /// <summary>As RAMET_URL has it.</summary>
    public string Url => Address.ToString().TrimEnd('/');

    public string Log => string.Join('\n', _lines);

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }
}
