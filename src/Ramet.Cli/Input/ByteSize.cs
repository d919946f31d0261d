using System.Globalization;

namespace Ramet.Cli.Input;

/// <summary>Sizes on the command line: 256M, 1G, 1.5G, 512MiB. Units are powers of 1024; without a unit a number is bytes.</summary>
internal static class ByteSize
{
    /// <summary>What is accepted, for messages.</summary>
    public const string Accepted = "write a number and a unit, such as 256M, 1G or 512MiB (units are powers of 1024: K, M, G, T)";

    /// <summary>Reads a size.</summary>
    public static bool TryParse(string text, out ulong bytes)
    {
        bytes = 0;
        int digits = 0;
        while (digits < text.Length && (char.IsAsciiDigit(text[digits]) || text[digits] == '.')) digits++;
        int shift = text[digits..].ToUpperInvariant() switch
        {
            "" or "B" => 0,
            "K" or "KB" or "KIB" => 10,
            "M" or "MB" or "MIB" => 20,
            "G" or "GB" or "GIB" => 30,
            "T" or "TB" or "TIB" => 40,
            _ => -1,
        };
        if (shift < 0 || digits == 0 || text[0] == '.' || text[digits - 1] == '.') return false;
        if (!decimal.TryParse(text.AsSpan(0, digits), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number)) return false;
        if (number > long.MaxValue >> shift) return false;
        decimal exact = number * (1L << shift);
        if (exact != decimal.Truncate(exact)) return false;
        bytes = (ulong)exact;
        return true;
    }

    /// <summary>A size for people: 1.5 GiB.</summary>
    public static string Format(long bytes)
    {
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB"];
        double value = bytes;
        int unit = 0;
        for (; value >= 1024 && unit < units.Length - 1; unit++) value /= 1024;
        string number = value.ToString(unit > 0 && value < 10 ? "0.0" : "0", CultureInfo.InvariantCulture);
        return $"{number} {units[unit]}";
    }
}
