using Ramet.Kernel.State;

namespace Ramet.Kernel.Pipes;

/// <summary>
/// Bytes that pipes and sockets of one sandbox hold in the host's memory: a guest that fills thousands of them must not grow the host without bound.
/// As with Linux's pipe-user-pages-soft, a pipe over the budget gets a small buffer rather than none; a socket answers ENOBUFS.
/// </summary>
[Saved]
public sealed partial class BufferBudget
{
    /// <summary>Bytes that may be held.</summary>
    public long Limit { get; set; } = 64L << 20;

    /// <summary>Bytes held now.</summary>
    public long Used { get; private set; }

    /// <summary>Takes from the budget; false: there is not enough left.</summary>
    public bool TryCharge(long bytes)
    {
        if (Used + bytes > Limit) return false;
        Used += bytes;
        return true;
    }

    /// <summary>Takes from the budget even beyond the limit: the small buffer that everybody gets.</summary>
    public void Charge(long bytes) => Used += bytes;

    /// <summary>Gives back.</summary>
    public void Release(long bytes) => Used -= bytes;
}
