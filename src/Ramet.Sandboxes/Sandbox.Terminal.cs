using Ramet.Kernel.Terminals;

namespace Ramet.Sandboxes;

/// <summary>The terminal of a sandbox whose <see cref="SandboxOptions.Terminal"/> was set.</summary>
public sealed partial class Sandbox
{
    /// <summary>Types into the terminal. Returns how many bytes its line discipline took: the rest is to be offered again a little later, when programs have read.</summary>
    /// <exception cref="InvalidOperationException">The sandbox has no terminal.</exception>
    public int Type(ReadOnlySpan<byte> bytes)
    {
        lock (_kernel.Lock)
        {
            return _kernel.HasExited ? bytes.Length : HostTerminal.Write(bytes);
        }
    }

    /// <summary>The window has another size: programs get SIGWINCH.</summary>
    /// <exception cref="InvalidOperationException">The sandbox has no terminal.</exception>
    public void ResizeTerminal(WindowSize size)
    {
        lock (_kernel.Lock)
        {
            if (!_kernel.HasExited) HostTerminal.Resize(size);
        }
    }

    private HostTerminal HostTerminal => _kernel.Terminals.Host ?? throw new InvalidOperationException("The sandbox has no terminal: set SandboxOptions.Terminal.");
}
