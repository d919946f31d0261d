using System.CommandLine;
using System.Text;
using Ramet.Cli.Input;
using Ramet.Cli.Output;
using Ramet.Sandboxes;

namespace Ramet.Cli.Commands;

/// <summary><c>ramet exec</c>: code in a fresh fork of a template.</summary>
internal static class ExecCommand
{
    private const int LargestCode = 64 << 20;

    /// <summary>Defines the command.</summary>
    public static Command Create(GlobalOptions globals)
    {
        var template = new Option<string>("--template") { Description = "The template.", HelpName = "NAME", DefaultValueFactory = _ => "python" };
        template.CompletionSources.Add(_ => TemplateStore.KnownNames.Select(name => new System.CommandLine.Completions.CompletionItem(name)));
        var file = new Option<string?>("--file", "-f") { Description = "Reads the code from a file; '-' is stdin.", HelpName = "FILE" };
        var json = Flag.Create("--json", null, "Prints one JSON object instead of the program's output.");
        var stats = Flag.Create("--stats", null, "Prints times, memory, system calls and faults on stderr at the end.");
        var input = Flag.Create("--stdin", null, "Passes stdin on to the program. Else it reads nothing.");
        var limits = new LimitOptions(256UL << 20, TimeSpan.FromSeconds(30));
        var words = new Argument<string[]>("CODE")
        {
            Description = "The code, or '-' to read it from stdin. What follows (with --file: all) is the program's sys.argv[1:].",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var command = new TaughtCommand("exec", "Runs code in a fresh fork of a template: a virtual machine in which the language has already started.")
        {
            Notes = """
                Notes:
                  Each run has a machine, files and randomness of its own, and nothing of it is left. There is no network.
                  --json prints stdout, stderr, exit_code, timed_out, error, fork_time_ms, exec_time_ms and total_time_ms; a stream
                  that is not valid UTF-8 is there in base64 as well, as stdout_base64 or stderr_base64.
                """,
            Examples =
            [
                ("ramet exec 'import numpy as np; print(np.arange(10).mean())'", "Prints 4.5."),
                ("ramet exec -f job.py -- --fast input.csv", "A file, with arguments."),
                ("ramet exec - <job.py", "Code from stdin."),
                ("cat data | ramet exec --stdin 'import sys; print(len(sys.stdin.read()))'", "stdin is the program's."),
                ("ramet exec --timeout 2s --memory 128M --json 'while True: pass'", "Limits, and a result for programs to read."),
            ],
        };
        var server = new Option<string?>("--server") { Description = "A daemon to run it: HOST:PORT, a URL, or unix:/PATH. Else RAMET_SERVER; else the daemon of the data directory, if it runs.", HelpName = "ADDRESS" };
        foreach (var option in (Option[])[template, file, input, json, stats, server]) command.Options.Add(option);
        limits.AddTo(command);
        command.Arguments.Add(words);
        command.SetAction(parse =>
        {
            bool wantsJson = parse.Has(json);
            var request = ReadRequest(parse.GetValue(file), parse.GetValue(words) ?? [], parse.Has(input));
            var output = new OutputPassthrough();
            var options = limits.Read(parse) with { Output = wantsJson ? null : output };
            string name = parse.GetValue(template)!;
            string dataDirectory = globals.DataDirectory(parse), device = globals.KvmDevice(parse);
            string? address = parse.GetValue(server);
            return wantsJson ? JsonReport.Guard(RunSomewhere) : RunSomewhere();

            int RunSomewhere() =>
                (parse.Has(stats) || !IsForDaemons(request, options) ? null : TryDaemon(address, dataDirectory, name, request, options, wantsJson))
                ?? output.Conclude(Run(dataDirectory, device, name, request, options, wantsJson, parse.Has(stats)));
        });
        return command;
    }

    private static int Run(string dataDirectory, string kvmDevice, string templateName, ExecRequest request, SandboxOptions options, bool json, bool stats)
    {
        using var interruption = new Interruption();
        using var engine = Engine.Open(dataDirectory, kvmDevice);
        StartupTrace.Mark("KVM opened");
        var template = Engine.Build(interruption, (progress, token) => engine.Templates.EnsureAsync(templateName, progress, token));
        StartupTrace.Mark("template loaded");
        CancellationTokenRegistration kill = default;
        var result = engine.Execute(template, request with
        {
            OnStarted = sandbox =>
            {
                StartupTrace.Mark("forked");
                kill = interruption.Token.UnsafeRegister(static state => ((Sandbox)state!).Kill(), sandbox);
                if (request.OpenInput) InputPump.Start(sandbox);
            },
        }, options);
        kill.Dispose();
        StartupTrace.Mark("program ended");
        if (interruption.ExitCode != 0) throw new InterruptedException(interruption.ExitCode);
        if (json) JsonReport.Write(result);
        else if (result.Result.Message is { } message) Message.Write(message);
        if (stats) Statistics.Write(result, options);
        return result.Result.ExitCode;
    }

    /// <summary>Whether a daemon knows all that is asked for.</summary>
    private static bool IsForDaemons(ExecRequest request, SandboxOptions options)
    {
        return request is { FileName: null, OpenInput: false } && options.Timeout is { TotalSeconds: <= 3600 } && options.MaxOutputBytes == new SandboxOptions().MaxOutputBytes && Remote.DaemonLimits.Know(options);
    }

    // Of its own: what it needs is loaded only when there is a daemon.
    private static int? TryDaemon(string? server, string dataDirectory, string template, ExecRequest request, SandboxOptions options, bool json)
    {
        var named = Remote.DaemonAddress.Named(server);
        return (named ?? Remote.DaemonAddress.Noted(dataDirectory)) is { } address ? Remote.RemoteExec.TryRun(address, named is not null, template, request, options, json) : null;
    }

    /// <summary>Where the code comes from, and what else goes with it.</summary>
    private static ExecRequest ReadRequest(string? file, string[] words, bool passInput)
    {
        if (file is null && words.Length == 0) throw new UsageException("no code given. Give it as an argument, with --file FILE, or as '-' to read it from stdin. See: ramet exec --help");
        bool fromInput = file == "-" || (file is null && words[0] == "-");
        if (fromInput && passInput) throw new UsageException("stdin cannot be both the code and the program's input: give the code as an argument or with --file FILE.");
        byte[]? bytes = fromInput ? StandardStream.ReadAllInput() : file is not null ? ReadFile(file) : null;
        string code = bytes is null ? words[0] : Decode(bytes, file ?? "stdin");
        if (string.IsNullOrWhiteSpace(code)) throw new UsageException($"the code {(bytes is null ? "" : $"from {(fromInput ? "stdin" : file)} ")}is empty.");
        if (code.Length > LargestCode) throw new UsageException($"the code is larger than {LargestCode >> 20} MiB.");
        string[] arguments = file is null ? words[1..] : words;
        string? name = fromInput ? "<stdin>" : file;
        return new ExecRequest
        {
            Code = code,
            FileName = name,
            Arguments = arguments.Length > 0 || file is not null ? [fromInput ? "-" : file ?? "-c", .. arguments] : null,
            OpenInput = passInput,
        };
    }

    private static byte[] ReadFile(string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
            if (stream.CanSeek && stream.Length > LargestCode) throw new UsageException($"{path} is larger than {LargestCode >> 20} MiB.");
            using var all = new MemoryStream();
            stream.CopyTo(all);
            return all.ToArray();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            string reason = e switch
            {
                FileNotFoundException or DirectoryNotFoundException => "no such file",
                _ when Directory.Exists(path) => "it is a directory",
                UnauthorizedAccessException => "no permission",
                ArgumentException => "this cannot be the name of a file",
                _ => e.Message,
            };
            throw new UsageException($"cannot read '{path}': {reason}.");
        }
    }

    private static string Decode(byte[] bytes, string source)
    {
        try
        {
            var text = bytes.AsSpan();
            if (text.StartsWith(Encoding.UTF8.Preamble)) text = text[Encoding.UTF8.Preamble.Length..];
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(text);
        }
        catch (DecoderFallbackException e)
        {
            throw new UsageException($"the code from {source} is not UTF-8: byte 0x{e.BytesUnknown?[0] ?? 0:x2} at offset {e.Index}.");
        }
    }
}
