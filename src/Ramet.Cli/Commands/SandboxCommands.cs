using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Ramet.Cli.Input;
using Ramet.Cli.Output;
using Ramet.Cli.Remote;
using Ramet.Contracts;

namespace Ramet.Cli.Commands;

/// <summary><c>ramet sandbox</c> (<c>sb</c>): sandboxes that live on, in a running daemon.</summary>
internal static partial class SandboxCommands
{
    private static readonly JsonSerializerOptions s_indented = new(ContractsJson.Default.Options) { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Defines the commands.</summary>
    public static Command Create(GlobalOptions globals)
    {
        var server = new Option<string?>("--server")
        {
            Description = "The server: HOST:PORT, a URL, or unix:/PATH. Else RAMET_SERVER, the daemon of the data directory, 127.0.0.1:8080.", HelpName = "ADDRESS", Recursive = true,
        };
        var group = new TaughtCommand("sandbox", "Sandboxes that live on between calls, in a running daemon (ramet serve). RAMET_API_KEY is sent as key.")
        {
            Examples =
            [
                ("ID=$(ramet sandbox create)", "A sandbox from the template python; its id alone goes to stdout."),
                ("ramet sandbox run $ID 'x = 41' && ramet sb run $ID 'x + 1'", "Code in its warm interpreter; prints 42."),
                ("ramet sb exec -t $ID bash", "A shell beside it."),
                ("ramet sb fork $ID -n 8", "Eight that go on from this very point."),
                ("ramet sb checkpoint $ID --name before && ramet sb run $ID 'open(\"/tmp/f\",\"w\")' && ramet sb diff $ID before", "What that has changed."),
            ],
        };
        group.Aliases.Add("sb");
        group.Options.Add(server);
        Connect connect = parse => new Daemon(DaemonAddress.Find(parse.GetValue(server), globals.DataDirectory(parse)));
        foreach (var command in (Command[])
            [
                CreateCreate(connect), CreateList(connect), CreateGet(connect), CreateRemove(connect), CreateExec(connect), CreateRun(connect), CreateCopy(connect),
                CreateSimple(connect, "pause", "Pauses sandboxes: they are written to disk, and go on when they are resumed."),
                CreateSimple(connect, "resume", "Resumes paused sandboxes."),
                CreateFork(connect), CreateSnapshot(connect), CreateCheckpoint(connect), CreateRewind(connect), CreateDiff(connect), CreateSave(connect), CreateRestore(connect),
                CreateShow(connect, "logs", "What happened to a sandbox and ran in it, and the last output of its interpreter."), CreateShow(connect, "metrics", "What a sandbox has used, as JSON."),
            ])
        {
            group.Subcommands.Add(command);
        }

        return group;
    }

    private delegate Daemon Connect(ParseResult parse);

    private static Argument<string> Id() => new("ID") { Description = "The sandbox." };

    private static Option<string?> Text(string name, string? alias, string value, string description) => new(name, alias is null ? [] : [alias]) { Description = description, HelpName = value };

    private static Command CreateCreate(Connect connect)
    {
        var template = Text("--template", null, "NAME", "The template. Default: python.");
        var image = Text("--image", null, "NAME", "Instead: an image; processes and files only.");
        var snapshot = Text("--snapshot", null, "ID", "Instead: a snapshot to go on from.");
        var memory = Text("--memory", "-m", "SIZE", "Memory of programs, and files that they write. Default: the server's.");
        var timeout = Text("--timeout", "-t", "TIME", "After what time it ends by itself. Default: 5m.");
        var pause = Text("--auto-pause", null, "TIME", "Pauses it when nobody has used it for so long; the next use resumes it.");
        var directory = Text("--workdir", "-w", "DIR", "Working directory.");
        var environment = new Option<string[]>("--env", "-e") { Description = "Sets a variable. May be repeated.", HelpName = "NAME=VALUE", AllowMultipleArgumentsPerToken = false };
        var metadata = new Option<string[]>("--metadata") { Description = "Notes something with it. May be repeated.", HelpName = "NAME=VALUE", AllowMultipleArgumentsPerToken = false };
        var checkpoints = Flag.Create("--checkpoint-every-run", null, "Makes a checkpoint before each run.");
        var command = new TaughtCommand("create", "Makes a sandbox and prints its id.");
        foreach (var option in (Option[])[template, image, snapshot, memory, timeout, pause, directory, environment, metadata, checkpoints]) command.Options.Add(option);
        command.SetAction(parse =>
        {
            using var daemon = connect(parse);
            var made = daemon.Post(
                "v1/sandboxes",
                new SandboxBody
                {
                    Template = parse.GetValue(template),
                    Image = parse.GetValue(image),
                    Snapshot = parse.GetValue(snapshot),
                    MemoryMb = parse.GetValue(memory) is { } size ? Megabytes(size) : null,
                    TimeoutSeconds = Seconds(parse.GetValue(timeout), "--timeout"),
                    AutoPauseSeconds = Seconds(parse.GetValue(pause), "--auto-pause"),
                    Cwd = parse.GetValue(directory),
                    Env = Pairs(parse.GetValue(environment), "--env"),
                    Metadata = Pairs(parse.GetValue(metadata), "--metadata"),
                    CheckpointEveryRun = parse.Has(checkpoints),
                },
                ContractsJson.Default.SandboxBody,
                ContractsJson.Default.SandboxAnswer);
            StandardStream.Write(1, made.Id + "\n");
            return 0;
        });
        return command;
    }

    private static Command CreateList(Connect connect)
    {
        var json = Flag.Create("--json", null, "Prints JSON, one object a line.");
        var command = new TaughtCommand("ls", "Lists sandboxes.");
        command.Options.Add(json);
        command.SetAction(parse =>
        {
            using var daemon = connect(parse);
            List<string[]> rows = [["ID", "FROM", "STATE", "MEMORY", "CREATED", "EXPIRES"]];
            string? cursor = null;
            do
            {
                var page = daemon.Get($"v1/sandboxes?limit=1000{(cursor is null ? "" : $"&cursor={Uri.EscapeDataString(cursor)}")}", ContractsJson.Default.SandboxList);
                foreach (var sandbox in page.Sandboxes)
                {
                    if (parse.Has(json)) StandardStream.Write(1, JsonSerializer.Serialize(sandbox, ContractsJson.Default.SandboxAnswer) + "\n");
                    else rows.Add([sandbox.Id, sandbox.Image is null ? sandbox.Template : $"image {sandbox.Image}", sandbox.State, $"{sandbox.MemoryUsedMb:0} of {sandbox.MemoryMb:0} MiB", Date(sandbox.Created), Date(sandbox.Expires)]);
                }

                cursor = page.NextCursor;
            }
            while (cursor is not null);
            if (!parse.Has(json)) StandardStream.Write(1, Table.Format(rows));
            return 0;
        });
        return command;
    }

    private static Command CreateGet(Connect connect)
    {
        var id = Id();
        var command = new TaughtCommand("get", "Prints what is known of a sandbox, as JSON.");
        command.Arguments.Add(id);
        command.SetAction(parse =>
        {
            using var daemon = connect(parse);
            return Show(daemon.Get(Daemon.PathOf(parse.GetValue(id)!), ContractsJson.Default.SandboxAnswer));
        });
        return command;
    }

    private static Command CreateRemove(Connect connect)
    {
        var ids = new Argument<string[]>("ID") { Description = "The sandboxes.", Arity = ArgumentArity.OneOrMore };
        var command = new TaughtCommand("rm", "Ends sandboxes; nothing is left of them.");
        command.Arguments.Add(ids);
        command.SetAction(parse =>
        {
            using var daemon = connect(parse);
            foreach (string id in parse.GetValue(ids)!) daemon.Delete(Daemon.PathOf(id));
            return 0;
        });
        return command;
    }

    private static Command CreateSimple(Connect connect, string name, string description)
    {
        var ids = new Argument<string[]>("ID") { Description = "The sandboxes.", Arity = ArgumentArity.OneOrMore };
        var command = new TaughtCommand(name, description);
        command.Arguments.Add(ids);
        command.SetAction(parse =>
        {
            using var daemon = connect(parse);
            foreach (string id in parse.GetValue(ids)!) daemon.Post(Daemon.PathOf(id, "/" + name), ContractsJson.Default.SandboxAnswer);
            return 0;
        });
        return command;
    }

    private static Command CreateShow(Connect connect, string name, string description)
    {
        var id = Id();
        var command = new TaughtCommand(name, description);
        command.Arguments.Add(id);
        command.SetAction(parse =>
        {
            using var daemon = connect(parse);
            string path = Daemon.PathOf(parse.GetValue(id)!, "/" + name);
            if (name == "metrics") return Show(daemon.Get(path, ContractsJson.Default.SandboxMetrics));
            var logs = daemon.Get(path, ContractsJson.Default.SandboxLogs);
            foreach (var entry in logs.Events)
                StandardStream.Write(1, $"{entry.Time.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)} {entry.Event,-10} {entry.Text.ReplaceLineEndings("\\n")}\n");
            if (logs.Output.Length > 0) StandardStream.Write(1, $"--- output\n{logs.Output}");
            return 0;
        });
        return command;
    }

    private static int Show<T>(T value)
    {
        StandardStream.Write(1, JsonSerializer.Serialize(value, (JsonTypeInfo<T>)s_indented.GetTypeInfo(typeof(T))) + "\n");
        return 0;
    }

    private static int Megabytes(string text) => ByteSize.TryParse(text, out ulong bytes) && bytes >> 20 is > 0 and < int.MaxValue
        ? (int)(bytes >> 20)
        : throw new UsageException($"'{text}' is not a size for --memory: {ByteSize.Accepted}.");

    private static double? Seconds(string? text, string option)
    {
        if (text is null) return null;
        return Duration.TryParse(text, out var duration) ? duration.TotalSeconds : throw new UsageException($"'{text}' is not a duration for {option}: {Duration.Accepted}.");
    }

    private static Dictionary<string, string>? Pairs(string[]? settings, string option)
    {
        if (settings is not { Length: > 0 }) return null;
        var pairs = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string setting in settings)
        {
            int equals = setting.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0) throw new UsageException($"{option} '{setting}': write NAME=VALUE.");
            pairs[setting[..equals]] = setting[(equals + 1)..];
        }

        return pairs;
    }

    private static string Date(DateTimeOffset time) => time.ToLocalTime().ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);
}
