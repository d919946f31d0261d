using System.CommandLine;
using System.CommandLine.Completions;
using System.Globalization;
using Ramet.Cli.Input;
using Ramet.Cli.Output;
using Ramet.Images;
using Ramet.Sandboxes;

namespace Ramet.Cli.Commands;

/// <summary><c>ramet image</c>: the files that sandboxes begin with.</summary>
internal static class ImageCommands
{
    /// <summary>Defines the commands.</summary>
    public static Command Create(GlobalOptions globals)
    {
        var group = new TaughtCommand("image", "Images: the files that sandboxes begin with, made of Debian packages.")
        {
            Examples =
            [
                ("ramet image build tools.yaml", "Builds an image from a specification."),
                ("ramet image ls", "Images on disk."),
            ],
        };
        group.Subcommands.Add(CreateBuild(globals));
        group.Subcommands.Add(CreateList(globals));
        group.Subcommands.Add(CreateInspect(globals));
        group.Subcommands.Add(CreateVerify(globals));
        group.Subcommands.Add(CreateRemove(globals));
        return group;
    }

    /// <summary>Names of images, for completion.</summary>
    public static IEnumerable<CompletionItem> CompleteNames(GlobalOptions globals, CompletionContext context)
    {
        try
        {
            return [.. new ImageStore(globals.DataDirectory(context.ParseResult)).List().Union(BuiltInSpecs.Names, StringComparer.Ordinal).Select(name => new CompletionItem(name))];
        }
        catch (Exception e) when (e is UsageException or IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static Argument<string[]> NamesArgument(GlobalOptions globals)
    {
        var names = new Argument<string[]>("NAME") { Description = "The images.", Arity = ArgumentArity.OneOrMore };
        names.CompletionSources.Add(context => CompleteNames(globals, context));
        return names;
    }

    private static Command CreateBuild(GlobalOptions globals)
    {
        var file = new Argument<string>("FILE") { Description = "The specification, or the name of a built-in image, such as python." };
        var command = new TaughtCommand("build", "Builds an image with apt and dpkg's own tools, in the data directory; nothing else on this machine is touched.")
        {
            Notes = """
                A specification is YAML:
                  name: tools
                  packages: [gcc, make, python3=3.11.2-1+b1]
                  suite: bookworm            # optional: this machine's own
                  base: debian               # optional: 'none' leaves out shell and coreutils
                  env: {LANG: C.UTF-8}       # optional
                  workdir: /work             # optional
                """,
            Examples = [("ramet image build tools.yaml && ramet run --image tools -- gcc --version", "")],
        };
        command.Arguments.Add(file);
        command.SetAction(parse =>
        {
            using var interruption = new Interruption();
            string source = parse.GetValue(file)!;
            var spec = !File.Exists(source) && BuiltInSpecs.Contains(source) ? BuiltInSpecs.Get(source) : ImageSpecParser.ParseFile(source);
            var store = new ImageStore(globals.DataDirectory(parse), PythonByteCode.StoreOptions(globals.KvmDevice(parse)));
            using var image = Engine.Build(interruption, (progress, token) => store.BuildAsync(spec, progress, token));
            Message.Write($"image '{spec.Name}' is ready: {image.NodeCount.ToString("N0", CultureInfo.InvariantCulture)} files, {ByteSize.Format(image.DataLength)}.");
            return 0;
        });
        return command;
    }

    private static Command CreateList(GlobalOptions globals)
    {
        var command = new TaughtCommand("ls", "Lists images on disk, and built-in ones that are not built yet.");
        command.SetAction(parse =>
        {
            var store = new ImageStore(globals.DataDirectory(parse));
            List<string[]> rows = [["NAME", "SIZE", "FILES", "PACKAGES", "SUITE", "CREATED"]];
            var names = store.List();
            foreach (string name in names)
            {
                try
                {
                    var manifest = store.ReadManifest(name);
                    rows.Add(
                    [
                        name, ByteSize.Format(manifest.DataLength), manifest.FileCount.ToString("N0", CultureInfo.InvariantCulture),
                        manifest.Packages.Count.ToString(CultureInfo.InvariantCulture), manifest.Suite, manifest.Created.ToLocalTime().ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture),
                    ]);
                }
                catch (ImageCorruptException)
                {
                    rows.Add([name, "-", "-", "-", "-", "damaged"]);
                }
            }

            rows.AddRange(BuiltInSpecs.Names.Except(names, StringComparer.Ordinal).Select(name => (string[])[name, "-", "-", "-", "-", "not built yet"]));
            StandardStream.Write(1, Table.Format(rows));
            return 0;
        });
        return command;
    }

    private static Command CreateInspect(GlobalOptions globals)
    {
        var name = new Argument<string>("NAME") { Description = "The image." };
        name.CompletionSources.Add(context => CompleteNames(globals, context));
        var command = new TaughtCommand("inspect", "Prints what an image is made of, as JSON.");
        command.Arguments.Add(name);
        command.SetAction(parse =>
        {
            var store = new ImageStore(globals.DataDirectory(parse));
            string wanted = parse.GetValue(name)!;
            // Read first: a damaged or unknown one gets its message.
            _ = store.ReadManifest(wanted);
            StandardStream.Write(1, File.ReadAllBytes(Path.Combine(store.DirectoryOf(wanted), "image.json")));
            return 0;
        });
        return command;
    }

    private static Command CreateVerify(GlobalOptions globals)
    {
        var names = NamesArgument(globals);
        var command = new TaughtCommand("verify", "Reads all of an image and compares its checksums.");
        command.Arguments.Add(names);
        command.SetAction(parse =>
        {
            using var interruption = new Interruption();
            var store = new ImageStore(globals.DataDirectory(parse));
            foreach (string name in parse.GetValue(names)!)
            {
                using var image = store.Open(name);
                image.Verify(null, interruption.Token);
                StandardStream.Write(1, $"{name}: {ByteSize.Format(image.DataLength)} as built\n");
            }

            return 0;
        });
        return command;
    }

    private static Command CreateRemove(GlobalOptions globals)
    {
        var names = NamesArgument(globals);
        var command = new TaughtCommand("rm", "Removes images from disk. What uses them goes on.");
        command.Arguments.Add(names);
        command.SetAction(parse =>
        {
            using var interruption = new Interruption();
            var store = new ImageStore(globals.DataDirectory(parse));
            int code = 0;
            foreach (string name in parse.GetValue(names)!)
            {
                if (store.RemoveAsync(name, interruption.Token).GetAwaiter().GetResult()) continue;
                Message.Write($"no image '{name}' on disk. See: ramet image ls");
                code = 2;
            }

            return code;
        });
        return command;
    }
}
