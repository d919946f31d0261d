using System.ComponentModel;

namespace Ramet.Kernel.State;

/// <summary>
/// The [Saved] classes of an assembly (and of those that it builds on) by tag. The generator makes one per assembly, called <c>SavedTypes</c>.
/// </summary>
public abstract class SavedTypeRegistry
{
    /// <summary>A hash over all saved types, their fields and their types. A snapshot with another hash has another layout.</summary>
    public abstract ulong SchemaHash { get; }

    /// <summary>Number of tags.</summary>
    public abstract int Count { get; }

    /// <summary>The name of a tag's class, for messages.</summary>
    public abstract string NameOf(int tag);

    /// <summary>A new object of a tag's class; null when the tag is unknown or abstract.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public abstract ISavedObject? Create(int tag);

    /// <summary>Reads the fields of an object.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public abstract void Load(int tag, object instance, ref StateCursor cursor);

    /// <summary>Runs the OnLoaded hooks of an object.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public abstract void AfterLoad(int tag, object instance, StateReader reader);
}
