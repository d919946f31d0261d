using System.Globalization;

namespace Ramet.Cli.Input;

/// <summary>Durations on the command line: 30s, 500ms, 2m, 1h30m.</summary>
internal static class Duration
{
    /// <summary>What is accepted, for messages.</summary>
    public const string Accepted = "write numbers with units, such as 30s, 500ms, 2m or 1h30m, or 'none'";

    private static readonly TimeSpan s_longest = TimeSpan.FromDays(365);

    /// <summary>Reads a duration: parts of h, m, s and ms in this order, each at most once.</summary>
    public static bool TryParse(string text, out TimeSpan duration)
    {
        duration = default;
        decimal milliseconds = 0;
        int position = 0, lastUnit = -1;
        while (position < text.Length)
        {
            int start = position;
            while (position < text.Length && (char.IsAsciiDigit(text[position]) || text[position] == '.')) position++;
            var digits = text.AsSpan(start, position - start);
            if (digits.IsEmpty || digits[0] == '.' || digits[^1] == '.' ||
                !decimal.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number)) return false;
            int end = position;
            while (end < text.Length && char.IsAsciiLetter(text[end])) end++;
            var (unit, scale) = text.AsSpan(position, end - position) switch
            {
                "h" => (0, 3_600_000m),
                "m" => (1, 60_000m),
                "s" => (2, 1_000m),
                "ms" => (3, 1m),
                _ => (-1, 0m),
            };
            if (unit <= lastUnit || number > 1_000_000_000_000m) return false;
            milliseconds += number * scale;
            (position, lastUnit) = (end, unit);
        }

        if (lastUnit < 0 || milliseconds > (decimal)s_longest.TotalMilliseconds) return false;
        duration = TimeSpan.FromTicks((long)(milliseconds * TimeSpan.TicksPerMillisecond));
        return true;
    }
}
