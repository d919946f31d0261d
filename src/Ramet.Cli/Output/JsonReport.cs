using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Ramet.Sandboxes;

namespace Ramet.Cli.Output;

/// <summary>What <c>exec --json</c> prints: one object, whatever happens once the arguments have been understood.</summary>
internal static class JsonReport
{
    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Whether an object was begun: there is one only.</summary>
    private static bool s_isBegun;

    /// <summary>Prints what came of a program.</summary>
    public static void Write(ExecResult result) => Write(json =>
    {
        WriteStream(json, "stdout", result.Result.Stdout);
        WriteStream(json, "stderr", result.Result.Stderr);
        json.WriteNumber("exit_code", result.Result.ExitCode);
        json.WriteBoolean("timed_out", result.Result.End == SandboxEnd.TimedOut);
        json.WriteString("error", result.Result.Message);
        WriteTime(json, "fork_time_ms", result.ForkNanoseconds);
        WriteTime(json, "exec_time_ms", result.ExecNanoseconds);
        WriteTime(json, "total_time_ms", result.TotalNanoseconds);
    });

    /// <summary>The same of a program that ran in a daemon.</summary>
    public static void Write(Contracts.ExecAnswer answer, byte[] stdout, byte[] stderr, string? error) => Write(json =>
    {
        WriteStream(json, "stdout", stdout);
        WriteStream(json, "stderr", stderr);
        json.WriteNumber("exit_code", answer.ExitCode);
        json.WriteBoolean("timed_out", answer.TimedOut);
        json.WriteString("error", error);
        json.WriteNumber("fork_time_ms", answer.ForkTimeMs);
        json.WriteNumber("exec_time_ms", answer.ExecTimeMs);
        json.WriteNumber("total_time_ms", answer.TotalTimeMs);
    });

    /// <summary>Runs a command; if it fails before there is a result, prints an object that says so as well.</summary>
    public static int Guard(Func<int> command)
    {
        try
        {
            return command();
        }
        catch (Exception e) when (!s_isBegun)
        {
            int code = CommandLine.Report(e);
            Write(json =>
            {
                json.WriteString("stdout", "");
                json.WriteString("stderr", "");
                json.WriteNumber("exit_code", code);
                json.WriteBoolean("timed_out", false);
                json.WriteString("error", e.Message);
                json.WriteNull("fork_time_ms");
                json.WriteNull("exec_time_ms");
                json.WriteNull("total_time_ms");
            });
            return code;
        }
    }

    private static void Write(Action<Utf8JsonWriter> members)
    {
        s_isBegun = true;
        using var buffer = new MemoryStream();
        // Not for HTML: characters stay as they are.
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        buffer.WriteByte((byte)'\n');
        StandardStream.Write(1, buffer.GetBuffer().AsSpan(0, (int)buffer.Length));
    }

    private static void WriteStream(Utf8JsonWriter json, string name, byte[] bytes)
    {
        try
        {
            json.WriteString(name, s_strict.GetString(bytes));
        }
        catch (DecoderFallbackException)
        {
            json.WriteString(name, Encoding.UTF8.GetString(bytes));
            json.WriteBase64String($"{name}_base64", bytes);
        }
    }

    private static void WriteTime(Utf8JsonWriter json, string name, long nanoseconds) => json.WriteNumber(name, Math.Round(nanoseconds / 1e6, 3));
}
