namespace Ramet.Kernel.State;

/// <summary>A load in progress: the objects by id, and the ports that OnLoaded hooks ask for.</summary>
public sealed class StateReader
{
    private readonly SavedTypeRegistry _registry;
    private readonly (ISavedObject Instance, int Tag)[] _objects;
    private int _count;

    internal StateReader(SavedTypeRegistry registry, ReadOnlyMemory<byte> bytes, object? context, int objects)
    {
        _registry = registry;
        Bytes = bytes;
        Context = context;
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
        RunHooks();
        return root;
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
