using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ramet.Server.Tests;

[assembly: AssemblyFixture(typeof(Daemon))]

namespace Ramet.Server.Tests;

/// <summary>The server that most tests talk to: ./ramet serve, started as users start it, with a key.</summary>
public sealed class Daemon : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("ramet-server-tests-").FullName;

    public Daemon()
    {
        Key = Launcher.Run(["key", "create", "--name", "tests", "--keys-file", KeysFile]).Stdout.Trim();
        Server = new RunningServer(["--listen", "127.0.0.1:0"], Settings);
        Http = Server.CreateClient(Key);
    }

    public string KeysFile => Path.Combine(_directory, "keys.json");

    public string Key { get; }

    public RunningServer Server { get; }

    public HttpClient Http { get; }

    public IReadOnlyDictionary<string, string?> Settings => new Dictionary<string, string?>
    {
        ["RAMET_KEYS_FILE"] = KeysFile,
        ["RAMET_LOG_AUDIT_FILE"] = Path.Combine(_directory, "audit.jsonl"),
        ["RAMET_LIMITS_BODY_MB"] = "4",
    };

    public string AuditFile => Path.Combine(_directory, "audit.jsonl");

    public void Dispose()
    {
        Http.Dispose();
        Server.Dispose();
        Directory.Delete(_directory, recursive: true);
    }
}

/// <summary>What a finished command left.</summary>
public sealed record Outcome(int ExitCode, string Stdout, string Stderr);

/// <summary>Starts ./ramet.</summary>
public static class Launcher
{
    static Launcher()
    {
        Root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(Root, "Ramet.slnx"))) Root = Path.GetDirectoryName(Root) ?? throw new InvalidOperationException("The tests run outside the repository.");
        Data = Environment.GetEnvironmentVariable("RAMET_TEST_DATA_DIR") is { Length: > 0 } given ? given : Path.Combine(Root, "artifacts", "test-data");
        Executable = Environment.GetEnvironmentVariable("RAMET_TEST_EXECUTABLE") is { Length: > 0 } own ? own : Path.Combine(Root, "ramet");
    }

    public static string Root { get; }

    public static string Data { get; }

    public static string Executable { get; }

    public static Process Start(IEnumerable<string> arguments, IReadOnlyDictionary<string, string?>? environment = null)
    {
        var start = new ProcessStartInfo(Executable, arguments) { RedirectStandardError = true, RedirectStandardOutput = true, RedirectStandardInput = true, UseShellExecute = false };
        foreach (string name in start.Environment.Keys.Where(name => name.StartsWith("RAMET_", StringComparison.Ordinal)).ToList()) start.Environment.Remove(name);
        start.Environment["RAMET_DATA_DIR"] = Data;
        start.Environment["RAMET_CONFIG"] = "/dev/null";
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>()) start.Environment[name] = value;
        return Process.Start(start)!;
    }

    public static Outcome Run(IEnumerable<string> arguments, IReadOnlyDictionary<string, string?>? environment = null)
    {
        using var process = Start(arguments, environment);
        process.StandardInput.Close();
        var stderr = process.StandardError.ReadToEndAsync();
        string stdout = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new Outcome(process.ExitCode, stdout, stderr.Result);
    }
}

/// <summary>A server of a test's own.</summary>
public sealed class RunningServer : IDisposable
{
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly Task _reading;

    public RunningServer(IEnumerable<string> arguments, IReadOnlyDictionary<string, string?>? environment = null)
    {
        Process = Launcher.Start(["serve", .. arguments], environment);
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
    }
}

/// <summary>Requests and answers in few words.</summary>
public static class Http
{
    public static HttpContent Body(string json) => new StringContent(json, Encoding.UTF8, "application/json");

    /// <summary>Posts JSON; the answer must have this status. Gives its body.</summary>
    public static async Task<JsonNode> PostAsync(this HttpClient client, string path, object body, HttpStatusCode expected = HttpStatusCode.OK)
    {
        using var content = Body(body as string ?? JsonSerializer.Serialize(body));
        using var response = await client.PostAsync(path, content);
        return await ReadAsync(response, expected);
    }

    public static async Task<JsonNode> ReadAsync(HttpResponseMessage response, HttpStatusCode expected)
    {
        string text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == expected, $"{(int)response.StatusCode}: {text}");
        var node = JsonNode.Parse(text)!;
        if ((int)expected < 400) return node;
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal((int)expected, (int)node["status"]!);
        Assert.False(string.IsNullOrWhiteSpace((string?)node["detail"]));
        Assert.False(string.IsNullOrWhiteSpace((string?)node["request_id"]));
        return node;
    }

    /// <summary>Waits until the server runs code.</summary>
    public static async Task UntilRunningAsync(this HttpClient client)
    {
        for (int tries = 0; tries < 1200; tries++)
        {
            string metrics = await client.GetStringAsync("/v1/metrics");
            if (metrics.Contains("\nramet_sandboxes_running ", StringComparison.Ordinal) && !metrics.Contains("\nramet_sandboxes_running 0\n", StringComparison.Ordinal)) return;
            await Task.Delay(50);
        }

        Assert.Fail("Nothing runs.");
    }

    /// <summary>Runs code; the request must succeed.</summary>
    public static Task<JsonNode> ExecAsync(this HttpClient client, string code) => client.PostAsync("/v1/exec", new { code });
}
