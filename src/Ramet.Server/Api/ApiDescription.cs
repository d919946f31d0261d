using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;
using Ramet.Contracts;
using Ramet.Server.Http;

namespace Ramet.Server.Api;

/// <summary>The API's description (OpenAPI 3.1), made from the endpoints, and a page that shows it.</summary>
internal static class ApiDescription
{
    private const string SecurityName = "key";
    private const string ProblemName = "Problem";

    /// <summary>Adds what makes the description. Nothing is made before somebody asks for it.</summary>
    public static void AddServices(IServiceCollection services)
    {
        services.ConfigureHttpJsonOptions(options =>
        {
            var json = options.SerializerOptions;
            json.TypeInfoResolverChain.Insert(0, ContractsJson.Default);
            json.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower;
            json.NumberHandling = JsonNumberHandling.Strict;
            json.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
            json.RespectNullableAnnotations = true;
        });
        services.AddOpenApi("v1", options =>
        {
            options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
            options.AddSchemaTransformer(DescribeSchema);
            options.AddOperationTransformer(DescribeOperation);
            options.AddDocumentTransformer(DescribeDocument);
        });
    }

    /// <summary>Adds /openapi.json and /docs.</summary>
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapOpenApi("/openapi.json");
        byte[] page = ReadPage();
        routes.MapGet("/docs", (HttpContext context) =>
        {
            context.Response.ContentType = "text/html; charset=utf-8";
            context.Response.ContentLength = page.Length;
            context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";
            return context.Response.Body.WriteAsync(page, context.RequestAborted).AsTask();
        });
        routes.MapGet("/", (HttpContext context) =>
        {
            context.Response.Redirect("/docs");
            return Task.CompletedTask;
        });
    }

    private static Task DescribeDocument(OpenApiDocument document, OpenApiDocumentTransformerContext context, CancellationToken cancellationToken)
    {
        document.Info = new OpenApiInfo
        {
            Title = "Ramet",
            Version = ServerVersion.Text,
            Description = "Runs untrusted code in KVM virtual machines that are forked from a template.",
            License = new OpenApiLicense { Name = "Apache-2.0", Identifier = "Apache-2.0" },
        };
        document.Servers = [];
        document.AddComponent<IOpenApiSecurityScheme>(SecurityName, new OpenApiSecurityScheme
        {
            Type = SecuritySchemeType.Http,
            Scheme = "bearer",
            Description = "A key (rmt_live_...), made with: ramet key create. X-API-Key does as well. A server that was started with --dev asks for none.",
        });
        return AddProblemsAsync(document, context, cancellationToken);
    }

    private static async Task AddProblemsAsync(OpenApiDocument document, OpenApiDocumentTransformerContext context, CancellationToken cancellationToken)
    {
        var schema = await context.GetOrCreateSchemaAsync(typeof(Problem), cancellationToken: cancellationToken).ConfigureAwait(false);
        document.AddComponent(ProblemName, schema);
        foreach (var operation in document.Paths.Values.SelectMany(path => path.Operations?.Values ?? Enumerable.Empty<OpenApiOperation>()))
        {
            operation.Responses ??= [];
            operation.Responses["default"] = new OpenApiResponse
            {
                Description = "A problem: detail says what is wrong and what to do.",
                Content = new Dictionary<string, OpenApiMediaType>(StringComparer.Ordinal) { ["application/problem+json"] = new() { Schema = new OpenApiSchemaReference(ProblemName, document) } },
            };
        }
    }

    private static Task DescribeOperation(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        if (context.Description.ActionDescriptor.EndpointMetadata.OfType<Operation>().FirstOrDefault() is not { } known) return Task.CompletedTask;
        operation.OperationId = known.Id;
        operation.Parameters ??= [];
        foreach (string segment in (context.Description.RelativePath ?? "").Split('/'))
        {
            if (segment is not ['{', .., '}']) continue;
            operation.Parameters.Add(new OpenApiParameter
            {
                Name = segment[1..^1].TrimStart('*').Split(':')[0],
                In = ParameterLocation.Path,
                Required = true,
                Schema = new OpenApiSchema { Type = JsonSchemaType.String },
            });
        }

        foreach (var parameter in known.Query)
        {
            operation.Parameters.Add(new OpenApiParameter
            {
                Name = parameter.Name,
                In = ParameterLocation.Query,
                Required = parameter.Required,
                Description = parameter.Description,
                Schema = new OpenApiSchema { Type = TypeOf(parameter.Type) },
            });
        }

        if (known.BodyMediaType is { } bodyType) operation.RequestBody = new OpenApiRequestBody { Required = true, Content = Binary(bodyType) };
        operation.Responses ??= [];
        string status = known.Status.ToString(System.Globalization.CultureInfo.InvariantCulture);
        if (known.AnswerMediaType is { } answerType) operation.Responses[status] = new OpenApiResponse { Description = known.Summary, Content = Binary(answerType) };
        if (known.Scope is { } scope)
            operation.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(SecurityName, context.Document)] = [] }];
        return Task.CompletedTask;
    }

    private static Task DescribeSchema(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancellationToken)
    {
        if (context.JsonTypeInfo.Type != typeof(FileContent)) return Task.CompletedTask;
        schema.OneOf =
        [
            new OpenApiSchema { Type = JsonSchemaType.String, Description = "Text." },
            new OpenApiSchema
            {
                Type = JsonSchemaType.Object,
                Required = new HashSet<string>(StringComparer.Ordinal) { "base64" },
                Properties = new Dictionary<string, IOpenApiSchema>(StringComparer.Ordinal) { ["base64"] = new OpenApiSchema { Type = JsonSchemaType.String, Format = "byte", Description = "Bytes." } },
                AdditionalPropertiesAllowed = false,
            },
        ];
        return Task.CompletedTask;
    }

    private static Dictionary<string, OpenApiMediaType> Binary(string mediaType) => new(StringComparer.Ordinal)
    {
        [mediaType] = new OpenApiMediaType { Schema = new OpenApiSchema { Type = JsonSchemaType.String } },
    };

    private static JsonSchemaType TypeOf(string name) => name switch
    {
        "integer" => JsonSchemaType.Integer,
        "number" => JsonSchemaType.Number,
        "boolean" => JsonSchemaType.Boolean,
        _ => JsonSchemaType.String,
    };

    private static byte[] ReadPage()
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("docs.html") ?? throw new InvalidOperationException("The page of the documentation is missing.");
        byte[] page = new byte[stream.Length];
        stream.ReadExactly(page);
        return page;
    }
}
