using Ramet.Contracts;
using Ramet.Sandboxes.Hosting;
using Ramet.Server.Configuration;
using Ramet.Server.Http;

namespace Ramet.Server.Api;

/// <summary>What is asked for of a new sandbox, checked.</summary>
internal static class SandboxSpecs
{
    private const double DefaultLifetime = 300;
    private const double LongestLifetime = 30 * 86400;
    private const int LargestText = 4096;

    /// <summary>Checks it.</summary>
    /// <exception cref="ProblemException">It cannot be made so.</exception>
    public static HostedSandboxSpec Read(string tenant, SandboxBody body, Executor executor, ServerSettings settings)
    {
        bool ofTemplate = body.Template is not null || body.Language is not null;
        if ((ofTemplate ? 1 : 0) + (body.Image is null ? 0 : 1) + (body.Snapshot is null ? 0 : 1) > 1)
            throw ProblemException.BadRequest("A sandbox is made from a template (or language), from an image, or from a snapshot: give one of them.");
        if (body.Image is { } image && !IsName(image)) throw ProblemException.BadRequest($"'image': '{Json.Shorten(image)}' cannot be the name of an image. See: ramet image ls");
        if (body.Network is not (null or "none" or "loopback"))
            throw ProblemException.BadRequest($"'network': '{Json.Shorten(body.Network)}' is not there. Sandboxes have no outside network; 'none' and 'loopback' are what can be asked for.");
        if (body.Limits?.MemoryMb is { } limit && body.MemoryMb is { } own && limit != own) throw ProblemException.BadRequest("'memory_mb' and 'limits.memory_mb' are the same limit: give one of them.");
        return new HostedSandboxSpec(
            body.Image is null && body.Snapshot is null ? executor.TemplateOf(tenant, body.Template, body.Language, "") : "",
            executor.Memory(body.MemoryMb ?? body.Limits?.MemoryMb, ""),
            Lifetime(body.TimeoutSeconds ?? DefaultLifetime),
            Metadata(body.Metadata))
        {
            Image = body.Image,
            Snapshot = body.Snapshot,
            Environment = Environment(body.Env),
            WorkingDirectory = Directory(body.Cwd),
            MaxThreads = Number(body.Limits?.Processes, "limits.processes", 1, 32768),
            MaxOpenFiles = Number(body.Limits?.OpenFiles, "limits.open_files", 16, 1 << 20),
            MaxOutputBytes = body.MaxOutput is null or (>= 1 and <= 1L << 40) ? body.MaxOutput : throw ProblemException.BadRequest($"'max_output' is a number of bytes from 1 to {1L << 40}, not {body.MaxOutput}."),
            AutoPause = body.AutoPauseSeconds switch
            {
                null => null,
                >= 0.1 and <= LongestLifetime => TimeSpan.FromSeconds(body.AutoPauseSeconds.Value),
                _ => throw ProblemException.BadRequest(FormattableString.Invariant($"'auto_pause_seconds' is from 0.1 to {LongestLifetime} (30 days), not {body.AutoPauseSeconds}.")),
            },
            CheckpointEveryRun = body.CheckpointEveryRun,
            MaxCheckpoints = settings.Checkpoints,
            MaxCheckpointBytes = (long)settings.CheckpointMb << 20,
        };
    }

    /// <summary>How long a sandbox lives.</summary>
    public static TimeSpan Lifetime(double seconds) => seconds is > 0 and <= LongestLifetime
        ? TimeSpan.FromSeconds(seconds)
        : throw ProblemException.BadRequest(FormattableString.Invariant($"'timeout_seconds' must be more than 0 and at most {LongestLifetime} (30 days), not {seconds}."));

    /// <summary>What is noted with a sandbox.</summary>
    public static IReadOnlyDictionary<string, string> Metadata(IReadOnlyDictionary<string, string>? metadata)
    {
        if (metadata is null) return new Dictionary<string, string>(StringComparer.Ordinal);
        if (metadata.Count > 64 || metadata.Any(pair => pair.Value is null || pair.Key.Length + pair.Value.Length > LargestText))
            throw ProblemException.BadRequest("'metadata' takes up to 64 strings; a name and its value have up to 4096 characters together.");
        return metadata;
    }

    /// <summary>A name that people give to something.</summary>
    public static string? Name(string? name) => name is null or { Length: > 0 and <= 200 } && name?.AsSpan().ContainsAnyInRange('\0', '\x1f') != true
        ? name
        : throw ProblemException.BadRequest("'name' has 1 to 200 characters, and no control characters.");

    private static IReadOnlyDictionary<string, string>? Environment(IReadOnlyDictionary<string, string>? variables)
    {
        foreach (var (name, value) in variables ?? new Dictionary<string, string>(StringComparer.Ordinal))
        {
            if (name.Length == 0 || name.AsSpan().ContainsAny('=', '\0')) throw ProblemException.BadRequest($"'env': '{Json.Shorten(name.Replace("\0", "\\0", StringComparison.Ordinal))}' cannot be the name of a variable.");
            if (value is null || value.Contains('\0', StringComparison.Ordinal)) throw ProblemException.BadRequest($"'env': '{Json.Shorten(name)}' takes a string without NUL.");
        }

        return variables;
    }

    private static string? Directory(string? path) => path is null || (path is ['/', ..] && path.Length <= LargestText && !path.Contains('\0', StringComparison.Ordinal))
        ? path
        : throw ProblemException.BadRequest("'cwd' is an absolute path.");

    private static int? Number(int? number, string name, int least, int most) => number is null || (number >= least && number <= most)
        ? number
        : throw ProblemException.BadRequest($"'{name}' is a number from {least} to {most}, not {number}.");

    private static bool IsName(string name) => name.Length is > 0 and <= 64 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') && name[0] is not ('.' or '-');
}
