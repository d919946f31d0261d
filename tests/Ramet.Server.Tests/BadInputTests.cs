using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace Ramet.Server.Tests;

public sealed class BadInputTests(Daemon daemon)
{
    [Theory]
    [InlineData("", "empty")]
    [InlineData("{", "not valid JSON")]
    [InlineData("[]", "wrong type")]
    [InlineData("null", "null")]
    [InlineData("\"x\"", "wrong type")]
    [InlineData("{}", "'code'")]
    [InlineData("""{"code":null}""", "'code'")]
    [InlineData("""{"code":1}""", "a string is expected")]
    [InlineData("""{"code":"1","timeout_seconds":"5"}""", "a number is expected")]
    [InlineData("""{"code":"1","timeout_seconds":-1}""", "timeout_seconds")]
    [InlineData("""{"code":"1","timeout_seconds":1e300}""", "timeout_seconds")]
    [InlineData("""{"code":"1","memory_mb":1.5}""", "a whole number is expected")]
    [InlineData("""{"code":"1","memory_mb":99999999999}""", "a whole number is expected")]
    [InlineData("""{"code":"1","memory_mb":15}""", "memory_mb")]
    [InlineData("""{"code":"1","memori_mb":64}""", "Did you mean 'memory_mb'?")]
    [InlineData("""{"code":"1","code":"2"}""", "twice")]
    [InlineData("""{"code":"1"} x""", "")]
    [InlineData("""{"code":"1","env":{"A=B":"c"}}""", "name of a variable")]
    [InlineData("""{"code":"1","env":{"A":5}}""", "env")]
    [InlineData("""{"code":"1","files":{"a":5}}""", "base64")]
    [InlineData("""{"code":"1","files":{"a\u0000b":"x"}}""", "path of a file")]
    [InlineData("""{"code":"1","files":{"":"x"}}""", "path of a file")]
    [InlineData("""{"code":"1","files":{"/proc/version":"x"}}""", "/proc/version")]
    [InlineData("""{"code":"1","files":{"/usr":"x"}}""", "it is a directory")]
    [InlineData("""{"code":"1","template":"nope"}""", "Templates: python, node")]
    [InlineData("""{"code":"\ud800"}""", "")]
    public async Task Bad_bodies_are_refused_with_what_is_wrong(string body, string says)
    {
        var problem = await daemon.Http.PostAsync("/v1/exec", body, HttpStatusCode.BadRequest);
        Assert.Contains(says, (string?)problem["detail"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_path_with_dots_stays_in_the_sandbox()
    {
        var answer = await daemon.Http.PostAsync("/v1/exec", """{"code":"print(open('/x').read())","files":{"../../../../x":"inside"}}""");
        Assert.Equal("inside\n", (string?)answer["stdout"]);
        Assert.False(File.Exists("/x"));
    }

    [Fact]
    public async Task A_body_that_is_too_large_is_refused_and_the_server_goes_on()
    {
        await daemon.Http.PostAsync("/v1/exec", new { code = new string('#', 5 << 20) }, HttpStatusCode.RequestEntityTooLarge);
        Assert.Equal("1\n", (string?)(await daemon.Http.ExecAsync("print(1)"))["stdout"]);
    }

    [Fact]
    public async Task A_body_that_is_not_JSON_by_its_type_is_refused()
    {
        using var content = new StringContent("""{"code":"1"}""", Encoding.UTF8, "text/plain");
        using var response = await daemon.Http.PostAsync("/v1/exec", content);
        await Http.ReadAsync(response, HttpStatusCode.UnsupportedMediaType);
    }

    [Fact]
    public async Task Unknown_paths_and_methods_are_problems()
    {
        using var missing = await daemon.Http.GetAsync("/v1/nothing");
        await Http.ReadAsync(missing, HttpStatusCode.NotFound);
        using var method = await daemon.Http.GetAsync("/v1/exec");
        await Http.ReadAsync(method, HttpStatusCode.MethodNotAllowed);
        Assert.Contains("POST", method.Content.Headers.Allow);
    }

    [Fact]
    public async Task A_request_that_comes_byte_by_byte_is_understood()
    {
        using var socket = daemon.Server.Connect();
        string body = """{"code":"print('slow')"}""";
        string request = $"POST /v1/exec HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {daemon.Key}\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}";
        foreach (byte value in Encoding.ASCII.GetBytes(request)) await socket.SendAsync(new[] { value });
        Assert.Contains("slow\\n", await ReadSomeAsync(socket), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GARBAGE\r\n\r\n")]
    [InlineData("GET / HTTP/9.9\r\n\r\n")]
    [InlineData("GET /v1/health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")]
    [InlineData("POST /v1/exec HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n")]
    [InlineData("POST /v1/exec HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")]
    [InlineData("GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n")]
    public async Task Broken_HTTP_is_refused_and_the_server_goes_on(string request)
    {
        using (var socket = daemon.Server.Connect())
        {
            await socket.SendAsync(Encoding.Latin1.GetBytes(request));
            string answer = await ReadSomeAsync(socket);
            Assert.Matches("^(HTTP/1.1 (4|505)|$)", answer);
        }

        Assert.Equal("1\n", (string?)(await daemon.Http.ExecAsync("print(1)"))["stdout"]);
    }

    private static async Task<string> ReadSomeAsync(System.Net.Sockets.Socket socket)
    {
        var buffer = new byte[16384];
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        int count = await socket.ReceiveAsync(buffer, limit.Token);
        return Encoding.UTF8.GetString(buffer, 0, count);
    }
}
