using System.Diagnostics;
using System.Globalization;
using System.Net;
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
        // The one server in the directory that commands look into: they find it, or nobody.
        Server = new RunningServer(["--listen", "127.0.0.1:0"], new Dictionary<string, string?>(Settings) { ["RAMET_DATA_DIR"] = Launcher.Data });
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

    /// <summary>Makes another key, and waits until the server knows it: it reads the file of keys again within a second.</summary>
    public async Task<string> CreateKeyAsync(string name)
    {
        string key = Launcher.Run(["key", "create", "--name", name, "--keys-file", KeysFile]).Stdout.Trim();
        using var client = Server.CreateClient(key);
        await Waiting.UntilAsync(async () =>
        {
            using var answer = await client.GetAsync("/v1/sandboxes");
            return answer.StatusCode == HttpStatusCode.OK;
        });
        return key;
    }

    /// <summary>The lines of the audit log that are written so far.</summary>
    public IReadOnlyList<JsonNode> ReadAudit()
    {
        if (!File.Exists(AuditFile)) return [];
        using var stream = new FileStream(AuditFile, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(stream);
        string text = reader.ReadToEnd();
        return [.. text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)];
    }

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

    /// <summary>The one value of a metric.</summary>
    public static async Task<double> MetricAsync(this HttpClient client, string name)
    {
        string line = Assert.Single((await client.GetStringAsync("/v1/metrics")).Split('\n'), line => line.StartsWith(name + " ", StringComparison.Ordinal));
        return double.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture);
    }

    /// <summary>Waits until the server runs code.</summary>
    public static Task UntilRunningAsync(this HttpClient client) => Waiting.UntilAsync(async () => await client.MetricAsync("ramet_sandboxes_running") > 0);

    /// <summary>Runs code; the request must succeed.</summary>
    public static Task<JsonNode> ExecAsync(this HttpClient client, string code) => client.PostAsync("/v1/exec", new { code });
}
