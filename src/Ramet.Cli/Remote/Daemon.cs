using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Ramet.Cli.Input;
using Ramet.Contracts;
using Ramet.Sandboxes;

namespace Ramet.Cli.Remote;

/// <summary>A daemon that commands talk to.</summary>
internal sealed class Daemon : IDisposable
{
    private readonly HttpClient _http;

    public Daemon(DaemonAddress address)
    {
        Address = address;
        Handler = new SocketsHttpHandler { AllowAutoRedirect = false };
        if (address.SocketPath is { } path)
        {
            Handler.ConnectCallback = async (_, token) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), token).ConfigureAwait(false);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            };
        }

        _http = new HttpClient(Handler) { BaseAddress = address.Url, Timeout = Timeout.InfiniteTimeSpan };
        if (address.Key is { } key) _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
    }

    /// <summary>Where it is.</summary>
    public DaemonAddress Address { get; }

    /// <summary>Connections to it.</summary>
    public SocketsHttpHandler Handler { get; }

    /// <summary>Path of a sandbox.</summary>
    public static string PathOf(string sandbox, string rest = "") => $"v1/sandboxes/{Uri.EscapeDataString(sandbox)}{rest}";

    /// <summary>Asks for JSON.</summary>
    public T Get<T>(string path, JsonTypeInfo<T> type) => Read(Send(new HttpRequestMessage(HttpMethod.Get, path)), type);

    /// <summary>Posts JSON and gets JSON.</summary>
    public TAnswer Post<TBody, TAnswer>(string path, TBody body, JsonTypeInfo<TBody> bodyType, JsonTypeInfo<TAnswer> answerType) =>
        Read(Send(new HttpRequestMessage(HttpMethod.Post, path) { Content = ToJson(body, bodyType) }), answerType);

    /// <summary>Posts nothing and gets JSON.</summary>
    public T Post<T>(string path, JsonTypeInfo<T> type) => Read(Send(new HttpRequestMessage(HttpMethod.Post, path)), type);

    /// <summary>Deletes.</summary>
    public void Delete(string path) => Send(new HttpRequestMessage(HttpMethod.Delete, path)).Dispose();

    /// <summary>Sends a request; the answer's headers are there, and it is a success. Waits for the rest of it are the caller's.</summary>
    /// <exception cref="UsageException">The server says that the request is wrong.</exception>
    /// <exception cref="SandboxException">There is no server, or it cannot do this.</exception>
    public HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken = default)
    {
        HttpResponseMessage response;
        try
        {
            response = _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).GetAwaiter().GetResult();
        }
        catch (HttpRequestException e)
        {
            throw Unreachable(e);
        }

        if (response.IsSuccessStatusCode) return response;
        using (response) throw Refused(response);
    }

    /// <summary>What the user is told when nobody answers.</summary>
    public SandboxException Unreachable(Exception cause) => new(
        $"no server answers at {(Address.SocketPath is { } path ? $"unix:{path}" : Address.Url.GetLeftPart(UriPartial.Authority))} ({(cause.InnerException ?? cause).Message}). Start one: ramet serve --dev, or name it with --server or RAMET_SERVER.");

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    /// <summary>JSON as a body.</summary>
    public static HttpContent ToJson<T>(T body, JsonTypeInfo<T> type)
    {
        var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, type));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return content;
    }

    private static T Read<T>(HttpResponseMessage response, JsonTypeInfo<T> type)
    {
        using (response)
        {
            using var content = response.Content.ReadAsStream();
            return JsonSerializer.Deserialize(content, type) ?? throw new SandboxException("The server's answer is empty.");
        }
    }

    private static Exception Refused(HttpResponseMessage response)
    {
        Problem? problem = null;
        try
        {
            using var content = response.Content.ReadAsStream();
            problem = JsonSerializer.Deserialize(content, ContractsJson.Default.Problem);
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            // It is of something in between; the status says enough.
        }

        string text = problem?.Detail ?? "";

        if (text.Length == 0) text = $"the server answers with {(int)response.StatusCode} {response.ReasonPhrase}.";
        if (response.StatusCode == HttpStatusCode.Unauthorized) text += " This command sends the key in RAMET_API_KEY.";
        if (problem?.Errno is { } errno && Enum.TryParse(errno, out Abi.Errno error)) return new SandboxException(text, error);
        return (int)response.StatusCode < 500 ? new UsageException(text) : new SandboxException(text);
    }
}
