using System.Buffers.Binary;
using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Xunit;

namespace Ramet.Runtimes.Tests;

/// <summary>What a run printed, and how it ended.</summary>
internal sealed record Outcome(int ExitCode, string Output, string Error);

/// <summary>A runner as a process of this machine, over a pair of sockets that keep messages apart like the channel of a sandbox.</summary>
internal sealed partial class PythonRunner : IDisposable
{
    public const string Interpreter = "/usr/bin/python3";
    public const string Node = "/usr/bin/node";

    public const uint Large = 1;
    public const uint Session = 2;
    public const uint Lines = 4;
    public const uint Value = 8;

    private const int SIGINT = 2;
    private const int AF_UNIX = 1;
    private const int SOCK_SEQPACKET = 5;
    private const int SOCK_CLOEXEC = 0x80000;

    private readonly Socket _socket;
    private readonly Process _process;
    private readonly Task<string> _output;
    private readonly Task<string> _error;

    public PythonRunner(string? input = null)
        : this([Interpreter], "python/runner.py", input)
    {
    }

    public PythonRunner(IReadOnlyList<string> command, string runner, string? input)
    {
        int[] pair = new int[2];
        if (SocketPair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) throw new IOException("socketpair failed.");
        _socket = new Socket(new SafeSocketHandle(pair[0], ownsHandle: true)) { SendBufferSize = 1 << 21, ReceiveTimeout = 60_000 };

        // Only the child is to have its end: a shell takes the duplicate along, which has no close-on-exec.
        int child = Dup(pair[1]);
        var start = Start(command[0], [.. command.Skip(1), Path.Combine(Repository(), "runtimes", runner)]);
        start.Environment["RAMET_CHANNEL"] = child.ToString();
        _process = Process.Start(start)!;
        _ = Close(child);
        _ = Close(pair[1]);
        _output = _process.StandardOutput.ReadToEndAsync();
        _error = _process.StandardError.ReadToEndAsync();
        if (input is not null) _process.StandardInput.Write(input);
        _process.StandardInput.Close();
        Ready = Receive().Details!.RootElement.Clone();
    }

    /// <summary>What the runner said when it was warm.</summary>
    public JsonElement Ready { get; }

    /// <summary>What the same interpreter does with this code without the runner.</summary>
    public static Outcome RunPlain(string code)
    {
        using var process = Process.Start(Start(Interpreter, ["-c", code]))!;
        process.StandardInput.Close();
        var error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new Outcome(process.ExitCode, output, error.GetAwaiter().GetResult());
    }

    /// <summary>Runs code once in a fresh runner.</summary>
    public static Outcome Run(string code, object? options = null, uint flags = 0, string? input = null)
    {
        using var runner = new PythonRunner(input);
        runner.Send(code, flags, options);
        // There is no reply when the program ends itself (os._exit).
        runner._socket.Receive(new byte[1024]);
        return runner.Finish();
    }

    /// <summary>Posts a request.</summary>
    public void Send(string code, uint flags = 0, object? options = null, byte[]? seed = null)
    {
        byte[] source = Encoding.UTF8.GetBytes(code);
        byte[] json = options is null ? [] : JsonSerializer.SerializeToUtf8Bytes(options);
        byte[] random = seed ?? System.Security.Cryptography.RandomNumberGenerator.GetBytes(64);
        byte[] message = [.. new byte[20], .. random, .. source, .. json];
        BinaryPrimitives.WriteUInt32LittleEndian(message, 2);
        BinaryPrimitives.WriteUInt32LittleEndian(message.AsSpan(4), flags);
        BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(8), source.Length);
        BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(12), json.Length);
        BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(16), random.Length);
        if ((flags & Large) != 0) _socket.Send(message.AsSpan(0, 20));
        _socket.Send(message);
    }

    /// <summary>Posts any bytes.</summary>
    public void SendRaw(byte[] message) => _socket.Send(message);

    /// <summary>Takes a reply.</summary>
    public (int ExitCode, JsonDocument? Details) Receive()
    {
        byte[] reply = new byte[1 << 20];
        int length = _socket.Receive(reply);
        if (length < 16) Assert.Fail($"No reply; the runner wrote: {(_error.Wait(5000) ? _error.Result : "nothing")}");
        Assert.Equal(2u, BinaryPrimitives.ReadUInt32LittleEndian(reply));
        Assert.Equal(length - 16, BinaryPrimitives.ReadInt32LittleEndian(reply.AsSpan(12)));
        return (BinaryPrimitives.ReadInt32LittleEndian(reply.AsSpan(8)), length == 16 ? null : JsonDocument.Parse(reply.AsMemory(16, length - 16)));
    }

    /// <summary>Sends SIGINT.</summary>
    public void Signal() => Assert.Equal(0, Kill(_process.Id, SIGINT));

    /// <summary>Interrupts what runs, as often as it takes. Gives the reply.</summary>
    public (int ExitCode, JsonDocument? Details) Interrupt()
    {
        for (int tries = 0; tries < 100; tries++)
        {
            Signal();
            if (_socket.Poll(TimeSpan.FromMilliseconds(200), SelectMode.SelectRead)) return Receive();
        }

        Assert.Fail("It could not be interrupted.");
        return default;
    }

    /// <summary>Waits for the end of the process.</summary>
    public Outcome Finish()
    {
        Assert.True(_process.WaitForExit(60_000), "The runner did not end.");
        return new Outcome(_process.ExitCode, _output.GetAwaiter().GetResult(), _error.GetAwaiter().GetResult());
    }

    /// <summary>The host goes away.</summary>
    public void HangUp() => _socket.Close();

    public void Dispose()
    {
        _socket.Dispose();
        if (!_process.HasExited) _process.Kill();
        _process.Dispose();
    }

    private static ProcessStartInfo Start(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (string name in start.Environment.Keys.Where(name => name.StartsWith("PYTHON", StringComparison.Ordinal)).ToArray()) start.Environment.Remove(name);
        start.Environment["LC_ALL"] = "C.UTF-8";
        return start;
    }

    private static string Repository()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Ramet.slnx"))) folder = Path.GetDirectoryName(folder)!;
        return folder;
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);

    [LibraryImport("libc", EntryPoint = "socketpair")]
    private static partial int SocketPair(int domain, int type, int protocol, [Out] int[] pair);

    [LibraryImport("libc", EntryPoint = "dup")]
    private static partial int Dup(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
