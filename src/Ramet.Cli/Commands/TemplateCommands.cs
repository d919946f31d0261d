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
        var command = new TaughtCommand("build", "Builds a template anew. 'exec' does so by itself when it is missing, damaged or out of date.") { Examples = [("ramet template build python", "")] };
        command.Arguments.Add(name);
        command.SetAction(parse =>
        {
            using var interruption = new Interruption();
            using var engine = Engine.Open(globals.DataDirectory(parse), globals.KvmDevice(parse));
            var template = Engine.Build(interruption, (progress, token) => engine.Templates.BuildAsync(parse.GetValue(name)!, progress, token));
            Message.Write($"template '{template.Manifest.Name}' is ready: {ByteSize.Format(template.Manifest.UsedBytes)} of memory, {ByteSize.Format(template.Manifest.StateBytes)} of kernel state.");
            return 0;
        });
        return command;
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
