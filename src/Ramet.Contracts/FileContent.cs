using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ramet.Contracts;

/// <summary>Content of a file in JSON: a string is text, <c>{"base64": "..."}</c> is bytes.</summary>
[JsonConverter(typeof(FileContentConverter))]
public sealed record FileContent(ReadOnlyMemory<byte> Bytes)
{
    /// <summary>Text, as UTF-8.</summary>
    public static FileContent FromText(string text) => new(Encoding.UTF8.GetBytes(text));
}

/// <summary>Reads and writes <see cref="FileContent"/>.</summary>
public sealed class FileContentConverter : JsonConverter<FileContent>
{
    private const string Wanted = "The content of a file is a string, or {\"base64\": \"...\"}.";

    /// <inheritdoc/>
    public override FileContent Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String) return FileContent.FromText(reader.GetString()!);
        if (reader.TokenType != JsonTokenType.StartObject || !reader.Read() || reader.TokenType != JsonTokenType.PropertyName || !reader.ValueTextEquals("base64"u8)
            || !reader.Read() || reader.TokenType != JsonTokenType.String || !reader.TryGetBytesFromBase64(out byte[]? bytes) || !reader.Read() || reader.TokenType != JsonTokenType.EndObject)
        {
            throw new JsonException(Wanted);
        }

        return new FileContent(bytes);
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, FileContent value, JsonSerializerOptions options)
    {
        writer.WriteStartObject();
        writer.WriteBase64String("base64", value.Bytes.Span);
        writer.WriteEndObject();
    }
}
