using System.Globalization;
using System.Text;
using System.Text.Json;
using Ramet.Sandboxes;

namespace Ramet.Benchmarks.Fuzzing;

/// <summary>Something that must not happen.</summary>
/// <param name="Seed">The seed of the sandbox.</param>
/// <param name="Text">What happened.</param>
public sealed record FuzzFailure(ulong Seed, string Text);

/// <summary>What a fuzzer run has done and found.</summary>
public sealed class FuzzReport
{
    /// <summary>The seed of the run: those of the sandboxes follow from it.</summary>
    public ulong Seed { get; init; }

    /// <summary>Sandboxes that were fuzzed.</summary>
    public int Sandboxes { get; internal set; }

    /// <summary>How they ended.</summary>
    public Dictionary<SandboxEnd, int> Ends { get; } = [];

    /// <summary>System calls served, those of the fuzzer's own among them.</summary>
    public long Calls { get; internal set; }

    /// <summary>Page faults served.</summary>
    public long Faults { get; internal set; }

    /// <summary>Wall time, seconds.</summary>
    public double Seconds { get; internal set; }

    /// <summary>What must not have happened. Empty: all is well.</summary>
    public List<FuzzFailure> Failures { get; } = [];

    /// <summary>One object on one line.</summary>
    public string ToJson()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteNumber("seed", Seed);
            json.WriteNumber("seconds", Math.Round(Seconds, 1));
            json.WriteNumber("sandboxes", Sandboxes);
            json.WriteNumber("calls", Calls);
            json.WriteNumber("faults", Faults);
            json.WriteStartObject("ends");
            foreach (var (end, count) in Ends.OrderBy(pair => pair.Key)) json.WriteNumber(end.ToString(), count);
            json.WriteEndObject();
            json.WriteStartArray("failures");
            foreach (var failure in Failures)
            {
                json.WriteStartObject();
                json.WriteNumber("seed", failure.Seed);
                json.WriteString("text", failure.Text);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    /// <summary>For people.</summary>
    public string ToText()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"seed {Seed}: {Sandboxes} sandboxes in {Seconds:F0} s, {Calls:N0} system calls and {Faults:N0} page faults");
        text.AppendLine(CultureInfo.InvariantCulture, $"ended: {string.Join(", ", Ends.OrderBy(pair => pair.Key).Select(pair => $"{pair.Key} {pair.Value}"))}");
        foreach (var failure in Failures) text.AppendLine(CultureInfo.InvariantCulture, $"FAILED with seed {failure.Seed}: {failure.Text}");
        text.AppendLine(Failures.Count == 0 ? "No failure: the host process came through, and nothing was left behind." : $"{Failures.Count} failures.");
        return text.ToString();
    }
}
