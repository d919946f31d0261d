using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Ramet.Kernel.State;

/// <summary>
/// A position in the bytes of a snapshot. The bytes may be damaged or hostile: everything is checked, and what is wrong
/// is a <see cref="StateFormatException"/>. Called by generated code.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public ref struct StateCursor
{
    private readonly ReadOnlySpan<byte> _bytes;
    private readonly StateReader _reader;
    private int _position;

    internal StateCursor(StateReader reader, ReadOnlySpan<byte> bytes)
    {
        _reader = reader;
        _bytes = bytes;
    }

    internal readonly int Remaining => _bytes.Length - _position;

    /// <summary>The next bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ReadOnlySpan<byte> Take(int count)
    {
        int position = _position;
        if ((uint)count > (uint)(_bytes.Length - position)) throw Damaged("it ends too early");
        _position = position + count;
        return _bytes.Slice(position, count);
    }

    /// <summary>A value by its bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T ReadRaw<T>()
        where T : unmanaged => MemoryMarshal.Read<T>(Take(Unsafe.SizeOf<T>()));

    /// <summary>A boolean.</summary>
    public bool ReadBoolean() => Take(1)[0] != 0;

    /// <summary>A varint.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint ReadVarint()
    {
        int position = _position;
        if ((uint)position < (uint)_bytes.Length && _bytes[position] < 0x80)
        {
            _position = position + 1;
            return _bytes[position];
        }

        return ReadLongVarint();
    }

    private uint ReadLongVarint()
    {
        uint value = 0;
        for (int shift = 0; shift < 35; shift += 7)
        {
            byte next = Take(1)[0];
            if (shift == 28 && next > 0x0F) break;
            value |= (uint)(next & 0x7F) << shift;
            if (next < 0x80) return value;
        }

        throw Damaged("a number is out of range");
    }

    /// <summary>The number of elements of a collection, or -1 for null.</summary>
    /// <param name="elementSize">The fewest bytes that an element takes: a length that does not fit into the rest is refused before anything is allocated.</param>
    public int ReadLength(int elementSize)
    {
        long count = (long)ReadVarint() - 1;
        if (count * elementSize > Remaining) throw Damaged($"it speaks of {count} elements where only {Remaining} bytes are left");
        return (int)count;
    }

    /// <summary>A string, or null.</summary>
    public string? ReadString()
    {
        int length = ReadLength(1);
        if (length < 0) return null;
        if (!ReadBoolean()) return _reader.GetString(Take(length));
        if (length > Remaining / 2) throw Damaged("it ends too early");
        return _reader.GetString(MemoryMarshal.Cast<byte, char>(Take(length * 2)));
    }

    /// <summary>An array of values as one block.</summary>
    public T[]? ReadArray<T>()
        where T : unmanaged
    {
        int length = ReadLength(Unsafe.SizeOf<T>());
        if (length < 0) return null;
        if (length == 0) return [];
        var array = GC.AllocateUninitializedArray<T>(length);
        Take(length * Unsafe.SizeOf<T>()).CopyTo(MemoryMarshal.AsBytes(array.AsSpan()));
        return array;
    }

    /// <summary>A list of values as one block.</summary>
    public List<T>? ReadList<T>()
        where T : unmanaged
    {
        int length = ReadLength(Unsafe.SizeOf<T>());
        if (length < 0) return null;
        var list = new List<T>(length);
        CollectionsMarshal.SetCount(list, length);
        Take(length * Unsafe.SizeOf<T>()).CopyTo(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(list)));
        return list;
    }

    /// <summary>Bytes that stay where they are: a slice of the snapshot.</summary>
    public ReadOnlyMemory<byte> ReadMemory()
    {
        int length = ReadLength(1);
        if (length <= 0) return default;
        int position = _position;
        Take(length);
        return _reader.Bytes.Slice(position, length);
    }

    /// <summary>A reference: null, an object that was made before, or a new one, whose fields are read when its turn comes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public object? ReadObject()
    {
        uint id = ReadVarint();
        return id == 0 ? null : _reader.Resolve(id, ref this);
    }

    /// <summary>A field of type object.</summary>
    public object? ReadAny() => (AnyKind)Take(1)[0] switch
    {
        AnyKind.Null => null,
        AnyKind.Reference => ReadObject(),
        AnyKind.Int64 => ReadRaw<long>(),
        AnyKind.Int32 => ReadRaw<int>(),
        AnyKind.String => ReadString(),
        AnyKind.Bytes => ReadArray<byte>(),
        _ => throw Damaged("a value is of an unknown kind"),
    };

    /// <summary>The exception for a reference to an object of another class than the field's.</summary>
    public readonly Exception WrongType(object found, string expected) => Damaged($"a reference to {expected} leads to {found.GetType().FullName}");

    /// <summary>The exception for what is wrong at this place.</summary>
    public readonly Exception Damaged(string what) => new StateFormatException($"The snapshot is damaged near byte {_position}: {what}.");
}
