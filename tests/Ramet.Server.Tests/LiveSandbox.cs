using System.Net;
using System.Text.Json.Nodes;

namespace Ramet.Server.Tests;

/// <summary>A sandbox that a test has made.</summary>
public sealed class LiveSandbox : IAsyncDisposable
{
    private readonly HttpClient _http;

    public LiveSandbox(HttpClient http, string id) => (_http, Id) = (http, id);

    public string Id { get; }

    public string Path => $"/v1/sandboxes/{Id}";

    public static async Task<LiveSandbox> CreateAsync(HttpClient http, object? body = null) =>
        new(http, (string)(await http.PostAsync("/v1/sandboxes", body ?? new { }, HttpStatusCode.Created))["id"]!);

    public Task<JsonNode> RunAsync(string code) => _http.PostAsync($"{Path}/run", new { code });

    public Task<JsonNode> StartAsync(object body) => _http.PostAsync($"{Path}/processes", body, HttpStatusCode.Created);

    public async Task<IReadOnlyList<Event>> OutputAsync(int pid)
    {
        using var response = await _http.GetAsync($"{Path}/processes/{pid}/output", HttpCompletionOption.ResponseHeadersRead);
        return await Events.ReadAsync(response);
    }

    /// <summary>Waits until there is such a file: code says by one that it has begun.</summary>
    public Task UntilFileAsync(string path) => Waiting.UntilAsync(async () =>
    {
        using var answer = await _http.GetAsync($"{Path}/files/stat?path={path}");
        return answer.StatusCode == HttpStatusCode.OK;
    });

    public async ValueTask DisposeAsync()
    {
        using var response = await _http.DeleteAsync(Path);
        Assert.True(response.StatusCode is HttpStatusCode.NoContent or HttpStatusCode.NotFound, response.StatusCode.ToString());
    }
}

/// <summary>One server-sent event.</summary>
public sealed record Event(string Name, JsonNode Data);

/// <summary>Reads server-sent events.</summary>
public static class Events
{
    public static async Task<IReadOnlyList<Event>> ReadAsync(HttpResponseMessage response)
    {
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        var events = new List<Event>();
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        string name = "";
        while (await reader.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("event: ", StringComparison.Ordinal)) name = line[7..];
            if (line.StartsWith("data: ", StringComparison.Ordinal)) events.Add(new Event(name, JsonNode.Parse(line[6..])!));
        }

        return events;
    }
}
