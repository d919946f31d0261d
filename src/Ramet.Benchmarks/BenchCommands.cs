using System.CommandLine;
using Ramet.Benchmarks.Fuzzing;
using Ramet.Benchmarks.Syscalls;

namespace Ramet.Benchmarks;

/// <summary>The command <c>bench</c> with its subcommands.</summary>
public static partial class BenchCommands
{
    private const string TemplateName = "python";

    /// <summary>Makes the command. Its exit code is 1 when an answer was wrong.</summary>
    public static Command Create(BenchHost host)
    {
        ArgumentNullException.ThrowIfNull(host);
        var command = new Command("bench", "Measures Ramet on this machine; docs/SPECIFICATION.md says what is promised. Alone: the fork engine, all of it, with a plot.")
        {
            CreateFork(host), CreateScale(host), CreateThroughput(host), CreateBranch(host), CreateCompute(host), CreateSyscalls(host), CreateServe(host), CreateFuzz(host),
        };
        AddAll(command, host);
        return command;
    }

    private static Command CreateCompute(BenchHost host)
    {
        var runs = RunsOption(15);
        var json = JsonOption();
        var command = new Command("compute", "How fast Python computes and starts in a sandbox, next to the same interpreter on the bare machine.") { runs, json };
        command.SetAction(parse => Guard(parse, () =>
        {
            using var engine = host.OpenEngine(parse);
            var template = host.OpenTemplate(engine, TemplateName);
            var layer = host.OpenImage(engine, template.Manifest.Image);
            using var image = engine.Images.Open(template.Manifest.Image);
            var report = new ComputeBenchmark(engine, template, layer, image).Run(parse.GetValue(runs));
            parse.InvocationConfiguration.Output.Write(parse.GetValue(json) ? report.ToJson() + "\n" : report.ToTable());
        }));
        return command;
    }

    private static Command CreateSyscalls(BenchHost host)
    {
        var runs = RunsOption(8);
        var json = JsonOption();
        var command = new Command("syscalls", "How long system calls, faults and typical programs take on the bare machine, in Ramet and in gVisor (runsc, if it is installed).") { runs, json };
        command.SetAction(parse => Guard(parse, () =>
        {
            using var engine = host.OpenEngine(parse);
            var layer = host.OpenImage(engine, SyscallBenchmark.ImageName);
            using var image = engine.Images.Open(SyscallBenchmark.ImageName);
            var report = new SyscallBenchmark(engine, layer, image).Run(parse.GetValue(runs));
            parse.InvocationConfiguration.Output.Write(parse.GetValue(json) ? report.ToJson() + "\n" : report.ToTable());
        }));
        return command;
    }

    private static Command CreateFuzz(BenchHost host)
    {
        var minutes = new Option<double>("--minutes") { Description = "For how long.", DefaultValueFactory = _ => 1, HelpName = "N" };
        minutes.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (> 0 and <= 10_000)) result.AddError("--minutes takes a number above 0, up to 10000.");
        });
        var seed = new Option<ulong?>("--seed") { Description = "Where the random numbers begin; random if not given, and printed.", HelpName = "S" };
        var json = JsonOption();
        var command = new Command("fuzz", "Makes random system calls in sandboxes: a sandbox may die of it, the host process must not. Needs gcc.") { minutes, seed, json };
        command.SetAction(parse => Guard(parse, () =>
        {
            using var engine = host.OpenEngine(parse);
            var output = parse.InvocationConfiguration.Output;
            ulong start = parse.GetValue(seed) ?? (ulong)Random.Shared.NextInt64(1, 1_000_000_000);
            if (!parse.GetValue(json)) output.WriteLine($"seed {start}");
            var fuzzer = new SystemCallFuzzer(engine, host.OpenImage(engine, TemplateName))
            {
                OnFailure = failure => parse.InvocationConfiguration.Error.WriteLine($"ramet: seed {failure.Seed}: {failure.Text}"),
            };
            var report = fuzzer.Run(TimeSpan.FromMinutes(parse.GetValue(minutes)), start);
            output.Write(parse.GetValue(json) ? report.ToJson() + "\n" : report.ToText());
            if (report.Failures.Count > 0) throw new BenchmarkException($"{report.Failures.Count} failures; the same again: ramet bench fuzz --seed {start}");
        }));
        return command;
    }

    private static Command CreateServe(BenchHost host)
    {
        var runs = RunsOption(2000);
        var seconds = new Option<double>("--seconds") { Description = "For how long 64 clients ask.", DefaultValueFactory = _ => 10, HelpName = "N" };
        seconds.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (> 0 and <= 100_000)) result.AddError("--seconds takes a number above 0, up to 100000.");
        });
        var json = JsonOption();
        var command = new Command("serve", "How fast the server answers over HTTP on loopback: latency, throughput, memory, time to ready.") { runs, seconds, json };
        command.SetAction(parse => Guard(parse, () =>
        {
            // The template is to be there: how long it takes to build is not measured.
            using (var engine = host.OpenEngine(parse)) host.OpenTemplate(engine, TemplateName);
            var report = new ServeBenchmark(host.Executable, host.GlobalArguments(parse)).Run(parse.GetValue(runs), parse.GetValue(seconds));
            parse.InvocationConfiguration.Output.Write(parse.GetValue(json) ? report.ToJson().ToJsonString() + "\n" : report.ToTable());
        }));
        return command;
    }

    private static Option<int> RunsOption(int usual)
    {
        var runs = new Option<int>("--runs") { Description = "Measurements of each thing.", DefaultValueFactory = _ => usual, HelpName = "N" };
        runs.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > 1_000_000) result.AddError("--runs takes a number from 1 to 1000000.");
        });
        return runs;
    }

    private static Option<bool> JsonOption() => new("--json") { Description = "Print one JSON object instead of a table." };

    private static int Guard(ParseResult parse, Action action)
    {
        try
        {
            action();
            return 0;
        }
        catch (BenchmarkException exception)
        {
            parse.InvocationConfiguration.Error.WriteLine($"ramet: {exception.Message}");
            return 1;
        }
    }
}
