using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Ramet.Cli.Commands;
using Ramet.Cli.Input;
using Ramet.Cli.Output;
using Ramet.Host;
using Ramet.Images;
using Ramet.Sandboxes;

namespace Ramet.Cli;

/// <summary>From arguments to an exit code: 2 for input that cannot be used, 125 for failures of Ramet's own, 128 + n for signals, else the program's.</summary>
internal static class CommandLine
{
    /// <summary>Exit code when Ramet itself fails.</summary>
    public const int Failure = 125;

    /// <summary>Exit code when nobody reads the output any more: that of SIGPIPE.</summary>
    public const int BrokenPipe = 128 + 13;

    private const int Usage = 2;

    // Plain strings and a switch: generic code over tuples or delegates would have to be compiled at start-up.
    private static readonly string[] s_commands = ["exec", "run", "template", "image", "doctor", "completion", "bench", "docs", "serve", "sandbox", "key", "worker"];

    /// <summary>Does what the arguments say.</summary>
    public static int Run(string[] args)
    {
        try
        {
            var root = CreateRoot(args);
            StartupTrace.Mark("commands defined");
            string[] arranged = args is [['[', ..], ..] ? args : ArgumentScan.Arrange(root, args);
            var parse = root.Parse(arranged, new ParserConfiguration { ResponseFileTokenReplacer = null });
            StartupTrace.Mark("arguments parsed");
            if (parse.Action is ParseErrorAction or null) return Refuse(parse);
            return parse.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (Exception e)
        {
            return Report(e);
        }
    }

    /// <summary>The whole tree of commands, or the one that is meant: defining the others would take milliseconds of each run.</summary>
    private static RootCommand CreateRoot(string[] args)
    {
        var globals = new GlobalOptions();
        var root = new RootCommand("Runs untrusted code in KVM virtual machines that are forked from a template.");
        root.Options.Add(globals.DataDirectoryOption);
        root.Options.Add(globals.KvmDeviceOption);
        string first = args.Length == 0 ? "" : args[0] == "sb" ? "sandbox" : args[0];
        foreach (string name in Array.IndexOf(s_commands, first) >= 0 ? [first] : s_commands) root.Subcommands.Add(Create(name, globals));
        foreach (var option in root.Options)
            if (option is HelpOption help) help.Action = new TeachingHelpAction((HelpAction)help.Action!);
        return root;
    }

    private static Command Create(string name, GlobalOptions globals) => name switch
    {
        "exec" => ExecCommand.Create(globals),
        "run" => RunCommand.Create(globals),
        "template" => TemplateCommands.Create(globals),
        "image" => ImageCommands.Create(globals),
        "doctor" => DoctorCommand.Create(globals),
        "bench" => BenchCommand.Create(globals),
        "docs" => DocsCommand.Create(),
        "serve" => ServeCommand.Create(globals),
        "sandbox" => SandboxCommands.Create(globals),
        "key" => KeyCommands.Create(),
        "worker" => WorkerCommand.Create(globals),
        _ => CompletionCommand.Create(globals),
    };

    /// <summary>What could not be parsed: one line.</summary>
    private static int Refuse(ParseResult parse)
    {
        var command = parse.CommandResult.Command;
        if (command.Subcommands.Count > 0 && parse.UnmatchedTokens.Count == 0 && parse.CommandResult.Tokens.Count == 0)
        {
            // A group of commands alone: its help is what helps.
            new TeachingHelpAction(new HelpAction()).Invoke(parse);
            return Usage;
        }

        Message.Write($"{parse.Errors[0].Message.TrimEnd()} See: {ArgumentScan.PathOf(parse.CommandResult)} --help");
        return Usage;
    }

    /// <summary>Tells the user of a failure; gives the exit code for it.</summary>
    public static int Report(Exception exception)
    {
        switch (exception)
        {
            case AggregateException { InnerExceptions: [var inner] }:
                return Report(inner);
            case InterruptedException e:
                return e.ExitCode;
            case OperationCanceledException:
                return 128 + 2;
            case BrokenPipeException:
                return BrokenPipe;
            case UsageException or ImageNotFoundException or ImageSpecException or TemplateNotFoundException:
                Message.Write(exception.Message);
                return Usage;
            case SandboxException e:
                Message.Write(e.Message);
                // As env(1), timeout(1) and shells do: 127 not found, 126 found but not to be run.
                return e.Error switch { Abi.Errno.ENOENT or Abi.Errno.ENOTDIR => 127, Abi.Errno.None => Failure, _ => 126 };
            case ImageException or HostException or IOException or UnauthorizedAccessException:
                Message.Write(exception.Message);
                return Failure;
            default:
                Message.Write(Environment.GetEnvironmentVariable("RAMET_DEBUG") is { Length: > 0 }
                    ? exception.ToString()
                    : $"internal error: {exception.GetType().Name}: {exception.Message} Please report it, with what RAMET_DEBUG=1 shows.");
                return Failure;
        }
    }

    /// <summary>Help, and below it examples of the command.</summary>
    private sealed class TeachingHelpAction(HelpAction inner) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            int code = inner.Invoke(parseResult);
            var output = parseResult.InvocationConfiguration.Output;
            var command = parseResult.CommandResult.Command;
            var (examples, notes) = command is TaughtCommand taught ? (taught.Examples, taught.Notes) : command is RootCommand ? (RootExamples, RootNotes) : ([], null);
            if (notes is not null) output.WriteLine($"{notes}\n");
            if (examples.Length == 0) return code;
            output.WriteLine("Examples:");
            foreach (var (line, meaning) in examples) output.WriteLine($"  {line}\n      {meaning}");
            output.WriteLine();
            return code;
        }
    }

    private static readonly (string, string)[] RootExamples =
    [
        ("ramet exec 'print(1+1)'", "Runs Python in a fork of the template 'python'; the first time makes image and template."),
        ("ramet run -- sh -c 'uname -a; ls /'", "Runs a command of the image in a fresh sandbox."),
        ("ramet sandbox create", "Makes a sandbox that lives on, in a running daemon; see: ramet sandbox --help"),
        ("ramet serve --dev", "Serves the HTTP API on 127.0.0.1:8080, to this machine only."),
        ("ramet doctor", "Checks this machine and says what to do about what is missing."),
    ];

    private const string RootNotes = """
        Exit codes:
          The program's own; 124 when its time was over; 153 when it printed too much; 128+n when signal n ended it.
          2 for input that Ramet cannot use; 125 when Ramet itself failed; 126 and 127 when the program cannot be started.
        """;
}
