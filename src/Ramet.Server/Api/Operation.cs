using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;
using Ramet.Contracts;
using Ramet.Server.Http;

namespace Ramet.Server.Api;

/// <summary>What an endpoint is, for the API's description and for the gatekeeper.</summary>
/// <param name="Id">operationId: the name of the method in generated clients.</param>
/// <param name="Summary">A few words.</param>
/// <param name="Description">A sentence or more.</param>
internal sealed record Operation(string Id, string Summary, string Description)
{
    /// <summary>The JSON body; null: none.</summary>
    public Type? Body { get; init; }

    /// <summary>The media type of a body that is not JSON.</summary>
    public string? BodyMediaType { get; init; }

    /// <summary>The JSON answer; null: none, or another media type.</summary>
    public Type? Answer { get; init; }

    /// <summary>The media type of an answer that is not JSON.</summary>
    public string? AnswerMediaType { get; init; }

    /// <summary>The status of success.</summary>
    public int Status { get; init; } = StatusCodes.Status200OK;

    /// <summary>The scope that a key needs; null: no key is asked for.</summary>
    public string? Scope { get; init; }

    /// <summary>The group in the documentation.</summary>
    public string Tag { get; init; } = "Server";

    /// <summary>Parameters in the query.</summary>
    public IReadOnlyList<QueryParameter> Query { get; init; } = [];
}

/// <summary>A parameter in the query of a URL.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">JSON type: string, integer, number or boolean.</param>
/// <param name="Description">What it is for.</param>
/// <param name="Required">Whether it must be there.</param>
internal sealed record QueryParameter(string Name, string Type, string Description, bool Required = false);

/// <summary>Adds endpoints with what is known of them.</summary>
internal static class OperationRoutes
{
    public static void Get(this IEndpointRouteBuilder routes, [StringSyntax("Route")] string pattern, RequestDelegate handler, Operation operation) =>
        Add(routes, HttpMethods.Get, pattern, handler, operation);

    public static void Post(this IEndpointRouteBuilder routes, [StringSyntax("Route")] string pattern, RequestDelegate handler, Operation operation) =>
        Add(routes, HttpMethods.Post, pattern, handler, operation);

    public static void Put(this IEndpointRouteBuilder routes, [StringSyntax("Route")] string pattern, RequestDelegate handler, Operation operation) =>
        Add(routes, HttpMethods.Put, pattern, handler, operation);

    public static void Patch(this IEndpointRouteBuilder routes, [StringSyntax("Route")] string pattern, RequestDelegate handler, Operation operation) =>
        Add(routes, HttpMethods.Patch, pattern, handler, operation);

    public static void Delete(this IEndpointRouteBuilder routes, [StringSyntax("Route")] string pattern, RequestDelegate handler, Operation operation) =>
        Add(routes, HttpMethods.Delete, pattern, handler, operation);

    private static void Add(IEndpointRouteBuilder routes, string method, string pattern, RequestDelegate handler, Operation operation)
    {
        // The method itself makes the endpoint visible to the description of the API.
        var endpoint = routes.MapMethods(pattern, [method], handler)
            .WithMetadata(handler.Method, operation, new EndpointNameMetadata(operation.Id), new EndpointSummaryAttribute(operation.Summary), new EndpointDescriptionAttribute(operation.Description), new TagsAttribute(operation.Tag));
        if (operation.Scope is { } scope) endpoint.WithMetadata(new RequiredScope(scope));
        if (operation.Body is { } body) endpoint.WithMetadata(new AcceptsMetadata(["application/json"], body));
        if (operation.Answer is { } answer) endpoint.WithMetadata(new ProducesResponseTypeMetadata(operation.Status, answer, ["application/json"]));
        else endpoint.WithMetadata(new ProducesResponseTypeMetadata(operation.Status, typeof(void)));
    }
}
