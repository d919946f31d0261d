using System.Text.Json.Serialization;

namespace Ramet.Server.Keys;

/// <summary>What a key allows.</summary>
public static class Scope
{
    /// <summary>POST /v1/exec and /v1/exec/batch.</summary>
    public const string Exec = "exec";

    /// <summary>Sandboxes with a life: /v1/sandboxes.</summary>
    public const string Sandboxes = "sandboxes";

    /// <summary>GET /v1/metrics.</summary>
    public const string Metrics = "metrics";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> All { get; } = [Exec, Sandboxes, Metrics];
}

/// <summary>A key as it is stored: the key itself is not.</summary>
public sealed record ApiKey
{
    /// <summary>Names the key, and is the tenant's name.</summary>
    public required string Id { get; init; }

    /// <summary>What its maker called it.</summary>
    public string? Name { get; init; }

    /// <summary>SHA-256 of the key, in hexadecimal. A key holds 238 random bits: there is nothing to guess that a slow hash would protect.</summary>
    public required string Hash { get; init; }

    /// <summary>What it allows.</summary>
    public required IReadOnlyList<string> Scopes { get; init; }

    /// <summary>When it was made.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>From when on it is refused; null: never.</summary>
    public DateTimeOffset? Expires { get; init; }

    /// <summary>When it was revoked; null: it was not.</summary>
    public DateTimeOffset? Revoked { get; init; }

    /// <summary>Whether it is accepted at a time.</summary>
    public bool IsValidAt(DateTimeOffset time) => Revoked is null && (Expires is null || time < Expires);
}

/// <summary>The file of keys.</summary>
internal sealed record KeyFile
{
    /// <summary>Version of the format.</summary>
    public required int Version { get; init; }

    /// <summary>The keys.</summary>
    public required IReadOnlyList<ApiKey> Keys { get; init; }
}

[JsonSerializable(typeof(KeyFile))]
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, RespectNullableAnnotations = true)]
internal sealed partial class KeyJson : JsonSerializerContext;
