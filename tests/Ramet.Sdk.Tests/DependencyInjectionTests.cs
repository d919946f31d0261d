using System.Net;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Ramet.Client;

namespace Ramet.Sdk.Tests;

public sealed class DependencyInjectionTests(Daemon daemon)
{
    [Fact]
    public async Task The_client_comes_from_the_container_and_its_handlers_are_used()
    {
        var services = new ServiceCollection();
        var counter = new Counter();
        services.AddRamet(options => options.Url = daemon.Address).AddHttpMessageHandler(() => counter);
        await using var provider = services.BuildServiceProvider();
        Assert.Equal("2", (await provider.GetRequiredService<RametClient>().ExecAsync("print(1 + 1)")).ToString());
        Assert.Equal(1, counter.Count);
    }

    [Fact]
    public async Task A_busy_server_is_asked_again_and_the_key_is_sent()
    {
        var scripted = new Scripted();
        using var http = new HttpClient(scripted);
        var client = new RametClient(http, new RametClientOptions { Url = new Uri("http://127.0.0.1:1/prefix"), ApiKey = "rmt_live_x" });
        Assert.Equal("ok", (await client.HealthAsync()).Status);
        Assert.Equal(2, scripted.Requests.Count);
        Assert.All(scripted.Requests, one => Assert.Equal("http://127.0.0.1:1/prefix/v1/health Bearer rmt_live_x", one));
    }

    private sealed class Counter : DelegatingHandler
    {
        public int Count { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Count++;
            return base.SendAsync(request, cancellationToken);
        }
    }

    /// <summary>Is busy, and then not.</summary>
    private sealed class Scripted : HttpMessageHandler
    {
        public List<string> Requests { get; } = [];

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Requests.Add($"{request.RequestUri} {request.Headers.Authorization}");
            var response = new HttpResponseMessage(Requests.Count == 1 ? HttpStatusCode.ServiceUnavailable : HttpStatusCode.OK)
            {
                Content = new StringContent(Requests.Count == 1 ? """{"title":"busy"}""" : """{"status":"ok","version":"1","templates":{},"new":1}""", Encoding.UTF8, "application/json"),
            };
            if (Requests.Count == 1) response.Headers.RetryAfter = new(TimeSpan.FromSeconds(1));
            return Task.FromResult(response);
        }
    }
}

public sealed class PackageTests
{
    [Fact]
    public void Dotnet_pack_makes_a_package_of_the_client()
    {
        using var work = new Workplace();
        string dotnet = Tools.Find("the .NET SDK", "dotnet", Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".dotnet", "dotnet"));
        // Of what the tests were built from; into a folder of its own.
        string configuration = AppContext.BaseDirectory.Contains("debug", StringComparison.Ordinal) ? "Debug" : "Release";
        Tools.Must(Tools.Root, null, dotnet, "pack", "src/Ramet.Client", "-c", configuration, "--no-build", "--nologo", "-v", "q", "-o", work.Path);
        using var package = System.IO.Compression.ZipFile.OpenRead(Assert.Single(Directory.GetFiles(work.Path, "Ramet.Client.*.nupkg")));
        Assert.Contains(package.Entries, entry => entry.FullName == "lib/net10.0/Ramet.Client.dll");
        Assert.Contains(package.Entries, entry => entry.FullName == "README.md");
    }
}
