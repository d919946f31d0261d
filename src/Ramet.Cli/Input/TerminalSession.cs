using System.Globalization;
using System.Runtime.InteropServices;
using Ramet.Cli.Output;
using Ramet.Host;
using Ramet.Kernel.Terminals;
using Ramet.Sandboxes;

namespace Ramet.Cli.Input;

/// <summary>
/// Connects this process's terminal with that of a sandbox: raw mode, keys, window size. When stdin is no terminal, its bytes are typed, and its end is typed as Ctrl-D, as by script(1).
/// </summary>
internal sealed class TerminalSession : IDisposable
{
    private const byte ControlD = 4;

    // By number: the name is marked as unknown to Windows.
    private const int SIGWINCH = 28;

    private readonly Sandbox _sandbox;
    private readonly RawTerminal? _raw;
    private readonly PosixSignalRegistration? _resized;

    private TerminalSession(Sandbox sandbox)
    {
        _sandbox = sandbox;
        _raw = RawTerminal.TryOpen(0);
        if (_raw is null) return;
        _resized = PosixSignalRegistration.Create((PosixSignal)SIGWINCH, _ =>
        {
            if (!sandbox.HasEnded) sandbox.ResizeTerminal(Size());
        });
    }

    /// <summary>Size of the window: the terminal's, else LINES and COLUMNS, else 24 by 80.</summary>
    public static WindowSize Size()
    {
        var size = RawTerminal.GetSize(1) ?? RawTerminal.GetSize(0);
        return size is { } window ? new WindowSize(window.Rows, window.Columns) : new WindowSize(Variable("LINES", 24), Variable("COLUMNS", 80));

        static ushort Variable(string name, ushort otherwise) =>
            ushort.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out ushort value) && value > 0 ? value : otherwise;
    }

    /// <summary>What kind of terminal it is: TERM.</summary>
    public static string Type() => Environment.GetEnvironmentVariable("TERM") is { Length: > 0 } type ? type : "dumb";

    /// <summary>Connects them until the session is disposed.</summary>
    public static TerminalSession Start(Sandbox sandbox)
    {
        var session = new TerminalSession(sandbox);
        new Thread(session.Pump) { IsBackground = true, Name = "ramet stdin" }.Start();
        return session;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _resized?.Dispose();
        _raw?.Dispose();
    }

    private void Pump()
    {
        var buffer = new byte[4096];
        try
        {
            for (int count; !_sandbox.HasEnded && (count = StandardStream.ReadInput(buffer)) > 0;) Type(buffer.AsSpan(0, count));
        }
        catch (HostException e)
        {
            Message.Write(e.Message);
        }

        // Twice: the first ends a line that was begun.
        Type([ControlD, ControlD]);
    }

    private void Type(ReadOnlySpan<byte> bytes)
    {
        try
        {
            while (!_sandbox.HasEnded && !bytes.IsEmpty)
            {
                int taken = _sandbox.Type(bytes);
                bytes = bytes[taken..];
                if (taken == 0) Thread.Sleep(2);
            }
        }
        catch (ObjectDisposedException)
        {
            // The sandbox ended meanwhile.
        }
        catch (InvalidOperationException)
        {
            // Its terminal was hung up.
        }
    }
}
