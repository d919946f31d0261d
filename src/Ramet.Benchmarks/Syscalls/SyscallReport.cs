using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Ramet.Benchmarks.Syscalls;

/// <summary>Where something was measured.</summary>
public enum Place
{
    /// <summary>The bare machine: a plain process with the image's files as root.</summary>
    Bare,

    /// <summary>A sandbox.</summary>
    Ramet,

    /// <summary>gVisor, with its ptrace platform, which needs no privileges and no KVM.</summary>
    Runsc,
}

/// <summary>One thing in all places, in microseconds.</summary>
/// <param name="Key">Its key, in JSON and from the probe.</param>
/// <param name="Text">What it is.</param>
public sealed record SyscallRow(string Key, string Text)
{
    private readonly Distribution[] _places = [new(), new(), new()];

    /// <summary>What was measured in a place.</summary>
    public Distribution this[Place place] => _places[(int)place];
}

/// <summary>What <c>bench syscalls</c> measures.</summary>
public sealed class SyscallReport
{
    /// <summary>All rows.</summary>
    public IReadOnlyList<SyscallRow> Rows { get; } =
    [
        new("getppid", "getppid"),
        new("pipe_ping_pong", "1-byte pipe ping-pong, round trip"),
        new("open_read_close", "open + read + close"),
        new("stat_1000_files", "stat of 1,000 files"),
        new("fork_exec_wait", "fork + exec + wait"),
        new("mmap_touch_64mb", "mmap + touch of 64 MB"),
        new("git_status", "git status on 1,000 files"),
        new("gcc_hello", "gcc hello-world"),
        new("python_pass", "python3 -c pass"),
    ];

    /// <summary>gVisor's version; null: runsc is not installed.</summary>
    public string? RunscVersion { get; init; }

    /// <summary>One object on one line: {"getppid":{"bare_us":..,"ramet_us":..,"runsc_us":..,"n":..},...,"runsc":"release-..."}; what was not measured is null.</summary>
    public string ToJson()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            foreach (var row in Rows)
            {
                json.WriteStartObject(row.Key);
                foreach (var place in Enum.GetValues<Place>())
                {
                    string name = place.ToString().ToLowerInvariant() + "_us";
                    if (row[place].Count > 0) json.WriteNumber(name, Math.Round(row[place].P50, 2));
                    else json.WriteNull(name);
                }

                json.WriteNumber("n", row[Place.Ramet].Count);
                json.WriteEndObject();
            }

            json.WriteString("runsc", RunscVersion);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    /// <summary>A table.</summary>
    public string ToTable()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{"microseconds (medians)",-36}{"bare",12}{"Ramet",12}{"runsc",12}{"Ramet/bare",12}{"Ramet/runsc",13}{"n",5}");
        foreach (var row in Rows)
        {
            double bare = row[Place.Bare].P50, ramet = row[Place.Ramet].P50;
            text.Append(CultureInfo.InvariantCulture, $"{row.Text,-36}{Format(bare),12}{Format(ramet),12}");
            if (row[Place.Runsc].Count > 0) text.Append(CultureInfo.InvariantCulture, $"{Format(row[Place.Runsc].P50),12}{ramet / bare,12:F1}{ramet / row[Place.Runsc].P50,13:F2}");
            else text.Append(CultureInfo.InvariantCulture, $"{"",12}{ramet / bare,12:F1}{"",13}");
            text.AppendLine(CultureInfo.InvariantCulture, $"{row[Place.Ramet].Count,5}");
        }

        text.AppendLine(RunscVersion is null ? "runsc is not installed, so its column is empty: sudo apt-get install runsc" : $"runsc {RunscVersion}, ptrace platform. Ramet with one virtual CPU.");
        return text.ToString();

        static string Format(double value) => value.ToString(value < 100 ? "N2" : "N0", CultureInfo.InvariantCulture);
    }

    internal void Add(string key, Place place, double microseconds)
    {
        var row = Rows.FirstOrDefault(row => row.Key == key) ?? throw new BenchmarkException($"The probe measured '{key}', which nobody asked for.");
        row[place].Add(microseconds);
    }
}
