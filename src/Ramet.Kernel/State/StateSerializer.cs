using System.Buffers;
using System.Buffers.Binary;

namespace Ramet.Kernel.State;

/// <summary>
/// Kernel state to and from its compact form: the one mechanism behind fork, branch, pause and save. The form is checked, but
/// has no checksum: the file around it has one.
/// </summary>
public static class StateSerializer
{
    /// <summary>The compact form of an object and of everything that it leads to.</summary>
    /// <param name="root">An object of a [Saved] class.</param>
    /// <param name="registry">The types; those of this assembly when null.</param>
    /// <exception cref="InvalidOperationException">An object that is not [Saved] is reached.</exception>
    public static byte[] Save(object root, SavedTypeRegistry? registry = null) => Write(root, registry).ToArray();

    /// <summary>The same, into a buffer of the caller's.</summary>
    public static void Save(object root, IBufferWriter<byte> destination, SavedTypeRegistry? registry = null) => destination.Write(Write(root, registry).Span);

    /// <summary>Makes the objects anew.</summary>
    /// <typeparam name="T">The class of the root.</typeparam>
    /// <param name="bytes">The compact form. Fields of type ReadOnlyMemory keep slices of it, so it must not change afterwards.</param>
    /// <param name="context">What OnLoaded hooks find in <see cref="StateReader.Context"/>: the ports.</param>
    /// <param name="registry">The types; those of this assembly when null.</param>
    /// <param name="strings">Shared by all loads of these very bytes; null: strings of its own.</param>
    /// <exception cref="StateFormatException">The bytes are damaged or of another version.</exception>
    public static T Load<T>(ReadOnlyMemory<byte> bytes, object? context, SavedTypeRegistry? registry = null, StateStrings? strings = null)
        where T : class
    {
        registry ??= SavedTypes.Instance;
        var header = bytes.Span;
        if (header.Length < StateFormat.HeaderSize || BinaryPrimitives.ReadUInt64LittleEndian(header) != StateFormat.Magic)
            throw new StateFormatException("This is not a snapshot of kernel state.");
        if (BinaryPrimitives.ReadUInt32LittleEndian(header[8..]) != StateFormat.Version || BinaryPrimitives.ReadUInt64LittleEndian(header[16..]) != registry.SchemaHash)
            throw new StateFormatException("The snapshot was made by another version of Ramet: make it anew.");
        // An object takes two bytes at least, so the array is in proportion to the input.
        uint objects = BinaryPrimitives.ReadUInt32LittleEndian(header[StateFormat.CountOffset..]);
        if (objects > (uint)(header.Length - StateFormat.HeaderSize) / 2)
            throw new StateFormatException($"The snapshot is damaged: it speaks of {objects} objects in {header.Length} bytes.");
        object root = new StateReader(registry, bytes, context, (int)objects, strings).Run();
        return root as T ?? throw new StateFormatException($"The snapshot holds a {root.GetType().Name}, not a {typeof(T).Name}.");
    }

    private static ReadOnlyMemory<byte> Write(object root, SavedTypeRegistry? registry)
    {
        var writer = new StateWriter(registry ?? SavedTypes.Instance);
        writer.Run(root as ISavedObject ?? throw StateWriter.NotSaved(root.GetType()));
        return writer.Written;
    }
}
