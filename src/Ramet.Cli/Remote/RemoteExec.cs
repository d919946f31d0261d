using System.Net.Http;
using System.Net.Http.Headers;
using System.Text.Json;
using Ramet.Cli.Input;
using Ramet.Cli.Output;
using Ramet.Contracts;
using Ramet.Sandboxes;

namespace Ramet.Cli.Remote;

/// <summary>
/// <c>ramet exec</c> through a daemon, which has its templates loaded and sandboxes ready. Whoever runs a command is not to notice but for the time: what a daemon does not know, or
/// will not do, is done without it.
/// </summary>
internal static class RemoteExec
{
    /// <summary>Runs code in a daemon. Null: it is to be done here, and nothing has been printed.</summary>
    /// <param name="address">The daemon.</param>
    /// <param name="isNamed">Whether the user has named it: then he is told what it will not do.</param>
    /// <param name="template">The template.</param>
    /// <param name="request">The code; nothing but code and arguments.</param>
    /// <param name="options">Limits; nothing but memory and time.</param>
    /// <param name="json">Whether one JSON object is wanted.</param>
    public static int? TryRun(DaemonAddress address, bool isNamed, string template, ExecRequest request, SandboxOptions options, bool json)
    {
        using var interruption = new Interruption();
        using var daemon = new Daemon(address);
        var body = new ExecBody
        {
            Code = request.Code,
            Args = request.Arguments is { Count: > 1 } arguments ? [.. arguments.Skip(1)] : null,
            Template = template,
            MemoryMb = (int)(options.MemoryBytes >> 20),
            TimeoutSeconds = options.Timeout!.Value.TotalSeconds,
        };
        var message = new HttpRequestMessage(HttpMethod.Post, "v1/exec?output=base64") { Content = Daemon.ToJson(body, ContractsJson.Default.ExecBody) };
        message.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
        HttpResponseMessage response;
        try
        {
            response = daemon.Send(message, interruption.Token);
        }
        catch (Exception e) when (!isNamed && e is UsageException or SandboxException)
        {
            return null;
        }
        catch (OperationCanceledException) when (interruption.ExitCode != 0)
        {
            throw new InterruptedException(interruption.ExitCode);
        }

        using (response)
        {
            try
            {
                return Print(response, options, json, interruption.Token);
            }
            catch (OperationCanceledException) when (interruption.ExitCode != 0)
            {
                // The connection goes with this process, and the sandbox with the connection.
                throw new InterruptedException(interruption.ExitCode);
            }
        }
    }

    private static int Print(HttpResponseMessage response, SandboxOptions options, bool json, CancellationToken cancellationToken)
    {
        using var reader = new StreamReader(response.Content.ReadAsStream(cancellationToken));
        using MemoryStream stdout = new(), stderr = new();
        string name = "";
        while (reader.ReadLineAsync(cancellationToken).AsTask().GetAwaiter().GetResult() is { } line)
        {
            if (line.StartsWith("event: ", StringComparison.Ordinal)) name = line[7..];
            if (!line.StartsWith("data: ", StringComparison.Ordinal)) continue;
            using var data = JsonDocument.Parse(line.AsMemory(6));
            if (name is "stdout" or "stderr")
            {
                byte[] bytes = data.RootElement.GetProperty("base64").GetBytesFromBase64();
                if (json) (name == "stdout" ? stdout : stderr).Write(bytes);
                else StandardStream.Write(name == "stdout" ? 1 : 2, bytes);
                continue;
            }

            var answer = data.RootElement.Deserialize(ContractsJson.Default.ExecAnswer)!;
            string? error = answer.TimedOut
                ? FormattableString.Invariant($"Timed out after {options.Timeout!.Value.TotalSeconds:0.###} s; raise the limit with --timeout.")
                : answer.Error?.Replace("raise memory_mb", "raise it with --memory", StringComparison.Ordinal);
            if (json) JsonReport.Write(answer, stdout.ToArray(), stderr.ToArray(), error);
            else if (error is not null) Message.Write(error);
            return answer.ExitCode;
        }

        throw new SandboxException("The server has ended the connection before the code had ended.");
    }
}
