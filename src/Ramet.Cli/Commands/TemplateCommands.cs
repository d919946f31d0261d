using System.CommandLine;
using System.Globalization;
using Ramet.Cli.Input;
using Ramet.Cli.Output;
using Ramet.Sandboxes;

namespace Ramet.Cli.Commands;

/// <summary><c>ramet template</c>: what sandboxes are forked from.</summary>
internal static class TemplateCommands
{
    /// <summary>Defines the commands.</summary>
    public static Command Create(GlobalOptions globals)
    {
        var group = new TaughtCommand("template", "Templates: runtimes that have started and wait for code, frozen; sandboxes are forked from them.")
        {
            Examples =
            [
                ("ramet template build python", "Builds the template again, and the image first if need be."),
                ("ramet template ls", "Templates on disk."),
            ],
        };
        group.Subcommands.Add(CreateBuild(globals));
        group.Subcommands.Add(CreateList(globals));
        group.Subcommands.Add(CreateInspect(globals));
        group.Subcommands.Add(CreateRemove(globals));
        return group;
    }

    private static Argument<string> NameArgument(string description)
    {
        var name = new Argument<string>("NAME") { Description = description };
        name.CompletionSources.Add(_ => TemplateStore.KnownNames.Select(known => new System.CommandLine.Completions.CompletionItem(known)));
        return name;
    }

    private static Command CreateBuild(GlobalOptions globals)
    {
        var name = NameArgument("The template, such as python.");
        var from = new Option<string?>("--from") { Description = "Builds it on this template: a fork of that runs the script, and is frozen.", HelpName = "TEMPLATE" };
        from.CompletionSources.Add(_ => TemplateStore.KnownNames.Select(known => new System.CommandLine.Completions.CompletionItem(known)));
        var script = new Option<string?>("--script") { Description = "Code that warms it up. What it imports and defines is there in every sandbox.", HelpName = "FILE" };
        var image = new Option<string?>("--image") { Description = "Starts the runtime of --from in this image first.", HelpName = "NAME" };
        var command = new TaughtCommand("build", "Builds a template anew. 'exec' does so by itself when it is missing, damaged or out of date.")
        {
            Notes = """
                Notes:
                  A template on another is built again by itself when what is below it changes: its script is kept.
                """,
            Examples =
            [
                ("ramet template build python", ""),
                ("echo 'import sqlite3, http.server' >warm.py && ramet template build mine --from python --script warm.py && ramet exec --template mine 'print(sqlite3)'", "A template on another."),
            ],
        };
        var sandbox = new Option<string?>("--from-sandbox") { Description = "Makes it of a sandbox of a running daemon, as it is. It is the key's own, and known to that daemon.", HelpName = "ID" };
        var server = new Option<string?>("--server") { Description = "The daemon of --from-sandbox. Else RAMET_SERVER, the daemon of the data directory, 127.0.0.1:8080.", HelpName = "ADDRESS" };
        command.Arguments.Add(name);
        foreach (var option in (Option[])[from, script, image, sandbox, server]) command.Options.Add(option);
        command.SetAction(parse =>
        {
            string wanted = parse.GetValue(name)!;
            string? below = parse.GetValue(from), file = parse.GetValue(script);
            if (parse.GetValue(sandbox) is { } id)
            {
                if (below is not null || file is not null) throw new UsageException("a template is built on a template (--from, --script) or of a sandbox (--from-sandbox), not both.");
                return BuildFromSandbox(Remote.DaemonAddress.Find(parse.GetValue(server), globals.DataDirectory(parse)), wanted, id);
            }

            if ((below is null) != (file is null)) throw new UsageException("--from and --script go together: a template on another is what a script has made of a fork of it.");
            if (below is null && parse.GetValue(image) is not null) throw new UsageException("--image goes with --from and --script.");
            string? code = file is null ? null : ReadScript(file);
            using var interruption = new Interruption();
            using var engine = Engine.Open(globals.DataDirectory(parse), globals.KvmDevice(parse));
            var template = Engine.Build(interruption, (progress, token) => below is null
                ? engine.Templates.BuildAsync(wanted, progress, token)
                : engine.Templates.ExtendAsync(wanted, below, code!, parse.GetValue(image), progress, token));
            var manifest = template.Manifest;
            Message.Write(string.Create(
                CultureInfo.InvariantCulture,
                $"template '{manifest.Name}' is ready after {manifest.BuildMilliseconds / 1000.0:0.00} s: {ByteSize.Format(manifest.UsedBytes)} of memory{(manifest.FromId is null ? "" : $" that differs from '{manifest.From}'")}, {ByteSize.Format(manifest.StateBytes)} of kernel state."));
            return 0;
        });
        return command;
    }

