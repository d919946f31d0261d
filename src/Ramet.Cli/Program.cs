using Ramet.Kernel;
using Ramet.Sandboxes;

using var engine = new SandboxEngine(Environment.GetEnvironmentVariable("RAMET_DATA_DIR") ?? "/tmp/ramet-data");
var image = await engine.OpenImageAsync("python");
bool trace = args[0] == "--strace";
if (trace) args = args[1..];
using var sandbox = engine.Start(image, new MainProgram { Path = args[0], Arguments = args, Environment = ["PATH=/usr/bin:/bin", "HOME=/root", "LC_ALL=C.UTF-8"] },
    new SandboxOptions { Output = new Out(), Tracer = trace ? new Tracer() : null, Timeout = TimeSpan.FromSeconds(20) });
sandbox.CloseInput();
long t0 = Environment.TickCount64;
sandbox.Drive();
var result = sandbox.Wait();
Console.Error.WriteLine($"[{result.End} {result.ExitCode} {result.Message} {Environment.TickCount64 - t0} ms syscalls {sandbox.Kernel.Statistics.Syscalls} faults {sandbox.Kernel.Statistics.PageFaults} absent {string.Join(",", sandbox.Kernel.Statistics.Absent.Keys)}]");
return result.ExitCode;

internal sealed class Out : IOutputReceiver
{
    private readonly Stream[] _streams = [Console.OpenStandardOutput(), Console.OpenStandardError()];

    public void Write(int stream, ReadOnlySpan<byte> bytes) => _streams[stream - 1].Write(bytes);
}

internal sealed class Tracer : Ramet.Kernel.Platform.ISyscallTracer
{
    public void OnSyscall(int tid, string text) => Console.Error.WriteLine($"{tid} {text}");
}
