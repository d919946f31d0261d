namespace Ramet.Server.Configuration;

/// <summary>All that can be set of a server. docs/SERVER.md and <c>ramet serve --help</c> explain each.</summary>
public sealed class ServerSettings
{
    /// <summary>HOST:PORT, or unix:/path.</summary>
    public string Listen { get; set; } = "127.0.0.1:8080";

    /// <summary>Where images, templates and the audit log are; null: as for all commands.</summary>
    public string? DataDirectory { get; set; }

    /// <summary>No keys are asked for; loopback only.</summary>
    public bool Dev { get; set; }

    /// <summary>Templates to load at the start; null: <see cref="DefaultTemplates"/>. Others are loaded when they are first used.</summary>
    public IReadOnlyList<string>? Templates { get; set; }

    /// <summary>What is loaded when nothing is said of it. One of these that cannot be had is reported and left out.</summary>
    public static IReadOnlyList<string> DefaultTemplates { get; } = ["python", "node"];

    /// <summary>Where keys are; null: the default.</summary>
    public string? KeysFile { get; set; }

    /// <summary>How long running work may go on after SIGTERM.</summary>
    public double GraceSeconds { get; set; } = 30;

    /// <summary>debug, info, warning or error.</summary>
    public string LogLevel { get; set; } = "info";

    /// <summary>text or json.</summary>
    public string LogFormat { get; set; } = "text";

    /// <summary>Where the audit log goes; "off": nowhere; null: audit.jsonl in the data directory, and nowhere in development.</summary>
    public string? AuditFile { get; set; }

    /// <summary>Sandboxes that stand ready in each worker.</summary>
    public int PoolMin { get; set; } = 2;

    /// <summary>Most sandboxes kept ready in each worker.</summary>
    public int PoolMax { get; set; } = 8;

    /// <summary>Seconds after which an unused worker, with its pool, goes.</summary>
    public double PoolIdleSeconds { get; set; } = 300;

    /// <summary>Workers that stand ready for tenants who come for the first time.</summary>
    public int WorkerSpares { get; set; } = 1;

    /// <summary>All workers together.</summary>
    public int WorkersMax { get; set; } = 64;

    /// <summary>Sandboxes that run or live in one worker, before its tenant gets another.</summary>
    public int WorkerSandboxes { get; set; } = 32;

    /// <summary>Code that runs at the same time.</summary>
    public int Concurrency { get; set; } = Math.Max(2, Environment.ProcessorCount * 2);

    /// <summary>Requests that may wait for their turn.</summary>
    public int Queue { get; set; } = 1024;

    /// <summary>How long one may wait.</summary>
    public double QueueSeconds { get; set; } = 30;

    /// <summary>Largest body of a request, MiB (file uploads stream and are not limited by it).</summary>
    public int BodyMb { get; set; } = 32;

    /// <summary>Wall time of code that says nothing of it.</summary>
    public double TimeoutSeconds { get; set; } = 30;

    /// <summary>Most wall time that may be asked for.</summary>
    public double MaxTimeoutSeconds { get; set; } = 3600;

    /// <summary>Memory of a sandbox that says nothing of it, MiB.</summary>
    public int MemoryMb { get; set; } = 256;

    /// <summary>Most memory that may be asked for, MiB.</summary>
    public int MaxMemoryMb { get; set; } = 4096;

    /// <summary>What code may print, MiB.</summary>
    public int OutputMb { get; set; } = 16;

    /// <summary>Items of a batch.</summary>
    public int Batch { get; set; } = 100;

    /// <summary>Connections.</summary>
    public int Connections { get; set; } = 20000;

    /// <summary>Live sandboxes of the server.</summary>
    public int Sandboxes { get; set; } = 256;

    /// <summary>Requests a second for each key; 0: no limit.</summary>
    public double RatePerSecond { get; set; } = 1000;

    /// <summary>Requests that a key may make at once after a pause.</summary>
    public int Burst { get; set; } = 2000;

    /// <summary>Requests of a key that are under way at the same time.</summary>
    public int KeyConcurrency { get; set; } = 256;

    /// <summary>Live sandboxes of a key.</summary>
    public int KeySandboxes { get; set; } = 64;

    /// <summary>Directories of the host that sandboxes can have copies of, with all below them.</summary>
    public IReadOnlyList<string> MountsAllowed { get; set; } = [];

    /// <summary>Paused sandboxes of a key.</summary>
    public int KeyPaused { get; set; } = 256;

    /// <summary>Snapshots of a key.</summary>
    public int KeySnapshots { get; set; } = 256;

    /// <summary>Templates of a key's own.</summary>
    public int KeyTemplates { get; set; } = 16;

    /// <summary>Days after which a paused sandbox is removed.</summary>
    public double PausedDays { get; set; } = 30;

    /// <summary>Checkpoints of a sandbox.</summary>
    public int Checkpoints { get; set; } = 64;

    /// <summary>Memory of a sandbox's checkpoints together, MiB.</summary>
    public int CheckpointMb { get; set; } = 256;

    /// <summary>Largest snapshot that may be uploaded, MiB.</summary>
    public int SnapshotMb { get; set; } = 2048;

    /// <summary>Where OTLP metrics go, such as http://localhost:4317; null: nowhere.</summary>
    public string? OtlpEndpoint { get; set; }

    /// <summary>How often.</summary>
    public double OtlpIntervalSeconds { get; set; } = 15;

    /// <summary>~/.config/ramet, or what XDG_CONFIG_HOME says.</summary>
    public static string DefaultDirectory => Path.Combine(
        Environment.GetEnvironmentVariable("XDG_CONFIG_HOME") is ['/', ..] xdg ? xdg : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".config"), "ramet");

    /// <summary>The file of keys.</summary>
    public string KeysPath => KeysFile ?? Path.Combine(DefaultDirectory, "keys.json");
}
