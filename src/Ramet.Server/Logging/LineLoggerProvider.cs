using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace Ramet.Server.Logging;

/// <summary>Log lines on standard error: a line for people, or a JSON object, for each event.</summary>
/// <param name="least">What is less important is not written; of libraries, only warnings and errors are.</param>
/// <param name="json">Whether lines are JSON.</param>
/// <param name="output">Where they go.</param>
internal sealed class LineLoggerProvider(LogLevel least, bool json, Stream output) : ILoggerProvider
{
    private readonly Lock _lock = new();

    /// <inheritdoc/>
    public ILogger CreateLogger(string categoryName) =>
        new LineLogger(this, categoryName.StartsWith("Ramet", StringComparison.Ordinal) ? least : (LogLevel)Math.Max((int)least, (int)LogLevel.Warning));

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    private void Write(LogLevel level, EventId id, string message, IReadOnlyList<KeyValuePair<string, object?>>? fields, Exception? exception)
    {
        byte[] line = json ? FormatJson(level, id, message, fields, exception) : FormatText(level, message, exception);
        try
        {
            lock (_lock) output.Write(line);
        }
        catch (IOException)
        {
            // Nobody reads the log: the server goes on.
        }
    }

    private static string Now() => TimeProvider.System.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    private static string NameOf(LogLevel level) => level switch
    {
        LogLevel.Warning => "warning",
        LogLevel.Error or LogLevel.Critical => "error",
        LogLevel.Information => "info",
        _ => "debug",
    };

    private static byte[] FormatText(LogLevel level, string message, Exception? exception)
    {
        var line = new StringBuilder(Now()).Append(' ').Append(NameOf(level).PadRight(7)).Append(' ').Append(OneLine(message));
        if (exception is not null) line.Append(' ').Append(OneLine(exception.ToString()));
        return Encoding.UTF8.GetBytes(line.Append('\n').ToString());
    }

    private static byte[] FormatJson(LogLevel level, EventId id, string message, IReadOnlyList<KeyValuePair<string, object?>>? fields, Exception? exception)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("time", Now());
            writer.WriteString("level", NameOf(level));
            writer.WriteString("event", id.Name ?? "log");
            writer.WriteString("message", message);
            foreach (var (name, value) in fields ?? [])
            {
                if (name == "{OriginalFormat}") continue;
                writer.WritePropertyName(JsonNamingPolicy.SnakeCaseLower.ConvertName(name));
                switch (value)
                {
                    case int number: writer.WriteNumberValue(number); break;
                    case long number: writer.WriteNumberValue(number); break;
                    case double number: writer.WriteNumberValue(number); break;
                    case bool flag: writer.WriteBooleanValue(flag); break;
                    default: writer.WriteStringValue(Text(value)); break;
                }
            }

            if (exception is not null) writer.WriteString("exception", exception.ToString());
            writer.WriteEndObject();
        }

        buffer.WriteByte((byte)'\n');
        return buffer.ToArray();
    }

    private static string Text(object? value) => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";

    // What clients send must not be able to begin a line of its own.
    private static string OneLine(string text) => text.AsSpan().ContainsAny('\n', '\r', '\u001b') ? text.Replace("\r", "\\r", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal).Replace("\u001b", "\\e", StringComparison.Ordinal) : text;

    private sealed class LineLogger(LineLoggerProvider provider, LogLevel from) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= from && logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel)) provider.Write(logLevel, eventId, formatter(state, exception), state as IReadOnlyList<KeyValuePair<string, object?>>, exception);
        }
    }
}
