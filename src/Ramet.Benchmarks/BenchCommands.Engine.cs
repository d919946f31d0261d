using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Ramet.Benchmarks;

/// <summary>Commands that measure the fork engine.</summary>
public static partial class BenchCommands
{
    private const int ForksPerProcess = 125;

    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true };

    private static Command CreateFork(BenchHost host)
    {
        var runs = RunsOption(200);
        var node = new Option<bool>("--node") { Description = "Forks of the template 'node' as well." };
        return CreateEngine(host, "fork", "How long forks of the template 'python' take, from nothing and from a pool, next to making a VM for a Linux guest.", [runs, node],
            (parse, engine, template) =>
            {
                using var second = parse.GetValue(node) ? host.OpenTemplate(engine, "node") : null;
                return new ForkBenchmark(engine, template, second).Run(parse.GetValue(runs));
            });
    }

    private static Command CreateThroughput(BenchHost host)
    {
        var seconds = Number("--seconds", "For how long.", 60);
        return CreateEngine(host, "throughput", "How many forks run code and answer each second, with all cores busy.", [seconds],
            (parse, engine, template) => new ThroughputBenchmark(engine, template).Run(TimeSpan.FromSeconds(parse.GetValue(seconds))));
    }

    private static Command CreateBranch(BenchHost host)
    {
        var runs = RunsOption(30);
        return CreateEngine(host, "branch", "What a branch of a running sandbox costs, by how much it has written.", [runs],
            (parse, engine, template) => new BranchBenchmark(engine, template).Run(parse.GetValue(runs)));
    }

    private static Command CreateScale(BenchHost host)
    {
        var forks = Number("--forks", "How many are alive at the same time.", 1000);
        var part = new Option<bool>("--part") { Description = "One process of the benchmark; it is told what to do on standard input.", Hidden = true };
        var command = CreateEngine(host, "scale", "Many forks that are alive at the same time: the time until all have answered, and the memory of each.", [forks, part], (parse, engine, template) =>
        {
            if (!parse.GetValue(part)) return RunScale(parse.GetValue(forks), engine.DataDirectory);
            ScaleBenchmark.RunPart(engine, template, parse.GetValue(forks), Console.In, Console.Out);
            return null;
        });
        return command;
    }

    private static Report RunScale(int forks, string dataDirectory) => new ScaleBenchmark(
        share => new ProcessStartInfo(Environment.ProcessPath!, ["bench", "scale", "--part", "--forks", share.ToString(CultureInfo.InvariantCulture), "--data-dir", dataDirectory])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        },
        ForksPerProcess).Run(forks);

    /// <summary><c>ramet bench</c> alone.</summary>
    private static void AddAll(Command command, BenchHost host)
    {
        var folder = new Option<string>("--output") { Description = "Where bench.json and bench.svg go.", DefaultValueFactory = _ => ".", HelpName = "DIR" };
        command.Options.Add(folder);
        command.SetAction(parse => Guard(parse, () =>
        {
            var output = parse.InvocationConfiguration.Output;
            using var engine = host.OpenEngine(parse);
            var template = host.OpenTemplate(engine, TemplateName);
            var all = new JsonObject();
            var fork = Show("fork", new ForkBenchmark(engine, template).Run(200));
            Show("throughput", new ThroughputBenchmark(engine, template).Run(TimeSpan.FromSeconds(20)));
            Show("branch", new BranchBenchmark(engine, template).Run(20));
            Show("scale", RunScale(1000, engine.DataDirectory));
            string directory = Directory.CreateDirectory(parse.GetValue(folder)!).FullName;
            File.WriteAllText(Path.Combine(directory, "bench.json"), all.ToJsonString(s_indented) + "\n");
            File.WriteAllText(Path.Combine(directory, "bench.svg"), Plot.Draw("Time to a fork, and to its answer (microseconds, logarithmic)", fork));
            output.WriteLine($"Written: {Path.Combine(directory, "bench.json")} and bench.svg");

            Report Show(string name, Report report)
            {
                output.WriteLine($"== {name}");
                output.WriteLine(report.ToTable());
                all[name] = report.ToJson();
                return report;
            }
        }));
    }

    private static Command CreateEngine(
        BenchHost host, string name, string text, IReadOnlyList<Option> options, Func<ParseResult, Sandboxes.SandboxEngine, Sandboxes.Template, Report?> run)
    {
        var json = JsonOption();
        var command = new Command(name, text) { json };
        foreach (var option in options) command.Options.Add(option);
        command.SetAction(parse => Guard(parse, () =>
        {
            using var engine = host.OpenEngine(parse);
            if (run(parse, engine, host.OpenTemplate(engine, TemplateName)) is { } report)
                parse.InvocationConfiguration.Output.Write(parse.GetValue(json) ? report.ToJson().ToJsonString() + "\n" : report.ToTable());
        }));
        return command;
    }

    private static Option<int> Number(string name, string text, int usual)
    {
        var option = new Option<int>(name) { Description = text, DefaultValueFactory = _ => usual, HelpName = "N" };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > 1_000_000) result.AddError($"{name} takes a number from 1 to 1000000.");
        });
        return option;
    }
}
