using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using Ramet.Host;

namespace Ramet.Sandboxes;

/// <summary>What a runner does after it has executed the code of a request.</summary>
[Flags]
internal enum RunnerFlags : uint
{
    None = 0,
    Large = 1,
    Session = 2,
    FlushLines = 4,
    Value = 8,
}

/// <summary>A request to a runtime's runner.</summary>
/// <param name="Exec">The code and what it wants.</param>
/// <param name="Flags">What comes behind it.</param>
/// <param name="RandomBytes">How many random bytes the runner gets for its generators; 0: they go on as they are.</param>
internal sealed record RunnerRequest(ExecRequest Exec, RunnerFlags Flags, int RandomBytes)
{
    /// <summary>What a runner needs at least to seed generators with.</summary>
    public const int SeedBytes = 64;

    private const int HeaderSize = 20;
    private const int SmallMessage = 64 << 10;
    private const uint Version = 2;

    /// <summary>The request as messages of the channel: one, or a header and one if it is large.</summary>
    public IEnumerable<byte[]> ToMessages()
    {
        byte[] options = Options() is { } json ? Encoding.UTF8.GetBytes(json.ToJsonString()) : [];
        int codeLength = Encoding.UTF8.GetByteCount(Exec.Code);
        int start = HeaderSize + RandomBytes;
        byte[] message = new byte[start + codeLength + options.Length];
        bool large = message.Length > SmallMessage;
        BinaryPrimitives.WriteUInt32LittleEndian(message, Version);
        BinaryPrimitives.WriteUInt32LittleEndian(message.AsSpan(4), (uint)Flags);
        BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(8), codeLength);
        BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(12), options.Length);
        BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(16), RandomBytes);
        HostRandom.Fill(message.AsSpan(HeaderSize, RandomBytes));
        Encoding.UTF8.GetBytes(Exec.Code, message.AsSpan(start));
        options.CopyTo(message, start + codeLength);
        if (!large) return [message];
        byte[] header = message[..HeaderSize];
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(4), (uint)(Flags | RunnerFlags.Large));
        return [header, message];
    }

    private JsonObject? Options()
    {
        JsonObject? options = null;
        if (Exec.FileName is { } name) (options ??= [])["filename"] = name;
        if (Exec.Arguments is { Count: > 0 } arguments) (options ??= [])["argv"] = new JsonArray([.. arguments.Select(argument => (JsonNode)argument)]);
        if (Exec.Environment is { Count: > 0 } environment)
        {
            var variables = new JsonObject();
            foreach (var (key, value) in environment) variables[key] = value;
            (options ??= [])["env"] = variables;
        }

        if (Exec.WorkingDirectory is { } directory) (options ??= [])["cwd"] = directory;
        return options;
    }
}
