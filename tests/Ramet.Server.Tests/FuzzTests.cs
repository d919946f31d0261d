using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace Ramet.Server.Tests;

/// <summary>Random requests made from the API's own description: whatever comes, the answer is no 5xx of ours, and the server goes on.</summary>
public sealed class FuzzTests
{
    private static readonly string[] s_texts = ["", "x", "/", "..", "../../etc/passwd", "a\0b", "é\u202e", "-1", "99999999999999999999", "null", "{}", new string('a', 5000), "print(1)", "while True: pass", "/proc/self/mem", "%s%n", "TERM", "cat"];

    [Fact]
    public async Task Random_requests_from_the_description_are_answered()
    {
        using var server = new RunningServer(["--dev", "--listen", "127.0.0.1:0"], new Dictionary<string, string?>
        {
            ["RAMET_LIMITS_MAX_TIMEOUT_SECONDS"] = "1", ["RAMET_LIMITS_TIMEOUT_SECONDS"] = "1", ["RAMET_KEYS_RATE_PER_SECOND"] = "0", ["RAMET_KEYS_SANDBOXES"] = "1000", ["RAMET_LIMITS_SANDBOXES"] = "1000",
        });
        using var client = server.CreateClient();
        var api = JsonNode.Parse(await client.GetStringAsync("/openapi.json"))!;
        int seed = Environment.GetEnvironmentVariable("RAMET_TEST_SEED") is { Length: > 0 } given ? int.Parse(given, System.Globalization.CultureInfo.InvariantCulture) : Environment.TickCount;
        var random = new Random(seed);
        var operations = api["paths"]!.AsObject().SelectMany(path => path.Value!.AsObject().Where(item => item.Value is JsonObject).Select(item => (Path: path.Key, Method: item.Key, Operation: item.Value!))).ToList();
        Assert.True(operations.Count > 25, $"{operations.Count} operations.");
        var ids = new List<string>();
        var statuses = new Dictionary<int, int>();
        var end = DateTime.UtcNow.AddSeconds(15);
        int count = 0;
        while (DateTime.UtcNow < end || count < 300)
        {
            if (ids.Count == 0 || random.Next(40) == 0) ids.Add((await LiveSandbox.CreateAsync(client, new { timeout_seconds = 20 })).Id);
            if (ids.Count > 5) ids.RemoveAt(0);
            var (path, method, operation) = operations[random.Next(operations.Count)];
            using var request = Make(path, method, operation);
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            using var response = await SendAsync(request, limit.Token);
            int status = (int)response.StatusCode;
            count++;
            statuses[status] = statuses.GetValueOrDefault(status) + 1;
            if (status is >= 500 and not (503 or 507)) Assert.Fail($"seed {seed}: {method} {request.RequestUri}: {status} {await response.Content.ReadAsStringAsync(limit.Token)}");
            if (status < 400) continue;
            // What is no HTTP that the web server takes (a NUL in the path, a long line) is refused before it is a request.
            if (status is (400 or 414 or 431) && response.Content.Headers.ContentLength == 0) continue;
            await Http.ReadAsync(response, response.StatusCode);
        }

        Assert.Equal("1\n", (string?)(await client.ExecAsync("print(1)"))["stdout"]);
        Assert.Contains(200, statuses.Keys);
        Assert.Contains(400, statuses.Keys);

        async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            try
            {
                return await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            }
            catch (HttpRequestException exception)
            {
                string body = request.Content is null ? "" : await request.Content.ReadAsStringAsync(CancellationToken.None);
                Assert.Fail($"seed {seed}, request {count}: {request.Method} {request.RequestUri} {body}: {exception.InnerException?.Message ?? exception.Message}");
                throw;
            }
        }

        HttpRequestMessage Make(string path, string method, JsonNode operation)
        {
            path = path.Replace("{id}", random.Next(8) == 0 ? Uri.EscapeDataString(Text() + "x") : ids[random.Next(ids.Count)], StringComparison.Ordinal)
                .Replace("{checkpoint}", Uri.EscapeDataString(Text() + "x"), StringComparison.Ordinal)
                .Replace("{name}", Uri.EscapeDataString(Text() + "x"), StringComparison.Ordinal)
                .Replace("{pid}", random.Next(4) == 0 ? Uri.EscapeDataString(Text() + "1") : $"{random.Next(2, 12)}", StringComparison.Ordinal);
            var query = (operation["parameters"]?.AsArray() ?? []).Where(parameter => (string?)parameter!["in"] == "query" && random.Next(5) > 0)
                .Select(parameter => $"{parameter!["name"]}={Uri.EscapeDataString(random.Next(3) == 0 ? Text() : Scalar((string?)parameter["schema"]!["type"]))}");
            var request = new HttpRequestMessage(new HttpMethod(method.ToUpperInvariant()), $"{path}?{string.Join('&', query)}");
            if (operation["requestBody"]?["content"]?.AsObject() is not { } content) return request;
            byte[] body = content.First().Key == "application/json"
                ? random.Next(20) == 0 ? Encoding.UTF8.GetBytes(Text()) : Encoding.UTF8.GetBytes(Value(content.First().Value!["schema"]!, 0)?.ToJsonString() ?? "null")
                : Encoding.UTF8.GetBytes(Text());
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.TryAddWithoutValidation("Content-Type", content.First().Key);
            return request;
        }

        string Text() => s_texts[random.Next(s_texts.Length)];

        string Scalar(string? type) => type switch
        {
            "integer" => $"{random.Next(-2, 200)}",
            "number" => random.Next(2) == 0 ? "0.05" : $"{random.Next(-1, 2)}",
            "boolean" => random.Next(2) == 0 ? "true" : "false",
            _ => Text(),
        };

        JsonNode? Value(JsonNode schema, int depth)
        {
            if (random.Next(25) == 0) return random.Next(4) switch { 0 => null, 1 => JsonValue.Create(Text()), 2 => JsonValue.Create(random.NextDouble() * 1e9), _ => new JsonArray() };
            if ((string?)schema["$ref"] is { } reference) schema = api["components"]!["schemas"]![reference.Split('/')[^1]]!;
            var any = (schema["oneOf"] ?? schema["anyOf"])?.AsArray();
            if (any is not null) return Value(any[random.Next(any.Count)]!, depth + 1);
            string? type = schema["type"] is JsonArray types ? (string?)types.First(name => (string?)name != "null") : (string?)schema["type"];
            switch (type)
            {
                case "object":
                    var made = new JsonObject();
                    foreach (var (name, property) in schema["properties"]?.AsObject() ?? [])
                    {
                        bool required = schema["required"]?.AsArray().Any(one => (string?)one == name) == true;
                        if (random.Next(required ? 20 : 3) != 0 == required || (!required && random.Next(3) == 0)) made[name] = Value(property!, depth + 1);
                    }

                    if (schema["additionalProperties"] is JsonObject inner) for (int i = random.Next(3); i > 0; i--) made[Text() + i] = Value(inner, depth + 1);
                    return made;
                case "array":
                    return new JsonArray([.. Enumerable.Range(0, depth > 4 ? 0 : random.Next(4)).Select(_ => schema["items"] is { } items ? Value(items, depth + 1) : null)]);
                case "integer":
                    return JsonValue.Create(random.Next(4) == 0 ? random.NextInt64() : random.Next(-1, 200));
                case "number":
                    return JsonValue.Create(random.Next(4) == 0 ? -1e308 : random.NextDouble());
                case "boolean":
                    return JsonValue.Create(random.Next(2) == 0);
                default:
                    return JsonValue.Create(Text());
            }
        }
    }
}
