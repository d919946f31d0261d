using System.CommandLine;
using Ramet.Cli.Input;
using Ramet.Cli.Output;
using Ramet.Kernel;
using Ramet.Sandboxes;

namespace Ramet.Cli.Commands;

/// <summary><c>ramet run</c>: a command of an image in a fresh sandbox.</summary>
internal static class RunCommand
{
    /// <summary>Defines the command.</summary>
    public static Command Create(GlobalOptions globals)
    {
        var image = new Option<string>("--image") { Description = "The image.", HelpName = "NAME", DefaultValueFactory = _ => "python" };
        image.CompletionSources.Add(context => ImageCommands.CompleteNames(globals, context));
        var environment = new Option<string[]>("--env", "-e") { Description = "Sets a variable; without '=', passes this shell's on. May be repeated.", HelpName = "NAME=VALUE", AllowMultipleArgumentsPerToken = false };
        var directory = new Option<string?>("--workdir", "-w") { Description = "Working directory. Default: the image's.", HelpName = "DIR" };
        var interactive = Flag.Create("--interactive", "-i", "Passes stdin on even when it is a terminal. Other stdin is always passed on.");
        var user = new Option<string?>("--user", "-u") { Description = "Runs as this user of the image, by name or number. Default: root.", HelpName = "USER[:GROUP]" };
        var tty = Flag.Create("--tty", null, "Gives the program a terminal: this one, if it is one, in raw mode; else input is typed into it.");
        var strace = Flag.Create("--strace", null, "Prints each system call, with arguments and result, on stderr.");
        var stats = Flag.Create("--stats", null, "Prints times, memory, system calls and faults on stderr at the end.");
        var limits = new LimitOptions(512UL << 20, timeout: null);
        var words = new Argument<string[]>("COMMAND") { Description = "The program, and its arguments.", Arity = ArgumentArity.ZeroOrMore };
        var command = new TaughtCommand("run", "Runs a command of an image in a fresh sandbox.")
        {
            TakesProgram = true,
            Notes = """
                Notes:
                  The sandbox begins with the image's files and loses what it wrote when it ends. Ramet's options end at the first
                  word that is not one, or at '--'. stdin, stdout and stderr are passed on as they are, and so is the exit code.
                  A daemon that runs does it, if it knows all that is asked for (not --user, --cpus, --strace, --stats).
                """,
            Examples =
            [
                ("ramet run -- python3 -c 'print(1+1)'", "Python from the image, started from nothing."),
                ("echo 'a b c' | ramet run -- wc -w", "Input, output and exit code are the program's."),
                ("ramet run -m 64M -t 5s -e LANG=C -w /tmp -- sh -c 'pwd; env'", "Limits, environment and working directory."),
                ("ramet run --tty -u nobody -- bash", "A shell in a terminal, as another user."),
                ("ramet run --strace -- cat /etc/hostname", "What the program asks the kernel for."),
            ],
        };
        var server = new Option<string?>("--server") { Description = "A daemon to run it: HOST:PORT, a URL, or unix:/PATH. Else RAMET_SERVER; else the daemon of the data directory, if it runs.", HelpName = "ADDRESS" };
        foreach (var option in (Option[])[image, environment, directory, user, interactive, tty, strace, stats, server])
            command.Options.Add(option);
        limits.AddTo(command);
        command.Arguments.Add(words);
        command.SetAction(parse =>
        {
            string[] program = parse.GetValue(words) ?? [];
            string? workingDirectory = parse.GetValue(directory);
            if (program.Length == 0 || program[0].Length == 0) throw new UsageException("no COMMAND given: name a program, such as: ramet run -- ls /");
            if (workingDirectory is not (null or ['/', ..])) throw new UsageException($"--workdir '{workingDirectory}' is not an absolute path.");
            var variables = ReadEnvironment(parse.GetValue(environment) ?? []);
            var output = new OutputPassthrough();
            var options = limits.Read(parse) with { Output = output, Tracer = parse.Has(strace) ? new StraceWriter() : null };
            bool isForDaemons = options.Tracer is null && !parse.Has(stats) && parse.GetValue(user) is null && Remote.DaemonLimits.Know(options);
            return (isForDaemons ? TryDaemon(parse.GetValue(server), globals.DataDirectory(parse), parse.GetValue(image)!, program, variables, workingDirectory, parse.Has(interactive), parse.Has(tty), options) : null)
                ?? output.Conclude(Run(
                    globals.DataDirectory(parse), globals.KvmDevice(parse), parse.GetValue(image)!, program, variables, workingDirectory, parse.GetValue(user), parse.Has(interactive), parse.Has(tty), options,
                    parse.Has(stats)));
        });
        return command;
    }

