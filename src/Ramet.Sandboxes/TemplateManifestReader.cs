using System.Text.Json;

namespace Ramet.Sandboxes;

/// <summary>
/// Reads template.json token by token. Each start of a process reads one, and the serializer would have some hundred methods of generic code compiled first: more time
/// than the fork itself takes.
/// </summary>
internal static class TemplateManifestReader
{
    /// <summary>Reads a manifest.</summary>
    /// <exception cref="JsonException">It is not one.</exception>
    public static TemplateManifest Read(ReadOnlySpan<byte> json)
    {
        string? name = null, runtime = null, image = null, imageId = null, fingerprint = null, id = null, from = null, fromId = null;
        long memory = -1, used = -1, state = -1, build = -1;
        DateTimeOffset? created = null;
        List<MemoryRange>? imageRanges = null, hotRanges = null;
        List<ulong> largePages = [];
        try
        {
            var reader = new Utf8JsonReader(json);
            Expect(ref reader, JsonTokenType.StartObject);
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string key = reader.GetString()!;
                reader.Read();
                switch (key)
                {
                    case "name": name = reader.GetString(); break;
                    case "runtime": runtime = reader.GetString(); break;
                    case "image": image = reader.GetString(); break;
                    case "image_id": imageId = reader.GetString(); break;
                    case "fingerprint": fingerprint = reader.GetString(); break;
                    case "from": from = reader.GetString(); break;
                    case "from_id": fromId = reader.GetString(); break;
                    case "id": id = reader.GetString(); break;
                    case "created": created = reader.GetDateTimeOffset(); break;
                    case "memory_bytes": memory = reader.GetInt64(); break;
                    case "used_bytes": used = reader.GetInt64(); break;
                    case "state_bytes": state = reader.GetInt64(); break;
                    case "build_milliseconds": build = reader.GetInt64(); break;
                    case "image_ranges": imageRanges = ReadRanges(ref reader); break;
                    case "large_image_pages":
                        while (reader.Read() && reader.TokenType == JsonTokenType.Number) largePages.Add(reader.GetUInt64());
                        break;
                    case "hot_ranges": hotRanges = ReadRanges(ref reader); break;
                    default: reader.Skip(); break;
                }
            }
        }
        catch (Exception exception) when (exception is InvalidOperationException or FormatException)
        {
            throw new JsonException("a value is of another kind than it should be", exception);
        }

        if (name is null || runtime is null || image is null || imageId is null || fingerprint is null || id is null || created is null
            || imageRanges is null || hotRanges is null || memory < 0 || used < 0 || state < 0 || build < 0)
            throw new JsonException("a value is missing");
        return new TemplateManifest
        {
            Name = name,
            Runtime = runtime,
            Image = image,
            ImageId = imageId,
            Fingerprint = fingerprint,
            Created = created.Value,
            MemoryBytes = memory,
            UsedBytes = used,
            StateBytes = state,
            Id = id,
            From = from,
            FromId = fromId,
            ImageRanges = imageRanges,
            LargeImagePages = largePages,
            HotRanges = hotRanges,
            BuildMilliseconds = build,
        };
    }

    private static List<MemoryRange> ReadRanges(ref Utf8JsonReader reader)
    {
        List<MemoryRange> ranges = [];
        if (reader.TokenType != JsonTokenType.StartArray) throw new JsonException("a list is missing");
        while (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
        {
            ulong address = 0, length = 0;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                bool isAddress = reader.ValueTextEquals("address"u8);
                reader.Read();
                if (isAddress) address = reader.GetUInt64();
                else length = reader.GetUInt64();
            }

            ranges.Add(new MemoryRange(address, length));
        }

        return ranges;
    }

    private static void Expect(ref Utf8JsonReader reader, JsonTokenType type)
    {
        if (!reader.Read() || reader.TokenType != type) throw new JsonException("not an object");
    }
}
