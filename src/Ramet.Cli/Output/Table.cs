using System.Text;

namespace Ramet.Cli.Output;

/// <summary>Columns of text, as wide as their widest cell.</summary>
internal static class Table
{
    /// <summary>Formats rows; the first is the heading.</summary>
    public static string Format(IReadOnlyList<string[]> rows)
    {
        var widths = new int[rows[0].Length];
        foreach (string[] row in rows)
            for (int i = 0; i < row.Length; i++) widths[i] = Math.Max(widths[i], row[i].Length);
        var text = new StringBuilder();
        foreach (string[] row in rows)
        {
            for (int i = 0; i < row.Length - 1; i++) text.Append(row[i].PadRight(widths[i] + 2));
            text.Append(row[^1]).Append('\n');
        }

        return text.ToString();
    }
}
