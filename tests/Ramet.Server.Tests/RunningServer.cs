using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;

namespace Ramet.Server.Tests;

/// <summary>A server of a test's own, with a data directory of its own unless the test names one.</summary>
public sealed class RunningServer : IDisposable
{
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly Task _reading;
    private readonly OwnData? _data;

    public RunningServer(IEnumerable<string> arguments, IReadOnlyDictionary<string, string?>? environment = null)
    {
        var settings = new Dictionary<string, string?>(environment ?? new Dictionary<string, string?>());
        if (!settings.ContainsKey("RAMET_DATA_DIR")) settings["RAMET_DATA_DIR"] = (_data = new OwnData()).Path;
        Process = Launcher.Start(["serve", .. arguments], settings);
        var ready = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        _reading = Task.Run(() =>
        {
            while (Process.StandardError.ReadLine() is { } line)
            {
                _lines.Enqueue(line);
                int at = line.IndexOf("Ready on ", StringComparison.Ordinal);
                if (at >= 0) ready.TrySetResult(line[(at + 9)..].Split(' ')[0]);
            }

            ready.TrySetException(new InvalidOperationException("The server ended: " + Log));
        });
        // The first start of all builds image and template.
        Address = new Uri(ready.Task.WaitAsync(TimeSpan.FromMinutes(15)).GetAwaiter().GetResult());
    }

    public Process Process { get; }

    public Uri Address { get; }

    public string Log => string.Join('\n', _lines);

    public HttpClient CreateClient(string? key = null)
    {
        var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = Address, Timeout = TimeSpan.FromMinutes(2) };
        if (key is not null) client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return client;
    }

    /// <summary>A bare connection.</summary>
    public Socket Connect()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = 30_000 };
        socket.Connect(IPAddress.Loopback, Address.Port);
        return socket;
    }

    public void Signal(int signal)
    {
        using var kill = Process.Start("/bin/kill", [$"-{signal}", Process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    public int WaitForExit()
    {
        Assert.True(Process.WaitForExit(TimeSpan.FromSeconds(60)), "The server did not end. " + Log);
        _reading.Wait(TimeSpan.FromSeconds(10));
        return Process.ExitCode;
    }

    public void Dispose()
    {
        if (!Process.HasExited) Process.Kill();
        Process.WaitForExit();
        Process.Dispose();
        _data?.Dispose();
    }
}

/// <summary>A data directory of a test's own. Images and templates are those of all tests; what is kept of sandboxes, and the note by which commands find a daemon, are not.</summary>
public sealed class OwnData : IDisposable
{
    public OwnData()
    {
        foreach (string shared in (string[])["images", "templates"])
        {
            string path = System.IO.Path.Combine(Launcher.Data, shared);
            if (Directory.Exists(path)) Directory.CreateSymbolicLink(System.IO.Path.Combine(Path, shared), path);
        }
    }

    public string Path { get; } = Directory.CreateTempSubdirectory("ramet-own-data-").FullName;

    /// <summary>What is linked stays.</summary>
    public void Dispose() => Directory.Delete(Path, recursive: true);
}
