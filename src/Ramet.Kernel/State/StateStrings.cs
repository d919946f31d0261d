namespace Ramet.Kernel.State;

/// <summary>
/// The strings of one snapshot, shared by all that is loaded from it: names of files and the like, some hundred of them, the same in every fork.
/// Strings never change, so sharing them cannot be noticed. Any thread.
/// </summary>
public sealed class StateStrings
{
    private volatile string[]? _all;

    /// <summary>All strings in the order in which they are read; null before the first load is through.</summary>
    internal string[]? All => _all;

    internal void Publish(List<string> all) => _all ??= [.. all];
}
