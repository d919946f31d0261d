using System.Buffers.Binary;
using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Ramet.Kernel.State;

/// <summary>Writes a snapshot's compact form (see <see cref="StateSerializer"/>). Called by generated code.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class StateWriter
{
    private readonly Dictionary<object, uint> _ids = new(ReferenceEqualityComparer.Instance);
    private readonly List<ISavedObject> _objects = [];
    private readonly SavedTypeRegistry _registry;
    private byte[] _buffer = new byte[4096];
    private int _length;

    internal StateWriter(SavedTypeRegistry registry) => _registry = registry;

    internal ReadOnlyMemory<byte> Written => _buffer.AsMemory(0, _length);

    internal void Run(ISavedObject root)
    {
        WriteRaw(StateFormat.Magic);
        WriteRaw(StateFormat.Version);
        WriteRaw(0u); // The number of objects, once it is known.
        WriteRaw(_registry.SchemaHash);
        WriteObject(root);
        for (int i = 0; i < _objects.Count; i++)
        {
            _objects[i].BeforeSave();
            _objects[i].SaveState(this);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(_buffer.AsSpan(StateFormat.CountOffset), (uint)_objects.Count);
    }

    /// <summary>Room for this many bytes at the end, to be filled by the caller at once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Span<byte> Append(int count)
    {
        if (_buffer.Length - _length < count) Grow(count);
        var span = _buffer.AsSpan(_length, count);
        _length += count;
        return span;
    }

    /// <summary>The bytes of a value.</summary>
    public void WriteRaw<T>(in T value)
        where T : unmanaged => MemoryMarshal.Write(Append(Unsafe.SizeOf<T>()), in value);

    /// <summary>A varint.</summary>
    public void WriteVarint(uint value)
    {
        var span = Append(5);
        int used = 0;
        for (; value >= 0x80; value >>= 7) span[used++] = (byte)(value | 0x80);
        span[used++] = (byte)value;
        _length -= 5 - used;
    }

    /// <summary>The number of elements of a collection, or -1 for null.</summary>
    public void WriteLength(int count) => WriteVarint((uint)(count + 1));

    /// <summary>A string: bytes when all characters are below 256 (names of files are), else UTF-16.</summary>
    public void WriteString(string? value)
    {
        if (value is null)
        {
            WriteVarint(0);
            return;
        }

        bool wide = value.AsSpan().ContainsAnyExceptInRange('\0', '\xFF');
        WriteLength(value.Length);
        WriteRaw(wide);
        if (wide) MemoryMarshal.AsBytes(value.AsSpan()).CopyTo(Append(checked(value.Length * 2)));
        else System.Text.Encoding.Latin1.GetBytes(value, Append(value.Length));
    }

    /// <summary>Elements as one block.</summary>
    public void WriteBlock<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        WriteLength(values.Length);
        var bytes = MemoryMarshal.AsBytes(values);
        bytes.CopyTo(Append(bytes.Length));
    }

    /// <summary>A reference to a saved object, which is written when its turn comes.</summary>
    public void WriteObject(ISavedObject? value)
    {
        if (value is null)
        {
            WriteVarint(0);
            return;
        }

        ref uint id = ref CollectionsMarshal.GetValueRefOrAddDefault(_ids, value, out bool exists);
        if (exists)
        {
            WriteVarint(id);
            return;
        }

        _objects.Add(value);
        id = (uint)_objects.Count;
        WriteVarint(id);
        int tag = value.GetSavedTag();
        if (tag >= _registry.Count) throw new InvalidOperationException($"{value.GetType()} is of another assembly: save with the SavedTypes.Instance of that assembly.");
        WriteVarint((uint)tag);
    }

    /// <summary>A reference whose static type does not say that it is saved (an interface).</summary>
    public void WriteUnknown(object? value) => WriteObject(value is null ? null : value as ISavedObject ?? throw NotSaved(value.GetType()));

    /// <summary>A field of type object: a saved object, or a boxed long or int, a string, a byte array.</summary>
    public void WriteAny(object? value)
    {
        switch (value)
        {
            case null:
                WriteRaw(AnyKind.Null);
                break;
            case long number:
                WriteRaw(AnyKind.Int64);
                WriteRaw(number);
                break;
            case int number:
                WriteRaw(AnyKind.Int32);
                WriteRaw(number);
                break;
            case string text:
                WriteRaw(AnyKind.String);
                WriteString(text);
                break;
            case byte[] bytes:
                WriteRaw(AnyKind.Bytes);
                WriteBlock<byte>(bytes);
                break;
            default:
                WriteRaw(AnyKind.Reference);
                WriteUnknown(value);
                break;
        }
    }

    /// <summary>Hash collections come back with the default comparer: refuse to save any other.</summary>
    public static void RequireDefault<T>(IEqualityComparer<T> comparer)
    {
        if (!ReferenceEquals(comparer, EqualityComparer<T>.Default) && !ReferenceEquals(comparer, StringComparer.Ordinal))
            throw new InvalidOperationException($"A collection of {typeof(T)} with its own comparer ({comparer.GetType()}) cannot be saved.");
    }

    /// <summary>Sorted collections come back with the default comparer, those of strings with the ordinal one: refuse to save any other.</summary>
    public static void RequireDefault<T>(IComparer<T> comparer)
    {
        if (!ReferenceEquals(comparer, typeof(T) == typeof(string) ? StringComparer.Ordinal : Comparer<T>.Default))
            throw new InvalidOperationException($"A sorted collection of {typeof(T)} with its own comparer ({comparer.GetType()}) cannot be saved.");
    }

    /// <summary>The exception for an object that is not part of the saved state.</summary>
    public static Exception NotSaved(Type type) => new InvalidOperationException($"{type} is not [Saved] but is reached from an object that is.");

    private void Grow(int count)
    {
        long needed = (long)_length + count;
        if (needed > Array.MaxLength) throw new InvalidOperationException("The kernel state is over 2 GiB and cannot be saved.");
        Array.Resize(ref _buffer, (int)Math.Min(Array.MaxLength, Math.Max(needed, 2L * _buffer.Length)));
    }
}
