namespace Ramet.Kernel.State;

/// <summary>
/// The state of this partial class or struct is part of a snapshot: the generator writes code that saves and loads every
/// instance field (its own, and those of base classes that are saved too), so that none can be forgotten. A field that
/// must not be saved says so with <see cref="NotSavedAttribute"/>.
/// </summary>
/// <remarks>
/// Saved classes have a parameterless constructor (any accessibility) and no readonly fields; references among them
/// may be cyclic and are restored with identity. A method <c>void OnLoaded(StateReader reader)</c>, if there is
/// one, runs when all objects of the snapshot have their fields, to rebuild what was not saved.
/// </remarks>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct, Inherited = false)]
public sealed class SavedAttribute : Attribute;

/// <summary>This field is not part of a snapshot: it is a cache, or a port to the host.</summary>
[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public sealed class NotSavedAttribute : Attribute;
