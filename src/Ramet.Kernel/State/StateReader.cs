namespace Ramet.Kernel.State;

/// <summary>A load in progress: the objects by id, and the ports that OnLoaded hooks ask for.</summary>
public sealed class StateReader
{
    private readonly SavedTypeRegistry _registry;
    private readonly (ISavedObject Instance, int Tag)[] _objects;
    private readonly StateStrings? _strings;
    private readonly string[]? _known;
    private readonly List<string>? _read;
    private int _nextString;
    private int _count;

    internal StateReader(SavedTypeRegistry registry, ReadOnlyMemory<byte> bytes, object? context, int objects, StateStrings? strings)
    {
        _registry = registry;
        Bytes = bytes;
        Context = context;
        _strings = strings;
        _known = strings?.All;
        _read = strings is null || _known is not null ? null : [];
        _objects = new (ISavedObject, int)[objects];
    }

    /// <summary>What the caller of <see cref="StateSerializer.Load{T}(ReadOnlyMemory{byte}, object?, SavedTypeRegistry?)"/> passed: the ports of a kernel.</summary>
    public object? Context { get; }

    internal ReadOnlyMemory<byte> Bytes { get; }

    internal object Run()
    {
        var cursor = new StateCursor(this, Bytes.Span);
        cursor.Take(StateFormat.HeaderSize);
        object root = cursor.ReadObject() ?? throw cursor.Damaged("it has no root");
        for (int i = 0; i < _count; i++) _registry.Load(_objects[i].Tag, _objects[i].Instance, ref cursor);
        if (_count != _objects.Length) throw cursor.Damaged($"{_objects.Length} objects were promised and {_count} came");
        if (cursor.Remaining != 0) throw cursor.Damaged($"{cursor.Remaining} bytes follow the end");
        if (_read is not null) _strings!.Publish(_read);
        RunHooks();
        return root;
    }

    /// <summary>The next string: one that an earlier load of the same bytes has made, if there was one.</summary>
    internal string GetString(ReadOnlySpan<byte> latin1)
    {
        if (_known is not null && (uint)_nextString < (uint)_known.Length) return _known[_nextString++];
        return Add(System.Text.Encoding.Latin1.GetString(latin1));
    }

    /// <inheritdoc cref="GetString(ReadOnlySpan{byte})"/>
    internal string GetString(ReadOnlySpan<char> characters)
    {
        if (_known is not null && (uint)_nextString < (uint)_known.Length) return _known[_nextString++];
        return Add(new string(characters));
    }

    private string Add(string text)
    {
        _read?.Add(text);
        return text;
    }

    internal object Resolve(uint id, ref StateCursor cursor)
    {
        if (id <= (uint)_count) return _objects[id - 1].Instance;
        if (id != (uint)_count + 1 || id > (uint)_objects.Length) throw cursor.Damaged($"object {id} comes after object {_count} of {_objects.Length}");
        uint tag = cursor.ReadVarint();
        var instance = (tag < (uint)_registry.Count ? _registry.Create((int)tag) : null) ?? throw cursor.Damaged($"there is no type {tag}");
        _objects[_count++] = (instance, (int)tag);
        return instance;
    }

    private void RunHooks()
    {
        int i = 0;
        try
        {
            for (; i < _count; i++) _registry.AfterLoad(_objects[i].Tag, _objects[i].Instance, this);
        }
        catch (Exception e) when (e is NullReferenceException or ArgumentException or InvalidOperationException or InvalidCastException
            or IndexOutOfRangeException or KeyNotFoundException or ArithmeticException)
        {
            // The encoding was fine but what it says cannot be: hooks may rely on their input, and need not check it.
            throw new StateFormatException($"The snapshot is damaged: {_registry.NameOf(_objects[i].Tag)} cannot be restored from it ({e.Message}).", e);
        }
    }
}
