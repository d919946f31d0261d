using Ramet.Client;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Ramet for dependency injection.</summary>
public static class RametServiceCollectionExtensions
{
    /// <summary>Makes <see cref="RametClient"/> available, over an <see cref="HttpClient"/> of the factory. The builder that is returned adds handlers to that.</summary>
    /// <param name="services">Where to.</param>
    /// <param name="configure">Sets address and key; else the environment's RAMET_URL and RAMET_API_KEY count.</param>
    public static IHttpClientBuilder AddRamet(this IServiceCollection services, Action<RametClientOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        return services.AddHttpClient("Ramet").AddTypedClient(http =>
        {
            var options = new RametClientOptions();
            configure?.Invoke(options);
            return new RametClient(http, options);
        });
    }
}
