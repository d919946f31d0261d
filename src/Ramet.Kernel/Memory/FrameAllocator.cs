using System.Runtime.InteropServices;
using Ramet.Kernel.Platform;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Memory;

/// <summary>
/// Page frames of RAM: how many users each has, and which are free. The counts are paged: a fork starts from the snapshot's own bytes and copies
/// a chunk when it first changes it, so that loading costs nothing per frame.
/// </summary>
[Saved]
public sealed partial class FrameAllocator
{
    private const int ChunkShift = 10;
    private const int ChunkSize = 1 << ChunkShift;
    private const int PageTableFlag = 1 << 30;
    private const int CountMask = PageTableFlag - 1;

    private Kernel _kernel = null!;
    private ReadOnlyMemory<byte> _saved;
    private int _reserved; // frames at the start that are the platform's
    private int _next;
    private int _used;

    [NotSaved]
    private int[]?[] _chunks = [];

    [NotSaved]
    private Stack<int> _free = new();

    [NotSaved]
    private Stack<int> _freePageTables = new();

    [NotSaved]
    private int _scanFrom;

    // A new machine remembers nothing of page tables, whatever a frame was in the snapshot.
    [NotSaved]
    private int _savedMask = ~0;

    private FrameAllocator()
    {
    }

    internal FrameAllocator(Kernel kernel)
    {
        _kernel = kernel;
        _reserved = (int)(Memory.ReservedSize / GuestMemory.PageSize);
        _next = _reserved;
        _scanFrom = _reserved;
    }

    /// <summary>Bytes of frames in use.</summary>
    public ulong UsedBytes => (ulong)_used * GuestMemory.PageSize;

    /// <summary>Bytes from address 0 that frames in use and their predecessors cover: what a snapshot holds.</summary>
    public ulong Extent => (ulong)_next * GuestMemory.PageSize;

    /// <summary>Frames that were used and are free again, as far as is known without a search.</summary>
    public int FreeCount => _free.Count;

    private GuestMemory Memory => _kernel.Machine.Memory;

    /// <summary>Takes a frame with one reference, filled with zeros unless <paramref name="zero"/> is false. False over the memory limit.</summary>
    public bool TryAllocate(out ulong frame, bool zero = true)
    {
        if (!TryTake(_free, _freePageTables, out int index, out bool fresh))
        {
            frame = 0;
            return false;
        }

        Set(index, 1 | (Get(index) & PageTableFlag));
        frame = (ulong)index * GuestMemory.PageSize;
        if (zero && !fresh) Memory.GetSpan(frame, GuestMemory.PageSize).Clear();
        return true;
    }

    /// <summary>
    /// Takes a run of frames that are next to each other and have never been used (so they are zero), to be backed by the host in one go.
    /// Returns how many there are, at most <paramref name="wanted"/>; 0 when only single frames are left.
    /// </summary>
    public int TryAllocateRun(int wanted, out ulong first)
    {
        first = (ulong)_next * GuestMemory.PageSize;
        int limit = (int)(_kernel.Limits.MemoryBytes / GuestMemory.PageSize) - _used;
        wanted = Math.Min(wanted, limit);
        if (wanted <= 0) return 0;
        ulong end = first + ((ulong)wanted * GuestMemory.PageSize);
        if (end > Memory.Size && !Memory.TryGrow(end)) return 0;
        for (int i = 0; i < wanted; i++) Set(_next + i, 1);
        _next += wanted;
        _used += wanted;
        return wanted;
    }

    /// <summary>
    /// Takes a zeroed frame for a page table. <paramref name="reused"/>: it has been a page table before, so the CPU or the host may
    /// remember translations from it (it must be invalidated before it is entered).
    /// </summary>
    public bool TryAllocatePageTable(out ulong frame, out bool reused)
    {
        reused = false;
        if (!TryTakeFresh(out int index) && !TryTake(_freePageTables, _free, out index, out _))
        {
            frame = 0;
            return false;
        }

        frame = (ulong)index * GuestMemory.PageSize;
        reused = (Get(index) & PageTableFlag) != 0;
        Memory.GetSpan(frame, GuestMemory.PageSize).Clear();
        Set(index, 1 | PageTableFlag);
        return true;
    }

    /// <summary>One more user of a frame.</summary>
    public void AddReference(ulong frame)
    {
        int index = Index(frame);
        Set(index, Get(index) + 1);
    }

    /// <summary>One less; the last frees it.</summary>
    public void Release(ulong frame)
    {
        int index = Index(frame);
        int value = Get(index);
        if ((value & CountMask) == 0) throw new GuestMemoryException(frame, GuestMemory.PageSize);
        Set(index, --value);
        if ((value & CountMask) != 0) return;
        _used--;
        ((value & PageTableFlag) != 0 ? _freePageTables : _free).Push(index);
    }

