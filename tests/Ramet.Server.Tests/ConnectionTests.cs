using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Ramet.Server.Tests;

/// <summary>Clients that are many, slow, or suddenly gone.</summary>
public sealed class ConnectionTests(Daemon daemon)
{
    private const string Problem = "application/problem+json";

    [Fact]
    public async Task Ten_thousand_connections_do_not_keep_others_out()
    {
        const int Count = 10_000;
        // This process and the server have a descriptor for each.
        Assert.SkipUnless(MostFiles("self") > Count + 2000 && MostFiles($"{daemon.Server.Process.Id}") > Count + 2000, "open files are limited to fewer here: ulimit -Hn");
        var sockets = new List<Socket>(Count);
        try
        {
            for (int i = 0; i < Count; i++)
            {
                sockets.Add(daemon.Server.Connect());
                // Some have begun to say something.
                if (i % 100 == 0) await sockets[^1].SendAsync("POST /v1/exec HT"u8.ToArray());
            }

            using (var client = daemon.Server.CreateClient(daemon.Key)) Assert.Equal("1\n", (string?)(await client.ExecAsync("print(1)"))["stdout"]);
            // The last that came can be used like the first.
            foreach (var socket in new[] { sockets[^1], sockets[1] })
            {
                await socket.SendAsync(Health());
                Assert.StartsWith("HTTP/1.1 200 ", await ReadAsync(socket), StringComparison.Ordinal);
            }
        }
        finally
        {
            foreach (var socket in sockets) socket.Dispose();
        }

        Assert.Equal("1\n", (string?)(await daemon.Http.ExecAsync("print(1)"))["stdout"]);
    }

    [Fact]
    public async Task More_connections_than_there_may_be_are_told_so_and_others_go_on()
    {
        const int Most = 20;
        using var server = new RunningServer(["--dev", "--listen", "127.0.0.1:0"], new Dictionary<string, string?> { ["RAMET_LIMITS_CONNECTIONS"] = $"{Most}", ["RAMET_TEMPLATES"] = "python" });
        using var client = server.CreateClient();
        Assert.Equal("1\n", (string?)(await client.ExecAsync("print(1)"))["stdout"]);
        var sockets = new List<Socket>();
        for (int i = 0; i < Most - 1; i++)
        {
            sockets.Add(server.Connect());
            // Counted for certain: connections need not be counted in the order in which they were made.
            await sockets[i].SendAsync(Health());
            Assert.StartsWith("HTTP/1.1 200 ", await ReadAsync(sockets[i]), StringComparison.Ordinal);
        }

        for (int i = 0; i < 3; i++)
        {
            using var late = server.Connect();
            await late.SendAsync(Health());
            string answer = await ReadAsync(late);
            Assert.StartsWith("HTTP/1.1 503 ", answer, StringComparison.Ordinal);
            Assert.Contains("Retry-After: 1", answer, StringComparison.Ordinal);
            Assert.Contains(Problem, answer, StringComparison.Ordinal);
            Assert.Contains("limits.connections", answer, StringComparison.Ordinal);
        }

        Assert.Equal("2\n", (string?)(await client.ExecAsync("print(2)"))["stdout"]);
        foreach (var socket in sockets) socket.Dispose();
        string again = "";
        for (int tries = 0; tries < 100 && !again.StartsWith("HTTP/1.1 200 ", StringComparison.Ordinal); tries++)
        {
            await Task.Delay(50);
            using var later = server.Connect();
            await later.SendAsync(Health());
            again = await ReadAsync(later);
        }

        Assert.StartsWith("HTTP/1.1 200 ", again, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whoever_takes_too_long_over_his_request_is_shown_out()
    {
        using var headers = daemon.Server.Connect();
        using var body = daemon.Server.Connect();
        await body.SendAsync(Encoding.ASCII.GetBytes(
            $"POST /v1/exec HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {daemon.Key}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{\"code\":"));
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var ends = Task.WhenAll(ReadAsync(headers), ReadAsync(body));
        // A byte at a time, as who wants to keep a connection busy for long.
        foreach (byte value in Encoding.ASCII.GetBytes("GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX-Padding: " + new string('x', 1000)))
        {
            if (ends.IsCompleted) break;
            try
            {
                await headers.SendAsync(new[] { value });
                await body.SendAsync(" "u8.ToArray());
            }
            catch (SocketException)
            {
                break; // It is closed.
            }

            await Task.Delay(200);
        }

        string[] answers = await ends.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(90), $"It took {clock.Elapsed}.");
        Assert.All(answers, answer => Assert.Matches("^(HTTP/1.1 4(08|00) |$)", answer));
        Assert.Equal("1\n", (string?)(await daemon.Http.ExecAsync("print(1)"))["stdout"]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Accept: text/event-stream\r\n")]
    public async Task A_client_that_vanishes_ends_its_program(string header)
    {
        string mark = Guid.NewGuid().ToString("n");
        using (var socket = daemon.Server.Connect())
        {
            string body = $$"""{"code":"while True: pass # {{mark}}","timeout_seconds":600}""";
            await socket.SendAsync(Encoding.ASCII.GetBytes(
                $"POST /v1/exec HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {daemon.Key}\r\n{header}Content-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
            await WaitForRunningAsync(running => running > 0);
        }

        await WaitForRunningAsync(running => running == 0);
    }

    [Fact]
    public async Task A_client_that_vanishes_in_an_upload_leaves_a_sandbox_that_can_be_used()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        using (var socket = daemon.Server.Connect())
        {
            await socket.SendAsync(Encoding.ASCII.GetBytes(
                $"PUT {sandbox.Path}/files/content?path=/root/part HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {daemon.Key}\r\nContent-Length: 100000000\r\n\r\n"));
            for (int i = 0; i < 64; i++) await socket.SendAsync(new byte[65536]);
        }

        // The file has what came, or nothing; it is not held, and the next upload is whole.
        using var content = new ByteArrayContent(new byte[5 << 20]);
        using var response = await daemon.Http.PutAsync($"{sandbox.Path}/files/content?path=/root/part", content);
        Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode}");
        Assert.Equal($"{5 << 20}", (string?)(await sandbox.RunAsync("import os; os.stat('/root/part').st_size"))["value"]);
    }

    private static int MostFiles(string process)
    {
        string line = File.ReadLines($"/proc/{process}/limits").First(text => text.StartsWith("Max open files", StringComparison.Ordinal));
        return int.TryParse(line["Max open files".Length..].TrimStart().Split(' ')[0], CultureInfo.InvariantCulture, out int limit) ? limit : int.MaxValue;
    }

    private async Task WaitForRunningAsync(Func<int, bool> condition)
    {
        for (int tries = 0; tries < 600; tries++)
        {
            string metrics = await daemon.Http.GetStringAsync("/v1/metrics");
            string line = metrics.Split('\n').First(text => text.StartsWith("ramet_sandboxes_running ", StringComparison.Ordinal));
            if (condition(int.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture))) return;
            await Task.Delay(50);
        }

        Assert.Fail("The number of running sandboxes did not change as expected.");
    }

    private static byte[] Health() => "GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray();

    /// <summary>What comes at first; nothing when the connection is closed.</summary>
    private static async Task<string> ReadAsync(Socket socket)
    {
        byte[] buffer = new byte[16384];
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        try
        {
            int count = await socket.ReceiveAsync(buffer, limit.Token);
            return Encoding.UTF8.GetString(buffer, 0, count);
        }
        catch (SocketException)
        {
            return "";
        }
    }
}
