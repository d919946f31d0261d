namespace Ramet.Kernel.State;

/// <summary>
/// The state of this partial class or struct is part of a snapshot: the generator writes code that saves and loads every
/// instance field (its own, and those of base classes that are saved too), so that none can be forgotten. A field that
/// must not be saved says so with <see cref="NotSavedAttribute"/>.
/// </summary>
/// <remarks>
/// <para>Saved classes have a parameterless constructor (any accessibility) and no readonly fields; auto-properties have a setter (a private one will do). What
/// cannot be saved is a compile-time error. References among saved objects may be cyclic and are restored with identity; collections, arrays and strings are
/// values: two fields that share one hold a copy each afterwards. Hash collections use the default comparer (or StringComparer.Ordinal), sorted ones the
/// default comparer, those of strings StringComparer.Ordinal.</para>
/// <para><c>private void OnSaving()</c>, if there is one, runs right before the object is written. <c>private void OnLoaded(StateReader reader)</c> runs
/// when all objects of the snapshot have their fields, to rebuild what was not saved; the root's comes first, then those of other objects as they were first
/// referred to, so a hook must not rely on another object's hook. Each class of a hierarchy may have its own; the base class's runs first.</para>
/// </remarks>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct, Inherited = false)]
public sealed class SavedAttribute : Attribute;

/// <summary>This field is not part of a snapshot: it is a cache, or a port to the host.</summary>
[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public sealed class NotSavedAttribute : Attribute;
