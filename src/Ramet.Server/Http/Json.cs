using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
using Ramet.Contracts;

namespace Ramet.Server.Http;

/// <summary>JSON bodies in both directions.</summary>
internal static partial class Json
{
    /// <summary>How all bodies are written and read. Characters stay as they are: answers are not for HTML.</summary>
    public static ContractsJson Contracts { get; } = new(new JsonSerializerOptions(ContractsJson.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    /// <summary>Writes an answer.</summary>
    public static async Task WriteAsync<T>(HttpContext context, T value, JsonTypeInfo<T> type, string contentType = "application/json")
    {
        byte[] bytes = JsonSerializer.SerializeToUtf8Bytes(value, type);
        context.Response.ContentType = contentType;
        context.Response.ContentLength = bytes.Length;
        if (!HttpMethods.IsHead(context.Request.Method)) await context.Response.Body.WriteAsync(bytes, context.RequestAborted).ConfigureAwait(false);
    }

    /// <summary>Reads a body that may be left out.</summary>
    /// <exception cref="ProblemException">It is not JSON, or not what is expected; the message says where.</exception>
    public static Task<T> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type, T otherwise)
        where T : class => context.Request.ContentLength is 0 || context.Request is { ContentLength: null, ContentType: null } ? Task.FromResult(otherwise) : ReadAsync(context, type);

    /// <summary>Reads a body.</summary>
    /// <exception cref="ProblemException">It is not JSON, or not what is expected; the message says where.</exception>
    public static async Task<T> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type)
        where T : class
    {
        if (!MediaTypeHeaderValue.TryParse(context.Request.ContentType, out var media) || !(media.SubType.Equals("json", StringComparison.OrdinalIgnoreCase) || media.Suffix.Equals("json", StringComparison.OrdinalIgnoreCase)))
        {
            throw new ProblemException(415, "Unsupported media type", context.Request.ContentType is { Length: > 0 } given
                ? $"The body must be JSON: send Content-Type: application/json, not '{Shorten(given)}'."
                : "The body must be JSON: send Content-Type: application/json.");
        }

        var reader = context.Request.BodyReader;
        long limit = RequestBody.TakeOverLimit(context);
        if (context.Request.ContentLength > limit) throw await RefuseLargeAsync(context, limit).ConfigureAwait(false);
        while (true)
        {
            var read = await reader.ReadAsync(context.RequestAborted).ConfigureAwait(false);
            if (read.Buffer.Length > limit)
            {
                reader.AdvanceTo(read.Buffer.End);
                throw await RefuseLargeAsync(context, limit).ConfigureAwait(false);
            }

            if (!read.IsCompleted)
            {
                reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                continue;
            }

            try
            {
                return Parse(read.Buffer, type);
            }
            finally
            {
                reader.AdvanceTo(read.Buffer.End);
            }
        }
    }

    private static async Task<ProblemException> RefuseLargeAsync(HttpContext context, long limit)
    {
        await RequestBody.ReadOverAsync(context, Math.Max(64L << 20, limit * 4)).ConfigureAwait(false);
        return new ProblemException(413, "Too large", $"The body is larger than {limit >> 20} MiB (limits.body_mb). Send less, or upload files to a sandbox.");
    }

    private static T Parse<T>(ReadOnlySequence<byte> body, JsonTypeInfo<T> type)
        where T : class
    {
        if (body.IsEmpty) throw ProblemException.BadRequest("The body is empty; it must be a JSON object.");
        try
        {
            var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = 16 });
            var value = JsonSerializer.Deserialize(ref reader, type) ?? throw ProblemException.BadRequest("The body is null; it must be a JSON object.");
            if (reader.Read()) throw ProblemException.BadRequest("There is more after the JSON object.");
            return value;
        }
        catch (JsonException e)
        {
            throw ProblemException.BadRequest(Explain(e, type));
        }
        catch (InvalidOperationException)
        {
            // Text that is not UTF-8, or has half of a surrogate pair.
            throw ProblemException.BadRequest("The body holds text that is not valid Unicode.");
        }
    }

    private static string Explain(JsonException e, JsonTypeInfo type)
    {
        string path = e.Path is { Length: > 2 } found && found.StartsWith("$.", StringComparison.Ordinal) ? found[2..] : "";
        if (Unmapped().Match(e.Message) is { Success: true } unknown)
        {
            string name = unknown.Groups["name"].Value;
            return $"There is no member '{Shorten(name)}' here.{Images.Specs.NearestName.Suggest(name, NamesNear(path, type))} Known: {string.Join(", ", NamesNear(path, type))}.";
        }

        if (e.Message.Contains("missing required", StringComparison.Ordinal)) return $"{(path.Length > 0 ? $"'{path}' lacks" : "The object lacks")} {e.Message[(e.Message.LastIndexOf(':') + 1)..].Trim().TrimEnd('.')}.";
        if (Conversion().IsMatch(e.Message)) return $"'{Shorten(path.Length > 0 ? path : "the body")}' has a value of the wrong type{Wanted(path, type)}.";
        if (e.Message.Contains("Duplicate property", StringComparison.OrdinalIgnoreCase)) return "A member of the object is there twice.";
        string where = e.LineNumber is { } line ? $" (line {line + 1}, byte {e.BytePositionInLine + 1})" : "";
        if (e.InnerException is null) return $"{(path.Length > 0 ? $"'{path}': " : "")}{e.Message.Split(" Path:")[0]}";
        return $"The body is not valid JSON{where}: {e.InnerException.Message.Split(" LineNumber:")[0]}";
    }

    private static string Wanted(string path, JsonTypeInfo type)
    {
        string name = path[(path.LastIndexOf('.') + 1)..];
        var property = AllTypes(type).SelectMany(known => known.Properties).FirstOrDefault(known => known.Name == name);
        var wanted = property is null ? null : Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        if (wanted is null) return "";
        return wanted == typeof(string) ? ": a string is expected"
            : wanted == typeof(bool) ? ": true or false is expected"
            : wanted == typeof(int) || wanted == typeof(long) ? ": a whole number is expected"
            : wanted == typeof(double) ? ": a number is expected"
            : wanted.Name.Contains("Dictionary", StringComparison.Ordinal) ? ": an object is expected"
            : wanted.Name.Contains("List", StringComparison.Ordinal) ? ": an array is expected" : "";
    }

    private static IEnumerable<string> NamesNear(string path, JsonTypeInfo type) =>
        (path.Contains('[', StringComparison.Ordinal) ? AllTypes(type).Last() : type).Properties.Select(property => property.Name);

    private static IEnumerable<JsonTypeInfo> AllTypes(JsonTypeInfo type)
    {
        yield return type;
        foreach (var property in type.Properties)
        {
            if (property.PropertyType == typeof(IReadOnlyList<ExecBody>)) yield return Contracts.ExecBody;
        }
    }

    /// <summary>What a client sent, short enough to be said back.</summary>
    internal static string Shorten(string text) => text.Length <= 100 ? text : text[..100] + "...";

    [GeneratedRegex("The JSON property '(?<name>.*)' could not be mapped", RegexOptions.Singleline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Unmapped();

    [GeneratedRegex("could not be converted|invalid as a JSON|doesn't allow setting null", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Conversion();
}
