using System.CommandLine;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Ramet.Cli.Input;
using Ramet.Sandboxes;
using Ramet.Sandboxes.Workers;

namespace Ramet.Cli.Commands;

/// <summary><c>ramet worker</c>: a process of the server's, not for people. It talks over its standard streams.</summary>
internal static class WorkerCommand
{
    /// <summary>Defines the command.</summary>
    public static Command Create(GlobalOptions globals)
    {
        var minimum = new Option<int>("--pool-min") { DefaultValueFactory = _ => 1 };
        var maximum = new Option<int>("--pool-max") { DefaultValueFactory = _ => 8 };
        var memory = new Option<int>("--memory-mb") { DefaultValueFactory = _ => 512 };
        var command = new TaughtCommand("worker", "Runs sandboxes for a server.") { Hidden = true };
        foreach (var option in (Option[])[minimum, maximum, memory]) command.Options.Add(option);
        command.SetAction(parse =>
        {
            // Ctrl-C and a service manager reach all processes of the server. The server lets running work end first; then, or when it is gone, this input ends.
            using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true);
            using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => context.Cancel = true);
            using var hangup = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context => context.Cancel = true);
            using var engine = Engine.Open(globals.DataDirectory(parse), globals.KvmDevice(parse), spareMachines: 2);
            var pool = new SandboxPoolOptions
            {
                Minimum = parse.GetValue(minimum),
                Maximum = parse.GetValue(maximum),
                MemoryBytes = (ulong)parse.GetValue(memory) << 20,
            };
            using var input = Console.OpenStandardInput();
            using var output = Console.OpenStandardOutput();
            WorkerServer.Run(engine, pool, input, output);
            return 0;
        });
        return command;
    }

    /// <summary>The command that starts one like this process.</summary>
    public static ProcessStartInfo ToStart(string dataDirectory, string kvmDevice, SandboxPoolOptions pool) => new(
        Environment.ProcessPath!,
        [
            "worker", "--data-dir", dataDirectory, "--kvm-device", kvmDevice,
            "--pool-min", $"{pool.Minimum}", "--pool-max", $"{pool.Maximum}", "--memory-mb", $"{pool.MemoryBytes >> 20}",
        ])
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        UseShellExecute = false,
    };
}
