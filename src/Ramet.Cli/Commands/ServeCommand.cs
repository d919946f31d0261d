using System.CommandLine;
using System.Diagnostics;
using Ramet.Cli.Input;
using Ramet.Sandboxes;
using Ramet.Sandboxes.Durable;
using Ramet.Sandboxes.Workers;
using Ramet.Server;
using Ramet.Server.Configuration;

namespace Ramet.Cli.Commands;

/// <summary><c>ramet serve</c>: the daemon.</summary>
internal static class ServeCommand
{
    /// <summary>Defines the command.</summary>
    public static Command Create(GlobalOptions globals)
    {
        var config = new Option<string?>("--config") { Description = "The file of settings. Else RAMET_CONFIG, ~/.config/ramet/config.toml.", HelpName = "FILE" };
        var listen = new Option<string?>("--listen") { Description = "Where to listen: HOST:PORT, or unix:/PATH. Default: 127.0.0.1:8080.", HelpName = "ADDRESS" };
        var dev = Flag.Create("--dev", null, "Asks for no keys, and listens on loopback only.");
        var command = new TaughtCommand("serve", "Serves the HTTP API: code in fresh forks, and sandboxes with a life. GET /docs explains it, GET /openapi.json describes it.")
        {
            Notes = Notes(),
            Examples =
            [
                ("ramet serve --dev", "For this machine only, without keys."),
                ("ramet key create --name agent && ramet serve --listen 0.0.0.0:8080", "For others; they send the key: Authorization: Bearer rmt_live_..."),
                ("curl -H 'Content-Type: application/json' -d '{\"code\": \"print(1+1)\"}' http://127.0.0.1:8080/v1/exec", "Runs code."),
            ],
        };
        foreach (var option in (Option[])[config, listen, dev]) command.Options.Add(option);
        command.SetAction(parse => Run(
            parse.GetValue(config), parse.GetValue(listen), parse.Has(dev), parse.GetValue(globals.DataDirectoryOption), globals.KvmDevice(parse)));
        return command;
    }

    // A method of its own: what it needs of ASP.NET Core is loaded when it runs.
    private static int Run(string? config, string? listen, bool dev, string? dataDirectory, string kvmDevice)
    {
        try
        {
            var settings = SettingsReader.Read(config, Environment.GetEnvironmentVariables());
            settings.Listen = listen ?? settings.Listen;
            settings.Dev |= dev;
            settings.DataDirectory = DataDirectory.Resolve(dataDirectory ?? settings.DataDirectory);
            long started = Stopwatch.GetTimestamp() - (long)((DateTime.UtcNow - Process.GetCurrentProcess().StartTime.ToUniversalTime()).TotalSeconds * Stopwatch.Frequency);
            var pool = new SandboxPoolOptions { Minimum = settings.PoolMin, Maximum = settings.PoolMax, MemoryBytes = (ulong)settings.MemoryMb << 20 };
            var workers = new WorkerOptions
            {
                Command = () => WorkerCommand.ToStart(settings.DataDirectory, kvmDevice, pool),
                SandboxesPerWorker = settings.WorkerSandboxes,
                Spares = settings.WorkerSpares,
                Maximum = settings.WorkersMax,
                IdleTime = TimeSpan.FromSeconds(settings.PoolIdleSeconds),
            };
            RametServer.RunAsync(
                settings,
                () => Engine.Open(settings.DataDirectory, kvmDevice),
                (engine, progress) => new DurableSandboxHost(new WorkerSandboxHost(engine, workers, progress), engine, TimeSpan.FromDays(settings.PausedDays)),
                started).GetAwaiter().GetResult();
            return 0;
        }
        catch (ConfigurationException e)
        {
            throw new UsageException(e.Message);
        }
    }

    private static string Notes() => "Settings, in the file as TOML (pool.min is min in the table [pool]) or as variables (RAMET_POOL_MIN):\n"
        + string.Concat(SettingsReader.Describe().Select(setting => $"  {setting.Name,-26} {setting.Meaning}\n"));
}
