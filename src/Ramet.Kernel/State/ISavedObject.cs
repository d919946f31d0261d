using System.ComponentModel;

namespace Ramet.Kernel.State;

/// <summary>What the generator implements on every [Saved] class. Not to be implemented by hand.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public interface ISavedObject
{
    /// <summary>The tag of the object's class. Throws when the class derives from a [Saved] class but is not [Saved] itself.</summary>
    int GetSavedTag();

    /// <summary>Runs the OnSaving hooks, base class first.</summary>
    void BeforeSave();

    /// <summary>Writes all fields, base class first.</summary>
    void SaveState(StateWriter writer);
}