    /// <summary>Number of users of a frame.</summary>
    public int References(ulong frame) => Get(Index(frame)) & CountMask;

    /// <summary>Whether a frame is a page table, or was one at any time, in this sandbox or the snapshot that it came from.</summary>
    public bool WasPageTable(ulong frame)
    {
        if (frame >= Extent) return false;
        int index = (int)(frame / GuestMemory.PageSize);
        var saved = MemoryMarshal.Cast<byte, int>(_saved.Span);
        return ((Get(index) | (index < saved.Length ? saved[index] : 0)) & PageTableFlag) != 0;
    }

    /// <summary>Whether the address is that of a frame in use; anything else in a page table is damage done by the guest.</summary>
    public bool IsUsed(ulong frame) => (frame & (GuestMemory.PageSize - 1)) == 0 && frame < Extent && (Get((int)(frame / GuestMemory.PageSize)) & CountMask) > 0;

    private int Index(ulong frame) =>
        IsUsed(frame) ? (int)(frame / GuestMemory.PageSize) : throw new GuestMemoryException(frame, GuestMemory.PageSize);

    private bool TryTake(Stack<int> first, Stack<int> second, out int index, out bool fresh)
    {
        fresh = false;
        if (UsedBytes >= _kernel.Limits.MemoryBytes)
        {
            index = 0;
            return false;
        }

        if (!first.TryPop(out index))
        {
            fresh = true;
            if (TryTakeFresh(out index)) return true;
            fresh = false;
            if (!second.TryPop(out index) && !TryScan(out index))
            {
                fresh = Memory.TryGrow(((ulong)_next + 1) * GuestMemory.PageSize) && TryTakeFresh(out index);
                return fresh;
            }
        }

        _used++;
        return true;
    }

    private bool TryTakeFresh(out int index)
    {
        index = _next;
        if (UsedBytes >= _kernel.Limits.MemoryBytes || ((ulong)_next + 1) * GuestMemory.PageSize > Memory.Size) return false;
        _next++;
        _used++;
        return true;
    }

    /// <summary>After a load the free lists are empty; frames that were free in the snapshot are found when fresh ones run out.</summary>
    private bool TryScan(out int index)
    {
        int end = Math.Min(_next, _saved.Length / sizeof(int));
        for (; _scanFrom < end; _scanFrom++)
        {
            // What was free in the snapshot is taken by this scan alone, in order, so the snapshot's own count decides.
            if ((SavedValue(_scanFrom) & CountMask) != 0) continue;
            index = _scanFrom++;
            return true;
        }

        index = 0;
        return false;
    }

    private int Get(int index)
    {
        int chunk = index >> ChunkShift;
        if (chunk < _chunks.Length && _chunks[chunk] is { } values) return values[index & (ChunkSize - 1)];
        return SavedValue(index);
    }

    private int SavedValue(int index)
    {
        var saved = MemoryMarshal.Cast<byte, int>(_saved.Span);
        return index < saved.Length ? saved[index] & _savedMask : 0;
    }

    private void Set(int index, int value)
    {
        int chunk = index >> ChunkShift;
        if (chunk >= _chunks.Length) Array.Resize(ref _chunks, Math.Max(chunk + 1, _chunks.Length * 2));
        if (_chunks[chunk] is not { } values)
        {
            values = new int[ChunkSize];
            int first = chunk << ChunkShift;
            var saved = MemoryMarshal.Cast<byte, int>(_saved.Span);
            for (int i = 0; i < ChunkSize && first + i < saved.Length; i++) values[i] = saved[first + i] & _savedMask;
            _chunks[chunk] = values;
        }

        values[index & (ChunkSize - 1)] = value;
    }

    private void OnSaving()
    {
        byte[] bytes = new byte[_next * sizeof(int)];
        var values = MemoryMarshal.Cast<byte, int>(bytes.AsSpan());
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = Get(i);
            // Free frames go into a template as holes: what was in them is nobody's business, and takes no space.
            if (_kernel.SavesTemplate && i >= _reserved && (values[i] & CountMask) == 0) Clear((ulong)i * GuestMemory.PageSize);
        }

        _saved = bytes;
        _savedMask = ~0;
        _chunks = [];
        _free.Clear();
        _freePageTables.Clear();
        _scanFrom = _reserved;
    }

    private void Clear(ulong frame)
    {
        var bytes = Memory.GetSpan(frame, GuestMemory.PageSize);
        if (bytes.IndexOfAnyExcept((byte)0) >= 0) bytes.Clear();
    }

    private void OnLoaded(StateReader reader)
    {
        if (_reserved < 0 || _next < 0 || _used < 0 || _saved.Length < _next * sizeof(int)) throw new StateFormatException("The page-frame table is damaged.");
        _savedMask = CountMask;
        _scanFrom = _reserved;
    }
}
