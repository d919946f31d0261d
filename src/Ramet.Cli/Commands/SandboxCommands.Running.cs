using System.CommandLine;
using System.Formats.Tar;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Ramet.Cli.Input;
using Ramet.Cli.Output;
using Ramet.Cli.Remote;
using Ramet.Contracts;

namespace Ramet.Cli.Commands;

/// <summary>Processes, code and files in a sandbox.</summary>
internal static partial class SandboxCommands
{
    private static Command CreateExec(Connect connect)
    {
        var environment = new Option<string[]>("--env", "-e") { Description = "Sets a variable. May be repeated.", HelpName = "NAME=VALUE", AllowMultipleArgumentsPerToken = false };
        var directory = Text("--workdir", "-w", "DIR", "Working directory. Default: the interpreter's.");
        var user = Text("--user", "-u", "USER[:GROUP]", "Runs as this user of the sandbox. Default: root.");
        var tty = Flag.Create("--tty", "-t", "Gives the program a terminal.");
        var interactive = Flag.Create("--interactive", "-i", "Passes stdin on even when it is a terminal. Other stdin is always passed on.");
        var words = new Argument<string[]>("ID COMMAND") { Description = "The sandbox, the program, and its arguments.", Arity = ArgumentArity.ZeroOrMore };
        var command = new TaughtCommand("exec", "Runs a program in a sandbox; stdin, stdout, stderr and exit code are passed on as they are.")
        {
            TakesProgram = true,
            Examples = [("ramet sb exec $ID ls -l /root", ""), ("ramet sb exec -t $ID bash", "A shell in a terminal."), ("tar c . | ramet sb exec -w /root $ID tar x", "Input.")],
        };
        foreach (var option in (Option[])[environment, directory, user, tty, interactive]) command.Options.Add(option);
        command.Arguments.Add(words);
        command.SetAction(parse =>
        {
            string[] given = parse.GetValue(words) ?? [];
            if (given.Length < 2) throw new UsageException("name a sandbox and a program, such as: ramet sandbox exec ID ls /");
            using var interruption = new Interruption();
            using var daemon = connect(parse);
            var size = TerminalSession.Size();
            bool passInput = parse.Has(tty) || parse.Has(interactive) || !StandardStream.IsTerminal(0);
            var process = daemon.Post(
                Daemon.PathOf(given[0], "/processes"),
                new ProcessBody
                {
                    Command = given[1..],
                    Env = Pairs(parse.GetValue(environment), "--env"),
                    Cwd = parse.GetValue(directory),
                    User = parse.GetValue(user),
                    Tty = parse.Has(tty) ? new TerminalSize { Rows = size.Rows, Columns = size.Columns } : null,
                    KeepStdin = passInput,
                },
                ContractsJson.Default.ProcessBody,
                ContractsJson.Default.ProcessAnswer);
            using var remote = new RemoteProcess(daemon, Daemon.PathOf(given[0], $"/processes/{process.Pid}/connect"), parse.Has(tty));
            int code = remote.Run(passInput, interruption);
            return interruption.ExitCode != 0 ? interruption.ExitCode : code;
        });
        return command;
    }

    private static Command CreateRun(Connect connect)
    {
        var id = Id();
        var code = new Argument<string?>("CODE") { Description = "The code, or '-' to read it from stdin.", Arity = ArgumentArity.ZeroOrOne };
        var file = Text("--file", "-f", "FILE", "Reads the code from a file.");
        var timeout = Text("--timeout", "-t", "TIME", "Wall time; then it gets KeyboardInterrupt. Default: the server's.");
        var command = new TaughtCommand("run", "Runs code in the warm interpreter of a sandbox, where names stay defined. Prints what it prints, as it does, and the value of the last expression.");
        command.Arguments.Add(id);
        command.Arguments.Add(code);
        command.Options.Add(file);
        command.Options.Add(timeout);
        command.SetAction(parse =>
        {
            string text;
            if (parse.GetValue(file) is { } path)
            {
                using var stream = OpenLocal(path);
                using var reader = new StreamReader(stream);
                text = reader.ReadToEnd();
            }
            else
            {
                string given = parse.GetValue(code) ?? throw new UsageException("no code given. Give it as an argument, with --file FILE, or as '-' to read it from stdin.");
                text = given == "-" ? Encoding.UTF8.GetString(StandardStream.ReadAllInput()) : given;
            }

            using var interruption = new Interruption();
            using var daemon = connect(parse);
            var request = new HttpRequestMessage(HttpMethod.Post, Daemon.PathOf(parse.GetValue(id)!, "/run"))
            {
                Content = Daemon.ToJson(new RunBody { Code = text, TimeoutSeconds = Seconds(parse.GetValue(timeout), "--timeout") }, ContractsJson.Default.RunBody),
            };
            request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
            try
            {
                using var response = daemon.Send(request, interruption.Token);
                return PrintEvents(response, interruption.Token);
            }
            catch (OperationCanceledException) when (interruption.ExitCode != 0)
            {
                // The server interrupts the code when the connection goes.
                return interruption.ExitCode;
            }
        });
        return command;
    }

