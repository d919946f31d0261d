using System.Runtime.InteropServices;

namespace Ramet.Kernel.Memory;

/// <summary>Page tables whose translations a virtual CPU has to forget: each once, in the order in which they were noted.</summary>
internal sealed class StaleTables
{
    /// <summary>Up to so many are looked through, which is faster than a set; most times there are a few.</summary>
    private const int Few = 32;

    private readonly List<ulong> _tables = [];
    private HashSet<ulong>? _known;

    /// <summary>How many there are.</summary>
    public int Count => _tables.Count;

    /// <summary>Guest-physical addresses of the tables.</summary>
    public Span<ulong> Tables => CollectionsMarshal.AsSpan(_tables);

    /// <summary>Notes a table, if it is not noted yet.</summary>
    public void Add(ulong table)
    {
        if (_tables.Count > 0 && _tables[^1] == table) return;
        if (_tables.Count < Few)
        {
            if (_tables.Contains(table)) return;
        }
        else
        {
            if (!(_known ??= [.. _tables]).Add(table)) return;
        }

        _tables.Add(table);
    }

    /// <summary>They are forgotten.</summary>
    public void Clear()
    {
        _tables.Clear();
        _known = null;
    }
}