    // Of its own: what it needs is loaded only when there is a daemon.
    private static int? TryDaemon(
        string? server, string dataDirectory, string image, string[] words, List<KeyValuePair<string, string>> environment, string? workingDirectory, bool interactive, bool tty, SandboxOptions options)
    {
        var named = Remote.DaemonAddress.Named(server);
        // What is built is built here, where its progress can be seen.
        if (named is null && !File.Exists(Path.Combine(dataDirectory, "images", image, "image.json"))) return null;
        if ((named ?? Remote.DaemonAddress.Noted(dataDirectory)) is not { } address) return null;
        Dictionary<string, string> variables = new(StringComparer.Ordinal);
        if (tty) variables["TERM"] = TerminalSession.Type();
        foreach (var (name, value) in environment) variables[name] = value;
        var size = TerminalSession.Size();
        var program = new Contracts.ProcessBody
        {
            Command = words,
            Env = variables,
            Cwd = workingDirectory,
            Tty = tty ? new Contracts.TerminalSize { Rows = size.Rows, Columns = size.Columns } : null,
            KeepStdin = tty || interactive || !StandardStream.IsTerminal(0),
        };
        return Remote.RemoteRun.TryRun(address, named is not null, image, program, options);
    }

    private static int Run(
        string dataDirectory, string kvmDevice, string imageName, string[] words, List<KeyValuePair<string, string>> environment, string? workingDirectory, string? user, bool interactive, bool tty,
        SandboxOptions options, bool stats)
    {
        using var interruption = new Interruption();
        using var engine = Engine.Open(dataDirectory, kvmDevice);
        StartupTrace.Mark("KVM opened");
        var image = Engine.OpenImage(engine, imageName, interruption);
        StartupTrace.Mark("image opened");

        var identity = FindUser(image, user);
        if (tty) options = options with { Terminal = TerminalSession.Size() };

        Dictionary<string, string> variables = new(image.Manifest.Environment, StringComparer.Ordinal);
        variables.TryAdd("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        variables.TryAdd("HOME", identity.Home ?? (identity.Uid == 0 ? "/root" : "/"));
        if (tty) variables.TryAdd("TERM", TerminalSession.Type());
        foreach (var (name, value) in environment) variables[name] = value;
        var program = new MainProgram
        {
            Path = words[0],
            Arguments = words,
            Environment = [.. variables.Select(variable => $"{variable.Key}={variable.Value}")],
            WorkingDirectory = workingDirectory ?? image.Manifest.WorkingDirectory,
            Uid = identity.Uid,
            Gid = identity.Gid,
            Groups = identity.Groups,
        };
        using var sandbox = engine.Start(image, program, options);
        StartupTrace.Mark("sandbox started");
        using var kill = interruption.Token.UnsafeRegister(static state => ((Sandbox)state!).Kill(), sandbox);
        using var session = tty ? TerminalSession.Start(sandbox) : null;
        if (tty)
        {
            // It has its own pump.
        }
        else if (interactive || !StandardStream.IsTerminal(0)) InputPump.Start(sandbox);
        else sandbox.CloseInput();
        sandbox.Drive();
        var result = sandbox.Wait();
        session?.Dispose();
        StartupTrace.Mark("sandbox ended");
        if (interruption.ExitCode != 0) return interruption.ExitCode;
        if (result.Message is { } message) Message.Write(message);
        if (stats) Statistics.Write(sandbox, options);
        return result.ExitCode;
    }

    private static ImageUser FindUser(ImageLayer image, string? user)
    {
        if (user is null) return new ImageUser(0, 0, [], null);
        try
        {
            return ImageUsers.Resolve(image, user);
        }
        catch (SandboxException e)
        {
            throw new UsageException($"--user {user}: {e.Message}");
        }
    }

    private static List<KeyValuePair<string, string>> ReadEnvironment(string[] settings)
    {
        List<KeyValuePair<string, string>> variables = [];
        foreach (string setting in settings)
        {
            int equals = setting.IndexOf('=', StringComparison.Ordinal);
            string name = equals < 0 ? setting : setting[..equals];
            if (name.Length == 0) throw new UsageException($"--env '{setting}' has no name: write NAME=VALUE.");
            string value = equals >= 0 ? setting[(equals + 1)..] : Environment.GetEnvironmentVariable(name)
                ?? throw new UsageException($"--env {name}: this shell has no such variable. Write {name}=VALUE.");
            variables.Add(KeyValuePair.Create(name, value));
        }

        return variables;
    }
}
