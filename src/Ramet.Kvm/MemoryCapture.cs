using Ramet.Host;

namespace Ramet.Kvm;

/// <summary>
/// A copy of a machine's memory in the making. What takes long is done while the guest still runs (room is made, and backed with memory by the host) or runs again
/// (<see cref="Finish"/>); in between, <see cref="Take"/> copies at the speed of memory.
/// </summary>
public sealed unsafe class MemoryCapture : IDisposable
{
    private const ulong PieceSize = 512 << 10, ParallelFrom = 1 << 20;

    private readonly KvmGuestMemory _memory;
    private readonly bool _whole;
    private readonly Func<ulong, bool> _isUsed;
    private readonly FileDescriptor _file;
    private readonly MemoryMapping? _room;
    private readonly ulong _roomLength;
    private DeltaRange[] _ranges = [];
    private ulong _length;
    private ulong _size;
    private bool _finished;

    /// <param name="memory">The memory.</param>
    /// <param name="whole">All pages that are not zero, the template's too; else those that differ, or may differ, from the template.</param>
    /// <param name="expected">Bytes that it is likely to take.</param>
    /// <param name="isUsed">Which pages anybody needs.</param>
    internal MemoryCapture(KvmGuestMemory memory, bool whole, ulong expected, Func<ulong, bool> isUsed)
    {
        _memory = memory;
        _whole = whole;
        _isUsed = isUsed;
        _file = MemoryFile.Create("ramet-branch");
        try
        {
            if (expected == 0)
                return;
            _file.SetLength((long)expected);
            _room = MemoryMapping.Create((nuint)expected, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED, _file, what: "room for a snapshot");
            _roomLength = expected;
            ForEachPiece(expected, (offset, length) => Libc.Advise((byte*)_room.Pointer + offset, (nuint)length, Libc.MADV_POPULATE_WRITE));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Copies. No vCPU may run meanwhile; afterwards the machine may go on.</summary>
    /// <exception cref="HostException">The host has no memory for the copy.</exception>
    public void Take()
    {
        (_ranges, _size) = _memory.FindRangesToCapture(_whole, _isUsed);
        _length = _ranges.Length == 0 ? 0 : _ranges[^1].Offset + _ranges[^1].Length;
        if (_length > _roomLength)
            _file.SetLength((long)_length);
        ForEachPiece(_length, Copy);
    }

    /// <summary>The copy, for good. Afterwards only <see cref="Dispose"/> may be called.</summary>
    /// <exception cref="HostException">The host refuses.</exception>
    public MemoryDelta Finish()
    {
        _room?.Dispose();
        _file.SetLength((long)_length);
        MemoryFile.Seal(_file);
        var delta = new MemoryDelta(_file, _ranges, _size);
        _finished = true;
        return delta;
    }

    /// <summary>Gives up what has not become a delta.</summary>
    public void Dispose()
    {
        _room?.Dispose();
        if (!_finished)
            _file.Dispose();
    }

    private static void ForEachPiece(ulong total, Action<ulong, ulong> action)
    {
        var pieces = (long)((total + PieceSize - 1) / PieceSize);
        if (total > ParallelFrom)
            Parallel.For(0, pieces, piece => action((ulong)piece * PieceSize, Math.Min(PieceSize, total - ((ulong)piece * PieceSize))));
        else if (total > 0)
            action(0, total);
    }

    /// <summary>Copies what belongs to a piece of the file.</summary>
    private void Copy(ulong offset, ulong length)
    {
        var end = offset + length;
        for (var i = FindRange(offset); i < _ranges.Length && _ranges[i].Offset < end; i++)
        {
            var from = Math.Max(offset, _ranges[i].Offset);
            var to = Math.Min(end, _ranges[i].Offset + _ranges[i].Length);
            var bytes = _memory.Bytes(_ranges[i].Address + (from - _ranges[i].Offset), (int)(to - from));
            var inRoom = (int)(Math.Min(to, Math.Max(from, _roomLength)) - from);
            // SAFETY: [from, from + inRoom) lies inside the mapping, which is there until Finish or Dispose.
            bytes[..inRoom].CopyTo(new Span<byte>(inRoom > 0 ? (byte*)_room!.Pointer + from : null, inRoom));
            if (inRoom < bytes.Length)
                _file.WriteAllAt(bytes[inRoom..], (long)from + inRoom);
        }
    }

    /// <summary>The range in which an offset of the file lies.</summary>
    private int FindRange(ulong offset)
    {
        var found = _ranges.AsSpan().BinarySearch(new OffsetOrder(offset));
        return found >= 0 ? found : ~found - 1;
    }

    private readonly struct OffsetOrder(ulong offset) : IComparable<DeltaRange>
    {
        public int CompareTo(DeltaRange other) => offset.CompareTo(other.Offset);
    }
}