    private static int PrintEvents(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        using var reader = new StreamReader(response.Content.ReadAsStream(cancellationToken));
        string name = "";
        while (reader.ReadLineAsync(cancellationToken).AsTask().GetAwaiter().GetResult() is { } line)
        {
            if (line.StartsWith("event: ", StringComparison.Ordinal)) name = line[7..];
            if (!line.StartsWith("data: ", StringComparison.Ordinal)) continue;
            using var data = JsonDocument.Parse(line[6..]);
            if (name is "stdout" or "stderr")
            {
                StandardStream.Write(name == "stdout" ? 1 : 2, data.RootElement.GetProperty("text").GetString()!);
                continue;
            }

            if (name == "error") throw new UsageException(data.RootElement.GetProperty("detail").GetString() ?? "The sandbox was paused.");
            var end = data.RootElement.Deserialize(ContractsJson.Default.RunEnd)!;
            if (end.Value is { } value) StandardStream.Write(1, value + "\n");
            if (end.TimedOut) Message.Write("the code's time was over.");
            return end.ExitCode;
        }

        throw new Sandboxes.SandboxException("The sandbox was paused or has ended while the code ran.");
    }

    private static Command CreateCopy(Connect connect)
    {
        var from = new Argument<string>("FROM") { Description = "A path here, ID:PATH in a sandbox, or '-' for stdin." };
        var to = new Argument<string>("TO") { Description = "The same; '-' is stdout." };
        var command = new TaughtCommand("cp", "Copies a file or directory to or from a sandbox.")
        {
            Examples = [("ramet sb cp data.csv $ID:/root/", ""), ("ramet sb cp $ID:/root/out ./out", "A directory."), ("ramet sb cp $ID:/etc/passwd -", "To stdout.")],
        };
        command.Arguments.Add(from);
        command.Arguments.Add(to);
        command.SetAction(parse =>
        {
            string source = parse.GetValue(from)!, target = parse.GetValue(to)!;
            var (sourceId, sourcePath) = Split(source);
            var (targetId, targetPath) = Split(target);
            if ((sourceId is null) == (targetId is null)) throw new UsageException("one side is in a sandbox, written ID:PATH, and the other here.");
            using var daemon = connect(parse);
            if (sourceId is not null) Download(daemon, sourceId, sourcePath, target);
            else Upload(daemon, source, targetId!, targetPath);
            return 0;
        });
        return command;
    }

    private static (string? Id, string Path) Split(string text)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        return colon > 0 && text.StartsWith("sb_", StringComparison.Ordinal) ? (text[..colon], text[(colon + 1)..]) : (null, text);
    }

    private static void Upload(Daemon daemon, string source, string id, string path)
    {
        if (Directory.Exists(source))
        {
            // Piped: an archive of any size takes no memory.
            var pipe = new System.IO.Pipelines.Pipe();
            var packing = Task.Run(() =>
            {
                using var stream = pipe.Writer.AsStream();
                TarFile.CreateFromDirectory(source, stream, includeBaseDirectory: false);
            });
            var request = new HttpRequestMessage(HttpMethod.Put, Daemon.PathOf(id, $"/files/archive?path={Uri.EscapeDataString(path)}")) { Content = new StreamContent(pipe.Reader.AsStream()) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/x-tar");
            daemon.Send(request).Dispose();
            packing.GetAwaiter().GetResult();
            return;
        }

        if (path.Length == 0 || path.EndsWith('/')) path += source == "-" ? throw new UsageException("name the file in the sandbox: what comes from stdin has no name.") : Path.GetFileName(source);
        using var content = source == "-" ? Console.OpenStandardInput() : OpenLocal(source);
        daemon.Send(new HttpRequestMessage(HttpMethod.Put, Daemon.PathOf(id, $"/files/content?path={Uri.EscapeDataString(path)}")) { Content = new StreamContent(content) }).Dispose();
    }

    private static void Download(Daemon daemon, string id, string path, string target)
    {
        string query = $"?path={Uri.EscapeDataString(path)}";
        if (daemon.Get(Daemon.PathOf(id, "/files/stat" + query), ContractsJson.Default.FileAnswer) is { Type: "directory" })
        {
            if (target == "-") throw new UsageException($"'{path}' is a directory; it is copied to a directory.");
            using var archive = daemon.Send(new HttpRequestMessage(HttpMethod.Get, Daemon.PathOf(id, "/files/archive" + query)));
            using var packed = archive.Content.ReadAsStream();
            Directory.CreateDirectory(target);
            // Names and links that lead out of the directory are refused: the archive is a sandbox's word.
            TarFile.ExtractToDirectory(packed, target, overwriteFiles: true);
            return;
        }

        using var response = daemon.Send(new HttpRequestMessage(HttpMethod.Get, Daemon.PathOf(id, "/files/content" + query)));
        using var content = response.Content.ReadAsStream();
        if (target == "-")
        {
            byte[] buffer = new byte[65536];
            for (int count; (count = content.Read(buffer)) > 0;) StandardStream.Write(1, buffer.AsSpan(0, count));
            return;
        }

        if (Directory.Exists(target)) target = Path.Combine(target, Path.GetFileName(path));
        using var file = new FileStream(target, FileMode.Create, FileAccess.Write);
        content.CopyTo(file);
    }

    private static FileStream OpenLocal(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"cannot read '{path}': {(e is FileNotFoundException or DirectoryNotFoundException ? "no such file" : e.Message)}");
        }
    }
}
