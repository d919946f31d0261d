using System.CommandLine;
using Ramet.Benchmarks;

namespace Ramet.Cli.Commands;

/// <summary><c>ramet bench</c>: measurements, with progress while images and templates are built.</summary>
internal static class BenchCommand
{
    /// <summary>Makes the command.</summary>
    public static Command Create(GlobalOptions globals) => BenchCommands.Create(new BenchHost(parse => Engine.Open(globals.DataDirectory(parse), globals.KvmDevice(parse), largePages: true))
    {
        GlobalArguments = parse => ["--data-dir", globals.DataDirectory(parse), "--kvm-device", globals.KvmDevice(parse)],
        OpenTemplate = static (engine, name) =>
        {
            using var interruption = new Interruption();
            return Engine.Build(interruption, (progress, token) => engine.Templates.EnsureAsync(name, progress, token));
        },
        OpenImage = static (engine, name) =>
        {
            using var interruption = new Interruption();
            return Engine.OpenImage(engine, name, interruption);
        },
    });
}
