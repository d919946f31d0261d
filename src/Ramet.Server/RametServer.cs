using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Ramet.Images;
using Ramet.Sandboxes;
using Ramet.Sandboxes.Hosting;
using Ramet.Server.Api;
using Ramet.Server.Configuration;
using Ramet.Server.Http;
using Ramet.Server.Keys;
using Ramet.Server.Logging;
using Ramet.Server.Metrics;
using Ramet.Server.Scheduling;

namespace Ramet.Server;

/// <summary>The daemon: from settings to a listening server, until a signal ends it.</summary>
public static class RametServer
{
    /// <summary>Serves until SIGTERM or SIGINT, then drains.</summary>
    /// <param name="settings">Settings that were checked by <see cref="SettingsReader"/>.</param>
    /// <param name="openEngine">Opens KVM and the data directory.</param>
    /// <param name="openHost">Where sandboxes are to live; it is told whom to report to what is built.</param>
    /// <param name="startedAt">When the process started, for what is said when the server is ready (<see cref="Stopwatch"/> ticks).</param>
    /// <exception cref="ConfigurationException">A setting cannot be used.</exception>
    /// <exception cref="IOException">The address cannot be listened on.</exception>
    /// <exception cref="SandboxException">A template cannot be made.</exception>
    public static async Task RunAsync(ServerSettings settings, Func<SandboxEngine> openEngine, Func<SandboxEngine, IProgress<BuildStep>, IDurableSandboxHost> openHost, long startedAt)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(openEngine);
        ArgumentNullException.ThrowIfNull(openHost);
        var address = ListenAddress.Parse(settings.Listen);
        if (settings.Dev && !address.IsLocal)
            throw new ConfigurationException($"--dev asks for no keys and so listens on loopback only, not on {settings.Listen}. Leave out --dev and make keys with: ramet key create");
        using var provider = new LineLoggerProvider(LevelOf(settings.LogLevel), settings.LogFormat == "json", Console.OpenStandardError());
        var logger = provider.CreateLogger("Ramet");

        // The templates are read while the web server is put together.
        var preparing = Task.Run(async () =>
        {
            var engine = openEngine();
            var host = openHost(engine, new BuildLog(logger));
            await PrepareAsync(host, settings, logger).ConfigureAwait(false);
            return (Engine: engine, Host: host);
        });
        var builder = CreateBuilder(settings, address, provider);
        var (engine, host) = await preparing.ConfigureAwait(false);
        try
        {
            await ServeAsync(settings, builder, host, address, logger, startedAt).ConfigureAwait(false);
        }
        finally
        {
            await host.DisposeAsync().ConfigureAwait(false);
            engine.Dispose();
        }

