using System.CommandLine;
using System.Net.Http;
using System.Text;
using Ramet.Cli.Input;
using Ramet.Cli.Output;
using Ramet.Cli.Remote;
using Ramet.Contracts;
using Ramet.Host;

namespace Ramet.Cli.Commands;

/// <summary>Forks, snapshots, checkpoints, and what comes of them.</summary>
internal static partial class SandboxCommands
{
    private static Command CreateFork(Connect connect)
    {
        var id = Id();
        var count = Text("--count", "-n", "N", "How many. Default: 1.");
        var timeout = Text("--timeout", "-t", "TIME", "After what time they end by themselves. Default: as long as the parent was given.");
        var command = new TaughtCommand("fork", "Makes children that go on from this very point, processes included, and prints their ids. The parent goes on.");
        command.Arguments.Add(id);
        command.Options.Add(count);
        command.Options.Add(timeout);
        command.SetAction(parse =>
        {
            using var daemon = connect(parse);
            int wanted = parse.GetValue(count) is not { } text ? 1
                : int.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int number) ? number : throw new UsageException($"--count takes a number, not '{text}'.");
            var made = daemon.Post(
                Daemon.PathOf(parse.GetValue(id)!, "/fork"), new ForkBody { Count = wanted, TimeoutSeconds = Seconds(parse.GetValue(timeout), "--timeout") },
                ContractsJson.Default.ForkBody, ContractsJson.Default.ForkAnswer);
            StandardStream.Write(1, string.Concat(made.Sandboxes.Select(child => child.Id + "\n")));
            return 0;
        });
        return command;
    }

    private static Command CreateSnapshot(Connect connect)
    {
        var id = new Argument<string?>("ID") { Description = "The sandbox.", Arity = ArgumentArity.ZeroOrOne };
        var name = Text("--name", null, "NAME", "What it is called.");
        var whole = Flag.Create("--whole", null, "Keeps all memory, also what is the template's.");
        var list = Flag.Create("--list", null, "Lists snapshots instead.");
        var delete = Text("--delete", null, "ID", "Removes a snapshot instead.");
        var command = new TaughtCommand("snapshot", "Keeps a sandbox's state on disk and prints the snapshot's id: ramet sandbox create --snapshot goes on from it.");
        command.Arguments.Add(id);
        foreach (var option in (Option[])[name, whole, list, delete]) command.Options.Add(option);
        command.SetAction(parse =>
        {
            using var daemon = connect(parse);
            if (parse.GetValue(delete) is { } unwanted)
            {
                daemon.Delete($"v1/snapshots/{Uri.EscapeDataString(unwanted)}");
                return 0;
            }

            if (parse.Has(list))
            {
                List<string[]> rows = [["ID", "NAME", "FROM", "SIZE", "CREATED"]];
                string? cursor = null;
                do
                {
                    var page = daemon.Get($"v1/snapshots?limit=1000{(cursor is null ? "" : $"&cursor={Uri.EscapeDataString(cursor)}")}", ContractsJson.Default.SnapshotList);
                    rows.AddRange(page.Snapshots.Select(one => (string[])[one.Id, one.Name ?? "-", one.Image is null ? one.Template : $"image {one.Image}", ByteSize.Format(one.SizeBytes), Date(one.Created)]));
                    cursor = page.NextCursor;
                }
                while (cursor is not null);
                StandardStream.Write(1, Table.Format(rows));
                return 0;
            }

            string sandbox = parse.GetValue(id) ?? throw new UsageException("name a sandbox. See: ramet sandbox snapshot --help");
            var made = daemon.Post(
                Daemon.PathOf(sandbox, "/snapshots"), new SnapshotBody { Name = parse.GetValue(name), Whole = parse.Has(whole) }, ContractsJson.Default.SnapshotBody, ContractsJson.Default.SnapshotAnswer);
            StandardStream.Write(1, made.Id + "\n");
            return 0;
        });
        return command;
    }

    private static Command CreateCheckpoint(Connect connect)
    {
        var id = Id();
        var name = Text("--name", null, "NAME", "What it is called; it can be named instead of its id.");
        var list = Flag.Create("--list", null, "Lists its checkpoints instead.");
        var delete = Text("--delete", null, "CHECKPOINT", "Forgets a checkpoint instead.");
        var command = new TaughtCommand("checkpoint", "Keeps this point of a sandbox, to go back to with rewind, and prints its id.");
        command.Arguments.Add(id);
        foreach (var option in (Option[])[name, list, delete]) command.Options.Add(option);
        command.SetAction(parse =>
        {
            using var daemon = connect(parse);
            string path = Daemon.PathOf(parse.GetValue(id)!, "/checkpoints");
            if (parse.GetValue(delete) is { } unwanted)
            {
                daemon.Delete($"{path}/{Uri.EscapeDataString(unwanted)}");
                return 0;
            }

            if (parse.Has(list))
            {
                List<string[]> rows = [["ID", "NAME", "MEMORY", "CREATED"]];
                rows.AddRange(daemon.Get(path, ContractsJson.Default.CheckpointList).Checkpoints.Select(one => (string[])[one.Id, one.Name ?? "-", ByteSize.Format(one.MemoryBytes), Date(one.Created)]));
                StandardStream.Write(1, Table.Format(rows));
                return 0;
            }

            StandardStream.Write(1, daemon.Post(path, new CheckpointBody { Name = parse.GetValue(name) }, ContractsJson.Default.CheckpointBody, ContractsJson.Default.CheckpointAnswer).Id + "\n");
            return 0;
        });
        return command;
    }

    private static Command CreateRewind(Connect connect)
    {
        var id = Id();
        var checkpoint = new Argument<string>("CHECKPOINT") { Description = "Id or name of the checkpoint." };
        var command = new TaughtCommand("rewind", "Goes back to a checkpoint: files, processes and variables are as they were.");
        command.Arguments.Add(id);
        command.Arguments.Add(checkpoint);
        command.SetAction(parse =>
        {
            using var daemon = connect(parse);
            daemon.Post(Daemon.PathOf(parse.GetValue(id)!, "/rewind"), new RewindBody { Checkpoint = parse.GetValue(checkpoint)! }, ContractsJson.Default.RewindBody, ContractsJson.Default.SandboxAnswer);
            return 0;
        });
        return command;
    }

    private static Command CreateDiff(Connect connect)
    {
        var id = Id();
        var from = new Argument<string>("FROM") { Description = "A checkpoint." };
        var to = new Argument<string?>("TO") { Description = "A checkpoint, or now.", Arity = ArgumentArity.ZeroOrOne };
        var json = Flag.Create("--json", null, "Prints JSON, with contents of files in base64.");
        var command = new TaughtCommand("diff", "What differs between a checkpoint and another, or now: files (+ added, ~ changed, - removed), processes, memory.");
        command.Arguments.Add(id);
        command.Arguments.Add(from);
        command.Arguments.Add(to);
        command.Options.Add(json);
        command.SetAction(parse =>
        {
            using var daemon = connect(parse);
            var diff = daemon.Get(
                Daemon.PathOf(parse.GetValue(id)!, $"/diff?from={Uri.EscapeDataString(parse.GetValue(from)!)}&to={Uri.EscapeDataString(parse.GetValue(to) ?? "now")}&content={(parse.Has(json) ? "true" : "false")}"),
                ContractsJson.Default.DiffAnswer);
            if (parse.Has(json)) return Show(diff);
            var text = new StringBuilder();
            foreach (var file in diff.Files)
                text.Append(file.Change switch { "added" => '+', "removed" => '-', _ => '~' }).Append(' ').Append(file.Path).Append(file.Kind == "directory" ? "/" : "").Append(Sizes(file)).Append('\n');
            if (diff.Truncated) text.Append("  and more\n");
            foreach (var process in diff.Processes.Started) text.Append("+ process ").Append(process.Pid).Append(": ").AppendJoin(' ', process.Command).Append('\n');
            foreach (var process in diff.Processes.Ended) text.Append("- process ").Append(process.Pid).Append(": ").AppendJoin(' ', process.Command).Append('\n');
            text.Append($"memory: {ByteSize.Format(diff.Memory.BytesBefore)} -> {ByteSize.Format(diff.Memory.BytesAfter)}, {diff.Memory.PagesChanged} pages differ\n");
            StandardStream.Write(1, text.ToString());
            return 0;
        });
        return command;
    }

    private static string Sizes(FileDifference file) => file.Kind != "file" ? "" : (file.SizeBefore, file.SizeAfter) switch
    {
        ({ } before, { } after) when before != after => $" ({ByteSize.Format(before)} -> {ByteSize.Format(after)})",
        (_, { } size) => $" ({ByteSize.Format(size)})",
        ({ } size, _) => $" ({ByteSize.Format(size)})",
        _ => "",
    };

    private static Command CreateSave(Connect connect)
    {
        var id = Id();
        var file = new Argument<string>("FILE") { Description = "Where to." };
        var whole = Flag.Create("--whole", null, "With all memory, also what is the template's: for another machine, or another build of the template.");
        var command = new TaughtCommand("save", "Saves a sandbox, as it is now, to a file. It goes on.") { Examples = [("ramet sandbox save $ID work.ramet && ID=$(ramet sandbox restore work.ramet)", "Another that goes on from there.")] };
        command.Arguments.Add(id);
        command.Arguments.Add(file);
        command.Options.Add(whole);
        command.SetAction(parse =>
        {
            using var daemon = connect(parse);
            string path = Path.GetFullPath(parse.GetValue(file)!);
            var made = daemon.Post(Daemon.PathOf(parse.GetValue(id)!, "/snapshots"), new SnapshotBody { Whole = parse.Has(whole) }, ContractsJson.Default.SnapshotBody, ContractsJson.Default.SnapshotAnswer);
            try
            {
                using var response = daemon.Send(new HttpRequestMessage(HttpMethod.Get, $"v1/snapshots/{made.Id}/file"));
                using var content = response.Content.ReadAsStream();
                WholeFile.Write(path, UnixFileMode.UserRead | UnixFileMode.UserWrite, target =>
                {
                    byte[] piece = new byte[1 << 17];
                    for (int count; (count = content.Read(piece)) > 0;) target.WriteAll(piece.AsSpan(0, count));
                });
            }
            finally
            {
                daemon.Delete($"v1/snapshots/{made.Id}");
            }

            return 0;
        });
        return command;
    }

    private static Command CreateRestore(Connect connect)
    {
        var file = new Argument<string>("FILE") { Description = "What ramet sandbox save has written." };
        var timeout = Text("--timeout", "-t", "TIME", "After what time it ends by itself. Default: 5m.");
        var command = new TaughtCommand("restore", "Makes a sandbox that goes on from where one was saved, and prints its id.");
        command.Arguments.Add(file);
        command.Options.Add(timeout);
        command.SetAction(parse =>
        {
            using var daemon = connect(parse);
            using var source = OpenLocal(parse.GetValue(file)!);
            using var upload = daemon.Send(new HttpRequestMessage(HttpMethod.Post, "v1/snapshots") { Content = new StreamContent(source) });
            using var answer = upload.Content.ReadAsStream();
            string snapshot = System.Text.Json.JsonSerializer.Deserialize(answer, ContractsJson.Default.SnapshotAnswer)!.Id;
            try
            {
                var made = daemon.Post(
                    "v1/sandboxes", new SandboxBody { Snapshot = snapshot, TimeoutSeconds = Seconds(parse.GetValue(timeout), "--timeout") }, ContractsJson.Default.SandboxBody, ContractsJson.Default.SandboxAnswer);
                StandardStream.Write(1, made.Id + "\n");
                return 0;
            }
            finally
            {
                daemon.Delete($"v1/snapshots/{snapshot}");
            }
        });
        return command;
    }
}
