using System.CommandLine;
using Ramet.Sandboxes;

namespace Ramet.Benchmarks;

/// <summary>How commands come to what they measure; a command line shows progress while templates and images are built.</summary>
/// <param name="OpenEngine">Opens KVM and the data directory that the arguments name.</param>
public sealed record BenchHost(Func<ParseResult, SandboxEngine> OpenEngine)
{
    /// <summary>The executable itself, to start it as a server.</summary>
    public string Executable { get; init; } = Environment.ProcessPath ?? "ramet";

    /// <summary>Arguments that have another such process use the same data directory and device.</summary>
    public Func<ParseResult, IReadOnlyList<string>> GlobalArguments { get; init; } = _ => [];

    /// <summary>A template, built first if need be.</summary>
    public Func<SandboxEngine, string, Template> OpenTemplate { get; init; } = (engine, name) => engine.Templates.EnsureAsync(name).GetAwaiter().GetResult();

    /// <summary>An image, built first if need be.</summary>
    public Func<SandboxEngine, string, ImageLayer> OpenImage { get; init; } = (engine, name) => engine.OpenImageAsync(name).GetAwaiter().GetResult();
}
