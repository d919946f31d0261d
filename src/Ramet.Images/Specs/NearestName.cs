namespace Ramet.Images.Specs;

/// <summary>Finds what a user probably meant by a misspelt name.</summary>
public static class NearestName
{
    /// <summary>The candidate at the smallest edit distance, if that is at most a third of the name (and at least one edit is allowed); else null.</summary>
    public static string? Find(string name, IEnumerable<string> candidates)
    {
        string? best = null;
        var limit = Math.Max(1, name.Length / 3) + 1;
        foreach (var candidate in candidates)
        {
            if (Math.Abs(candidate.Length - name.Length) >= limit) continue;
            var distance = Distance(name, candidate, limit);
            if (distance < limit || (distance == limit && best is null && distance <= Math.Max(1, name.Length / 3)))
            {
                limit = distance;
                best = candidate;
            }
        }
        return best;
    }

    /// <summary>" Did you mean 'x'?" or nothing.</summary>
    public static string Suggest(string name, IEnumerable<string> candidates) =>
        Find(name, candidates) is { } nearest ? $" Did you mean '{nearest}'?" : "";

    /// <summary>Edit distance with transpositions (optimal string alignment), or <paramref name="limit"/> when it is at least that.</summary>
    private static int Distance(string a, string b, int limit)
    {
        Span<int> before = stackalloc int[b.Length + 1], previous = stackalloc int[b.Length + 1], current = stackalloc int[b.Length + 1];
        for (var j = 0; j <= b.Length; j++) previous[j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            current[0] = i;
            var smallest = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var cost = a[i - 1] == b[j - 1] ? 0 : 1;
                var value = Math.Min(Math.Min(previous[j] + 1, current[j - 1] + 1), previous[j - 1] + cost);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) value = Math.Min(value, before[j - 2] + 1);
                current[j] = value;
                smallest = Math.Min(smallest, value);
            }
            if (smallest >= limit) return limit;
            var spare = before;
            before = previous;
            previous = current;
            current = spare;
        }
        return Math.Min(previous[b.Length], limit);
    }
}