        logger.Stopped();
    }

    /// <summary>Has the templates ready: all that were named, or those of the default ones that can be had.</summary>
    private static async Task PrepareAsync(IDurableSandboxHost host, ServerSettings settings, ILogger logger)
    {
        var preparing = (settings.Templates ?? ServerSettings.DefaultTemplates).Select(name => (Name: name, Task: host.PrepareAsync(name, CancellationToken.None))).ToList();
        foreach (var (name, task) in preparing)
        {
            try
            {
                await task.ConfigureAwait(false);
            }
            catch (Exception exception) when (settings.Templates is null && exception is SandboxException or ImageException or ImageSpecException && preparing.Exists(other => other.Task != task && !other.Task.IsFaulted))
            {
                logger.TemplateLeftOut(name, exception.Message);
            }
        }
    }

    private static async Task ServeAsync(ServerSettings settings, WebApplicationBuilder builder, IDurableSandboxHost host, ListenAddress address, ILogger logger, long startedAt)
    {
        var gate = new FairGate(settings.Concurrency, settings.Queue, TimeSpan.FromSeconds(settings.QueueSeconds));
        using var metrics = new ServerMetrics(host, gate);
        var audit = new AuditLog(AuditPath(settings), logger);
        await using var auditing = audit.ConfigureAwait(false);
        var ring = settings.Dev ? null : new KeyRing(new KeyStore(settings.KeysPath), logger, TimeProvider.System);
        using var export = settings.OtlpEndpoint is null ? null : OtlpExport.Start(settings);
        var app = builder.Build();
        await using var disposal = app.ConfigureAwait(false);
        Map(app, new Gatekeeper(ring, new KeyLimiter(settings.RatePerSecond, settings.Burst, settings.KeyConcurrency), metrics, audit, logger), host, gate, metrics, settings);
        address.RemoveStaleSocket();
        if (ring is null) logger.Development(settings.Listen);
        else _ = ring.Problem; // Read now: whether the server is open is said at its start.
        await app.StartAsync().ConfigureAwait(false);
        string listen = string.Join(", ", app.Urls);
        using var note = DaemonNote.Write(settings.DataDirectory, address.SocketPath is { } path ? $"unix:{path}" : app.Urls.First(), needsKey: !settings.Dev);
        logger.Ready(listen, (long)Stopwatch.GetElapsedTime(startedAt).TotalMilliseconds, string.Join(", ", host.Templates.Keys));
        ServiceManager.Notify("READY=1", logger);
        app.Lifetime.ApplicationStopping.Register(() =>
        {
            logger.Draining(settings.GraceSeconds);
            ServiceManager.Notify("STOPPING=1", logger);
        });
        await app.WaitForShutdownAsync().ConfigureAwait(false);
    }

    private static WebApplicationBuilder CreateBuilder(ServerSettings settings, ListenAddress address, ILoggerProvider provider)
    {
        // Nothing of the usual builder's is wanted: no files of settings, no console, no variables.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "ramet", ContentRootPath = "/" });
        builder.Logging.AddProvider(provider).SetMinimumLevel(LevelOf(settings.LogLevel));
        builder.Services.AddRouting();
        ApiDescription.AddServices(builder.Services);
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(settings.GraceSeconds));
        builder.WebHost.UseKestrelCore();
        builder.WebHost.ConfigureKestrel(options =>
        {
            options.AddServerHeader = false;
            options.Limits.MaxRequestBodySize = (long)settings.BodyMb << 20;
            new ConnectionLimit(settings.Connections).Apply(options);
            options.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(15);
            // Whoever reads more slowly takes what others wait for: a turn, and what is kept for him.
            options.Limits.MinResponseDataRate = new MinDataRate(bytesPerSecond: 1024, gracePeriod: TimeSpan.FromSeconds(10));
            options.Limits.KeepAliveTimeout = TimeSpan.FromMinutes(5);
            address.Apply(options);
        });
        return builder;
    }

    private static void Map(WebApplication app, Gatekeeper gatekeeper, IDurableSandboxHost host, FairGate gate, ServerMetrics metrics, ServerSettings settings)
    {
        app.UseWebSockets();
        app.UseRouting();
        app.Use(next => context => gatekeeper.InvokeAsync(context, next));
        var executor = new Executor(host, gate, metrics, settings);
        new ExecEndpoints(executor, settings).Map(app);
        var admission = new Admission(host, settings);
        new SandboxEndpoints(host, admission, executor, settings).Map(app);
        new PointEndpoints(host, admission).Map(app);
        new SnapshotEndpoints(host, admission, executor, settings).Map(app);
        new TemplateEndpoints(host, admission).Map(app);
        new ProcessEndpoints(host, app.Lifetime.ApplicationStopping).Map(app);
        new FileEndpoints(host, app.Lifetime.ApplicationStopping).Map(app);
        new ServerEndpoints(host, metrics, app.Lifetime).Map(app);
        ApiDescription.Map(app);
    }

    private static string? AuditPath(ServerSettings settings) => settings.AuditFile switch
    {
        "off" => null,
        null => settings.Dev || settings.DataDirectory is null ? null : Path.Combine(settings.DataDirectory, "audit.jsonl"),
        var path => path,
    };

    private static LogLevel LevelOf(string name) => name switch
    {
        "debug" => LogLevel.Debug,
        "warning" => LogLevel.Warning,
        "error" => LogLevel.Error,
        _ => LogLevel.Information,
    };

    /// <summary>Says what is being built, once for each step.</summary>
    private sealed class BuildLog(ILogger logger) : IProgress<BuildStep>
    {
        private string? _last;

        public void Report(BuildStep value)
        {
            if (Interlocked.Exchange(ref _last, value.Text) != value.Text) logger.Building(value.Text.TrimEnd('.'));
        }
    }
}
