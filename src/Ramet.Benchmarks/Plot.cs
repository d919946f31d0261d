using System.Globalization;
using System.Text;

namespace Ramet.Benchmarks;

/// <summary>A bar for each distribution of a report, from its median to its 99th percentile on a logarithmic scale, as SVG.</summary>
internal static class Plot
{
    private const int Left = 380, Width = 900, RowHeight = 26, Top = 50;

    /// <summary>Draws a report.</summary>
    public static string Draw(string title, Report report)
    {
        var rows = report.Distributions.ToList();
        double least = Math.Pow(10, Math.Floor(Math.Log10(rows.Min(row => row.Times.P50))));
        double most = Math.Pow(10, Math.Ceiling(Math.Log10(rows.Max(row => row.Times.P99))));
        int height = Top + (rows.Count * RowHeight) + 30;
        var svg = new StringBuilder();
        svg.AppendLine(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {height}\" font-family=\"sans-serif\" font-size=\"12\">");
        svg.AppendLine(CultureInfo.InvariantCulture, $"<rect width=\"{Width}\" height=\"{height}\" fill=\"white\"/><text x=\"10\" y=\"22\" font-size=\"15\">{Escape(title)}</text>");
        for (double mark = least; mark <= most * 1.001; mark *= 10)
        {
            double x = At(mark);
            svg.AppendLine(CultureInfo.InvariantCulture, $"<line x1=\"{x:F1}\" x2=\"{x:F1}\" y1=\"{Top - 8}\" y2=\"{height - 26}\" stroke=\"#ddd\"/><text x=\"{x:F1}\" y=\"{height - 10}\" text-anchor=\"middle\">{mark:0.##}</text>");
        }

        for (int i = 0; i < rows.Count; i++)
        {
            int y = Top + (i * RowHeight);
            double from = At(rows[i].Times.P50), to = At(rows[i].Times.P99);
            string colour = rows[i].Key.StartsWith("baseline", StringComparison.Ordinal) ? "#999" : rows[i].Key.StartsWith("pool", StringComparison.Ordinal) ? "#2a7" : "#37c";
            svg.AppendLine(CultureInfo.InvariantCulture, $"<text x=\"{Left - 10}\" y=\"{y + 13}\" text-anchor=\"end\">{Escape(rows[i].Text)}</text>");
            svg.AppendLine(CultureInfo.InvariantCulture, $"<rect x=\"{from:F1}\" y=\"{y + 6}\" width=\"{Math.Max(1, to - from):F1}\" height=\"5\" fill=\"{colour}\" opacity=\"0.4\"/>");
            svg.AppendLine(CultureInfo.InvariantCulture, $"<circle cx=\"{from:F1}\" cy=\"{y + 8.5:F1}\" r=\"5\" fill=\"{colour}\"/><text x=\"{to + 8:F1}\" y=\"{y + 13}\">{rows[i].Times.P50:F0} (p99 {rows[i].Times.P99:F0})</text>");
        }

        return svg.AppendLine("</svg>").ToString();

        double At(double value) => Left + ((Width - Left - 110) * (Math.Log10(value) - Math.Log10(least)) / (Math.Log10(most) - Math.Log10(least)));
    }

    private static string Escape(string text) => text.Replace("&", "&amp;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal);
}
