using System.Numerics;
using System.Text;

namespace Ramet.Kernel.Syscalls;

/// <summary>The names of an enum's members, for tracing.</summary>
internal sealed class TraceEnum
{
    private readonly bool _isFlags;
    private readonly bool _isMode;
    private readonly Dictionary<ulong, string> _names = [];
    private readonly List<ulong> _masks = [];
    private readonly ulong[] _flags;

    /// <param name="type">The enum's name.</param>
    /// <param name="isFlags">Whether members are combined.</param>
    /// <param name="members">Names and bits.</param>
    public TraceEnum(string type, bool isFlags, ReadOnlySpan<(string Name, ulong Value)> members)
    {
        _isFlags = isFlags;
        _isMode = string.Equals(type, nameof(InodeMode), StringComparison.Ordinal);
        foreach (var (name, value) in members) _names[value] = name;

        // A member that covers two others is the mask of a field within the flags (O_ACCMODE, S_IFMT, MAP_TYPE): its value counts as a whole.
        // Other members of several bits (O_SYNC, O_TMPFILE) go before their parts.
        foreach (ulong mask in _names.Keys)
        {
            if (_names.Keys.Count(v => v != 0 && v != mask && (v & ~mask) == 0) >= 2) _masks.Add(mask);
        }

        _masks.Sort();
        _flags = [.. _names.Keys.Where(v => v != 0 && !_masks.Contains(v)).OrderByDescending(BitOperations.PopCount)];
    }

    public void Append(StringBuilder text, ulong value)
    {
        if (_isMode) AppendMode(text, value);
        else if (_isFlags && value != 0) AppendFlags(text, value);
        else if (_names.TryGetValue(value, out string? name) && !(_isFlags && string.Equals(name, "None", StringComparison.Ordinal))) text.Append(name);
        else AppendNumber(text, value);
    }

    private void AppendFlags(StringBuilder text, ulong value)
    {
        var parts = new SortedDictionary<ulong, string>();
        ulong rest = value;
        foreach (ulong mask in _masks)
        {
            ulong field = value & mask;
            // Zero is an access mode (O_RDONLY), but of other fields it says nothing.
            if (field == 0 && !_names[mask].EndsWith("ACCMODE", StringComparison.Ordinal)) continue;
            if ((rest & field) != field || !_names.TryGetValue(field, out string? name)) continue;
            parts[field] = name;
            rest &= ~mask;
        }

        foreach (ulong flag in _flags)
        {
            if ((rest & flag) != flag) continue;
            parts[flag] = _names[flag];
            rest &= ~flag;
        }

        text.AppendJoin('|', parts.Values);
        if (rest == 0) return;
        if (parts.Count > 0) text.Append('|');
        AppendNumber(text, rest);
    }

    /// <summary>A file mode: its type by name, permissions in octal.</summary>
    private void AppendMode(StringBuilder text, ulong value)
    {
        ulong type = value & (ulong)InodeMode.S_IFMT;
        if (type != 0)
        {
            if (_names.TryGetValue(type, out string? name)) text.Append(name);
            else AppendNumber(text, type);
            text.Append('|');
        }

        ulong permissions = value & ~(ulong)InodeMode.S_IFMT;
        text.Append(permissions == 0 ? "000" : ("0" + Convert.ToString((long)permissions, 8)).PadLeft(3, '0'));
    }

    private static void AppendNumber(StringBuilder text, ulong value)
    {
        if (value == 0) text.Append('0');
        else text.Append("0x").Append(value.ToString("x"));
    }
}
