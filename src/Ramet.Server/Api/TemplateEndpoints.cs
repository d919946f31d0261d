using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Ramet.Contracts;
using Ramet.Sandboxes.Hosting;
using Ramet.Server.Http;
using Ramet.Server.Keys;

namespace Ramet.Server.Api;

/// <summary>Templates that keys make of their sandboxes.</summary>
internal sealed class TemplateEndpoints(IDurableSandboxHost host, Admission admission)
{
    /// <summary>Adds the endpoints.</summary>
    public void Map(IEndpointRouteBuilder routes)
    {
        const string Tag = "Templates";
        routes.Post("/v1/templates", CreateAsync, new Operation(
            "createTemplate", "Make a template of a sandbox", "What it has imported and defined is there in every fork: POST /v1/exec and /v1/sandboxes take its name as 'template'. It is the key's own.")
        {
            Body = typeof(TemplateBody), Answer = typeof(TemplateAnswer), Status = StatusCodes.Status201Created, Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Get("/v1/templates", ListAsync, new Operation("listTemplates", "List templates", "The server's, and the key's own.")
        {
            Answer = typeof(TemplateList), Scope = Scope.Sandboxes, Tag = Tag,
        });
        routes.Delete("/v1/templates/{name}", DeleteAsync, new Operation("deleteTemplate", "Remove a template", "One of the key's own. Sandboxes that were forked from it go on.")
        {
            Status = StatusCodes.Status204NoContent, Scope = Scope.Sandboxes, Tag = Tag,
        });
    }

    private async Task CreateAsync(HttpContext context)
    {
        var body = await Json.ReadAsync(context, Json.Contracts.TemplateBody).ConfigureAwait(false);
        if (body.Name.Length is 0 or > 64 || body.Name[0] is '.' or '-' || !body.Name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') || body.Name.StartsWith("tpl_", StringComparison.Ordinal))
            throw ProblemException.BadRequest("'name' has up to 64 letters, digits, '-', '_' and '.', and begins with a letter, a digit or '_', but not with 'tpl_'.");
        string tenant = Caller.Of(context).Id;
        HostedOwnTemplate made;
        using (admission.EnterTemplate(tenant)) made = await host.CreateTemplateAsync(tenant, body.Name, body.Sandbox, context.RequestAborted).ConfigureAwait(false);
        context.Response.StatusCode = StatusCodes.Status201Created;
        await Json.WriteAsync(context, Answer(made), Json.Contracts.TemplateAnswer).ConfigureAwait(false);
    }

    private Task ListAsync(HttpContext context) => Json.WriteAsync(context, new TemplateList
    {
        Templates = [.. host.ListTemplates().Select(template => new TemplateAnswer { Name = template.Name, Language = template.Language }), .. host.ListTemplates(Caller.Of(context).Id).Select(Answer)],
    }, Json.Contracts.TemplateList);

    private Task DeleteAsync(HttpContext context)
    {
        string name = (string)context.Request.RouteValues["name"]!;
        if (!host.DeleteTemplate(Caller.Of(context).Id, name)) throw ProblemException.NotFound($"The key has no template '{Json.Shorten(name)}' of its own.");
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    }

    private static TemplateAnswer Answer(HostedOwnTemplate template) => new()
    {
        Name = template.Name,
        From = template.From,
        Sandbox = template.Sandbox,
        Created = template.Created,
        SizeBytes = template.SizeBytes,
        BuildMs = template.BuildMilliseconds > 0 ? template.BuildMilliseconds : null,
    };
}
