using Ramet.Kernel.Files;
using Ramet.Kernel.Processes;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Terminals;

/// <summary>
/// A terminal whose master is the process that hosts the sandbox: /dev/pts/N to programs; on the other side bytes in, bytes out through
/// <see cref="HostStreams.Sink"/>, and a window size. All members are used under the kernel lock. After a restore, <see cref="TerminalTable.Host"/> has it.
/// </summary>
[Saved]
public sealed partial class HostTerminal
{
    private const int Chunk = 4096;

    private Kernel _kernel = null!;
    private DrainWaiter _waiter = null!;
    private bool _isPumping;

    private HostTerminal()
    {
    }

    private HostTerminal(Kernel kernel, Terminal terminal, int stream)
    {
        _kernel = kernel;
        Terminal = terminal;
        Stream = stream;
        _waiter = new DrainWaiter(this);
    }

    /// <summary>The terminal that programs see.</summary>
    public Terminal Terminal { get; private set; } = null!;

    /// <summary>The number under which output goes to the sink.</summary>
    public int Stream { get; private set; }

    /// <summary>Bytes of <see cref="Write"/> that the line discipline has not taken yet.</summary>
    public int PendingInput => Terminal.UnprocessedInput;

    /// <summary>Makes one.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="size">Size of the window.</param>
    /// <param name="stream">The number under which output goes to the sink.</param>
    /// <param name="owner">User id that owns /dev/pts/N.</param>
    /// <exception cref="InvalidOperationException">The sandbox has one already, or too many terminals.</exception>
    public static HostTerminal Create(Kernel kernel, WindowSize size, int stream = 1, uint owner = 0)
    {
        if (kernel.Terminals.Host is not null) throw new InvalidOperationException("The sandbox has a terminal of the host already.");
        return kernel.Terminals.Host = CreateFurther(kernel, size, stream, owner) ?? throw new InvalidOperationException("The sandbox has too many terminals.");
    }

    /// <summary>Makes one of many: <see cref="TerminalTable.Host"/> does not have it. Null: the sandbox has too many terminals.</summary>
    internal static HostTerminal? CreateFurther(Kernel kernel, WindowSize size, int stream, uint owner)
    {
        if (kernel.Terminals.Create(kernel, owner) is not { } terminal) return null;
        var host = new HostTerminal(kernel, terminal, stream);
        terminal.Host = host;
        terminal.Resize(size);
        kernel.HostStreams.OutputQueue.Add(host._waiter);
        return host;
    }

    /// <summary>Descriptors 0, 1 and 2 for <see cref="MainProgram.Descriptors"/>: one description. The main program's session gets it as controlling terminal.</summary>
    public IReadOnlyList<FileDescription> CreateDescriptors()
    {
        FileDescription description = new TerminalDescription(Terminal, Terminal.Inode, OpenFlags.O_RDWR) { Dentry = _kernel.Terminals.DentryOf(Terminal) };
        return [description, description.AddReference(), description.AddReference()];
    }

    /// <summary>What was typed. Returns how many bytes were taken; the rest is to be offered again when programs have read.</summary>
    public int Write(ReadOnlySpan<byte> bytes)
    {
        if (Terminal.IsMasterClosed) return bytes.Length;
        int total = 0;
        Span<byte> chunk = stackalloc byte[Chunk];
        while (total < bytes.Length)
        {
            var piece = chunk[..Math.Min(Chunk, bytes.Length - total)];
            bytes.Slice(total, piece.Length).CopyTo(piece);
            var buffer = new IoBuffer(piece);
            int taken = Terminal.TakeInput(ref buffer);
            total += taken;
            if (taken < piece.Length) break;
        }

        return total;
    }

    /// <summary>The window has another size: the foreground group gets SIGWINCH.</summary>
    public void Resize(WindowSize size) => Terminal.Resize(size);

    /// <summary>The user is gone: the session leader gets SIGHUP, reads give the end and writes EIO.</summary>
    public void HangUp()
    {
        if (Terminal.IsMasterClosed) return;
        _waiter.Detach();
        if (_kernel.Terminals.Host == this) _kernel.Terminals.Host = null;
        Terminal.OnMasterClosed();
    }

    /// <summary>Hands output to the sink as far as it takes it.</summary>
    internal void PumpOutput()
    {
        if (_isPumping) return;
        _isPumping = true;
        Span<byte> chunk = stackalloc byte[Chunk];
        while (Terminal.OutputCount > 0)
        {
            int count = Terminal.PeekOutput(chunk);
            var result = _kernel.HostStreams.Write(Stream, chunk[..count]);
            if (result == OutputSinkResult.Full) break;

            // Nobody reads any more, or the limit of output is reached: what is written is lost, as on a terminal that shows nothing.
            Terminal.DropOutput(count);
        }

        _isPumping = false;
    }

    /// <summary>Waits for the sink for as long as the terminal lives.</summary>
    [Saved]
    internal sealed partial class DrainWaiter : Waiter
    {
        private HostTerminal _terminal = null!;

        private DrainWaiter()
        {
        }

        public DrainWaiter(HostTerminal terminal) => _terminal = terminal;

        /// <inheritdoc/>
        public override bool OnWake(PollEvents events)
        {
            _terminal.PumpOutput();
            return true;
        }
    }
}
