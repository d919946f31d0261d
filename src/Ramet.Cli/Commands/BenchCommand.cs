using System.CommandLine;
using Ramet.Benchmarks;

namespace Ramet.Cli.Commands;

/// <summary><c>ramet bench</c>: the benchmarks, with the command line's own way to engines, images and templates.</summary>
internal static class BenchCommand
{
    public static Command Create(GlobalOptions globals) => BenchCommands.Create(
        new BenchHost(parse => Engine.Open(globals.DataDirectory(parse), globals.KvmDevice(parse)))
        {
            OpenTemplate = (engine, name) => Interruptible(interruption => Engine.Build(interruption, (progress, token) => engine.Templates.EnsureAsync(name, progress, token))),
            OpenImage = (engine, name) => Interruptible(interruption => Engine.OpenImage(engine, name, interruption)),
        });

    private static T Interruptible<T>(Func<Interruption, T> build)
    {
        using var interruption = new Interruption();
        return build(interruption);
    }
}
