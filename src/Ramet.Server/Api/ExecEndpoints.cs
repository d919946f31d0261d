using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Ramet.Contracts;
using Ramet.Server.Configuration;
using Ramet.Server.Http;
using Ramet.Server.Keys;

namespace Ramet.Server.Api;

/// <summary>POST /v1/exec and /v1/exec/batch.</summary>
internal sealed class ExecEndpoints(Executor executor, ServerSettings settings)
{
    /// <summary>Adds the endpoints.</summary>
    public void Map(IEndpointRouteBuilder routes)
    {
        routes.Post("/v1/exec", ExecAsync, new Operation("exec", "Run code", "Runs code in a fresh fork of a template: a virtual machine in which the language has already started. With Accept: text/event-stream output comes as it is printed (events stdout and stderr with text, then end with the answer, whose output is empty).")
        {
            Query = [new("output", "string", "Of a stream: text, or base64 for bytes as they are. Default: text.")],
            Body = typeof(ExecBody),
            Answer = typeof(ExecAnswer),
            Scope = Scope.Exec,
            Tag = "Exec",
        });
        routes.Post("/v1/exec/batch", BatchAsync, new Operation("execBatch", "Run several pieces of code", "Each item runs in a fork of its own, several at the same time. Results are in the order of the request.")
        {
            Body = typeof(BatchBody),
            Answer = typeof(BatchAnswer),
            Scope = Scope.Exec,
            Tag = "Exec",
        });
    }

    private async Task ExecAsync(HttpContext context)
    {
        var body = await Json.ReadAsync(context, Json.Contracts.ExecBody).ConfigureAwait(false);
        string tenant = Caller.Of(context).Id;
        var exec = executor.Check(tenant, body);
        if (EventStream.IsWanted(context.Request))
        {
            bool raw = context.Request.Query["output"].ToString() switch
            {
                "" or "text" => false,
                "base64" => true,
                _ => throw ProblemException.BadRequest("'output' is text or base64."),
            };
            await executor.StreamAsync(context, tenant, exec, raw).ConfigureAwait(false);
            return;
        }

        var answer = await executor.RunAsync(tenant, exec, null, context.RequestAborted).ConfigureAwait(false);
        await Json.WriteAsync(context, answer, Json.Contracts.ExecAnswer).ConfigureAwait(false);
    }

    private async Task BatchAsync(HttpContext context)
    {
        var body = await Json.ReadAsync(context, Json.Contracts.BatchBody).ConfigureAwait(false);
        int count = body.Executions.Count;
        if (count == 0 || count > settings.Batch) throw ProblemException.BadRequest($"'executions' holds {count} items; a batch has 1 to {settings.Batch} (limits.batch).");
        string tenant = Caller.Of(context).Id;
        var items = body.Executions.Select((item, i) => executor.Share(executor.Check(tenant, item ?? throw ProblemException.BadRequest($"'executions[{i}]' is null."), $"executions[{i}]."), count)).ToArray();
        var results = new ExecAnswer[count];
        // No more at a time than can run: the rest of the batch would only take places in the queue from others.
        var options = new ParallelOptions { MaxDegreeOfParallelism = executor.Concurrency, CancellationToken = context.RequestAborted };
        bool hasBegun = false;
        try
        {
            await Parallel.ForAsync(0, count, options, async (i, token) => results[i] = await executor.RunAsync(tenant, items[i], () => Volatile.Write(ref hasBegun, true), token).ConfigureAwait(false)).ConfigureAwait(false);
        }
        catch when (Volatile.Read(ref hasBegun))
        {
            // One of it was refused, and others may have run: it is not to be sent again as it is.
            Problems.ForbidRetry(context);
            throw;
        }

        await Json.WriteAsync(context, new BatchAnswer { Results = results }, Json.Contracts.BatchAnswer).ConfigureAwait(false);
    }
}
