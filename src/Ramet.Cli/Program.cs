using Ramet.Kernel;
using Ramet.Sandboxes;

using var engine = new SandboxEngine(Environment.GetEnvironmentVariable("RAMET_DATA_DIR") ?? "/tmp/ramet-data");
var image = await engine.OpenImageAsync("python");
if (args[0] == "exec")
{
    var w = System.Diagnostics.Stopwatch.StartNew();
    var template = await engine.Templates.EnsureAsync("python");
    Console.Error.WriteLine($"template {w.ElapsedMilliseconds} ms {template.Manifest}");
    for (int i = 0; i < int.Parse(args[2]); i++)
    {
        var r = engine.Execute(template, new ExecRequest { Code = args[1] }, new SandboxOptions { Tracer = Environment.GetEnvironmentVariable("TR") is null ? null : new Tracer(), Timeout = TimeSpan.FromSeconds(20) });
        Console.Error.WriteLine($"{System.Text.Encoding.UTF8.GetString(r.Result.Stdout).TrimEnd()} {System.Text.Encoding.UTF8.GetString(r.Result.Stderr).TrimEnd()} [{r.Result.End} {r.Result.ExitCode} {r.Result.Message} fork {r.ForkNanoseconds / 1000} first {r.FirstOutputNanoseconds / 1000} total {r.TotalNanoseconds / 1000} us; syscalls {r.Statistics.Syscalls} faults {r.Statistics.PageFaults} exits {r.Statistics.Exits}]");
    }

    return 0;
}

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