    private static int BuildFromSandbox(Remote.DaemonAddress address, string name, string sandbox)
    {
        using var daemon = new Remote.Daemon(address);
        var made = daemon.Post("v1/templates", new Contracts.TemplateBody { Name = name, Sandbox = sandbox }, Contracts.ContractsJson.Default.TemplateBody, Contracts.ContractsJson.Default.TemplateAnswer);
        Message.Write(string.Create(
            CultureInfo.InvariantCulture, $"template '{made.Name}' is ready in the daemon after {(made.BuildMs ?? 0) / 1000:0.00} s: {ByteSize.Format(made.SizeBytes ?? 0)}. Use it there: ramet sandbox create --template {made.Name}"));
        return 0;
    }

    private static string ReadScript(string path)
    {
        try
        {
            return path == "-" ? System.Text.Encoding.UTF8.GetString(StandardStream.ReadAllInput()) : File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"cannot read '{path}': {(e is FileNotFoundException or DirectoryNotFoundException ? "no such file" : e.Message)}");
        }
    }

    private static Command CreateList(GlobalOptions globals)
    {
        var command = new TaughtCommand("ls", "Lists templates on disk.");
        command.SetAction(parse =>
        {
            var store = new TemplateStore(globals.DataDirectory(parse));
            var found = store.List();
            List<string[]> rows = [["NAME", "RUNTIME", "IMAGE", "MEMORY", "STATE", "CREATED"]];
            rows.AddRange(found.Select(template => (string[])
            [
                template.Name, template.Runtime, template.Image, ByteSize.Format(template.UsedBytes), ByteSize.Format(template.StateBytes), Date(template.Created),
            ]));
            rows.AddRange(TemplateStore.KnownNames.Except(found.Select(template => template.Name), StringComparer.Ordinal).Select(name => (string[])[name, "-", "-", "-", "-", "not built yet"]));
            StandardStream.Write(1, Table.Format(rows));
            return 0;
        });
        return command;
    }

    private static Command CreateInspect(GlobalOptions globals)
    {
        var name = NameArgument("The template.");
        var command = new TaughtCommand("inspect", "Prints what is known of a template, as JSON.");
        command.Arguments.Add(name);
        command.SetAction(parse =>
        {
            string wanted = parse.GetValue(name)!;
            var store = new TemplateStore(globals.DataDirectory(parse));
            StandardStream.Write(1, store.ReadManifest(wanted).ToJson() + "\n");
            return 0;
        });
        return command;
    }

    private static Command CreateRemove(GlobalOptions globals)
    {
        var names = new Argument<string[]>("NAME") { Description = "The templates.", Arity = ArgumentArity.OneOrMore };
        var command = new TaughtCommand("rm", "Removes templates from disk. What runs goes on.");
        command.Arguments.Add(names);
        command.SetAction(parse =>
        {
            var store = new TemplateStore(globals.DataDirectory(parse));
            int code = 0;
            foreach (string name in parse.GetValue(names)!)
            {
                if (store.Remove(name)) continue;
                Message.Write($"no template '{name}' on disk. See: ramet template ls");
                code = 2;
            }

            return code;
        });
        return command;
    }

    private static string Date(DateTimeOffset time) => time.ToLocalTime().ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);
}
