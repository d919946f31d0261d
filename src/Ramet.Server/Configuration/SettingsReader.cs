using System.Collections;
using System.Globalization;
using Ramet.Images.Specs;

namespace Ramet.Server.Configuration;

/// <summary>Settings from a file and from the environment, checked: nothing that is not understood is passed over.</summary>
public static class SettingsReader
{
    private const string Prefix = "RAMET_";

    /// <summary>Variables that are not settings of the server.</summary>
    private static readonly string[] s_otherVariables =
    [
        "RAMET_KVM_DEVICE", "RAMET_DEBUG", "RAMET_TRACE_STARTUP", "RAMET_LAUNCHED_AT", "RAMET_UPDATE_DOCS", "RAMET_API_KEY", "RAMET_BASE_URL", "RAMET_URL", "RAMET_SERVER", "RAMET_CONFIG",
    ];

    private static readonly Setting[] s_settings =
    [
        Text("listen", "Address: HOST:PORT, or unix:/PATH.", (s, v) => s.Listen = v),
        Text("data_dir", "Where images and templates are.", (s, v) => s.DataDirectory = v),
        Flag("dev", "Asks for no keys; listens on loopback only.", (s, v) => s.Dev = v),
        new("templates", "Templates to load at the start, the one that is used most first. Others on disk are loaded when they are used.", Kind.List, (s, v) => s.Templates = (IReadOnlyList<string>)v),
        Text("keys_file", "Where keys are (see: ramet key create).", (s, v) => s.KeysFile = v),
        Number("grace_seconds", "How long running work may go on after SIGTERM.", 0, 86400, (s, v) => s.GraceSeconds = v),
        Choice("log.level", "How much is logged.", ["debug", "info", "warning", "error"], (s, v) => s.LogLevel = v),
        Choice("log.format", "How log lines look.", ["text", "json"], (s, v) => s.LogFormat = v),
        Text("log.audit_file", "Where the audit log goes; 'off': nowhere.", (s, v) => s.AuditFile = v),
        Whole("pool.min", "Sandboxes kept ready in each worker.", 0, 1000, (s, v) => s.PoolMin = v),
        Whole("pool.max", "Most sandboxes kept ready in each worker.", 0, 1000, (s, v) => s.PoolMax = v),
        Number("pool.idle_seconds", "A worker that is unused for this long goes, and its pool with it.", 0.1, 1e6, (s, v) => s.PoolIdleSeconds = v),
        Whole("workers.spares", "Worker processes that stand ready for keys that come for the first time.", 0, 100, (s, v) => s.WorkerSpares = v),
        Whole("workers.max", "Worker processes in all; each serves one key.", 1, 10000, (s, v) => s.WorkersMax = v),
        Whole("workers.sandboxes", "Sandboxes that run or live in one worker before its key gets another.", 1, 1000, (s, v) => s.WorkerSandboxes = v),
        Whole("limits.concurrency", "Code that runs at the same time.", 1, 4096, (s, v) => s.Concurrency = v),
        Whole("limits.queue", "Requests that may wait for their turn; more get 503.", 0, 1000000, (s, v) => s.Queue = v),
        Number("limits.queue_seconds", "How long one waits at most; then it gets 503.", 0, 3600, (s, v) => s.QueueSeconds = v),
        Whole("limits.body_mb", "Largest body of a request, MiB; uploads of files are not meant.", 1, 1024, (s, v) => s.BodyMb = v),
        Number("limits.timeout_seconds", "Wall time of code that says nothing of it.", 0.001, 1e6, (s, v) => s.TimeoutSeconds = v),
        Number("limits.max_timeout_seconds", "Most wall time that may be asked for.", 0.001, 1e6, (s, v) => s.MaxTimeoutSeconds = v),
        Whole("limits.memory_mb", "Memory of a sandbox that says nothing of it, MiB.", 16, 1 << 20, (s, v) => s.MemoryMb = v),
        Whole("limits.max_memory_mb", "Most memory that may be asked for, MiB.", 16, 1 << 20, (s, v) => s.MaxMemoryMb = v),
        Whole("limits.output_mb", "What code may print, MiB.", 1, 1024, (s, v) => s.OutputMb = v),
        Whole("limits.batch", "Items of a batch.", 1, 10000, (s, v) => s.Batch = v),
        Whole("limits.connections", "Connections at the same time.", 1, 1000000, (s, v) => s.Connections = v),
        Whole("limits.sandboxes", "Live sandboxes of the server.", 0, 100000, (s, v) => s.Sandboxes = v),
        new("mounts.allow", "Host directories that sandboxes can have copies of ('mounts').", Kind.List, (s, v) => s.MountsAllowed = (IReadOnlyList<string>)v),
        Whole("limits.checkpoints", "Checkpoints of a sandbox.", 0, 10000, (s, v) => s.Checkpoints = v),
        Whole("limits.checkpoint_mb", "Memory of a sandbox's checkpoints together, MiB.", 1, 1 << 20, (s, v) => s.CheckpointMb = v),
        Whole("limits.snapshot_mb", "Largest snapshot that may be uploaded, MiB.", 1, 1 << 20, (s, v) => s.SnapshotMb = v),
        Number("limits.paused_days", "A paused sandbox is removed after this many days.", 0.0001, 36500, (s, v) => s.PausedDays = v),
        Number("keys.rate_per_second", "Requests a second for each key; 0: no limit.", 0, 1e9, (s, v) => s.RatePerSecond = v),
        Whole("keys.burst", "Requests that a key may make at once after a pause.", 1, 1000000000, (s, v) => s.Burst = v),
        Whole("keys.concurrency", "Requests of a key that are under way at the same time.", 1, 1000000, (s, v) => s.KeyConcurrency = v),
        Whole("keys.sandboxes", "Live sandboxes of a key.", 0, 100000, (s, v) => s.KeySandboxes = v),
        Whole("keys.paused", "Paused sandboxes of a key.", 0, 1000000, (s, v) => s.KeyPaused = v),
        Whole("keys.snapshots", "Snapshots of a key.", 0, 1000000, (s, v) => s.KeySnapshots = v),
        Whole("keys.templates", "Templates of a key's own; each that is used is in the server's memory.", 0, 1000000, (s, v) => s.KeyTemplates = v),
        Text("otlp.endpoint", "Where OTLP metrics go, such as http://localhost:4317.", (s, v) => s.OtlpEndpoint = v),
        Number("otlp.interval_seconds", "How often.", 1, 86400, (s, v) => s.OtlpIntervalSeconds = v),
    ];

    private enum Kind
    {
        Text, Whole, Number, Flag, List,
    }

    /// <summary>Names and meanings of all settings, for help.</summary>
    public static IEnumerable<(string Name, string Meaning)> Describe() => s_settings.Select(setting => (setting.Name, setting.Meaning));

    /// <summary>The settings: defaults, then the file, then RAMET_* variables.</summary>
    /// <param name="file">The file; null: config.toml in the default directory, if there is one.</param>
    /// <param name="environment">Environment variables.</param>
    /// <exception cref="ConfigurationException">Something cannot be used.</exception>
    public static ServerSettings Read(string? file, IDictionary environment)
    {
        ArgumentNullException.ThrowIfNull(environment);
        var settings = new ServerSettings();
        file ??= environment["RAMET_CONFIG"] as string;
        string path = file ?? Path.Combine(ServerSettings.DefaultDirectory, "config.toml");
        if (file is not null || File.Exists(path)) ReadFile(settings, path);
        ReadEnvironment(settings, environment);
        Check(settings);
        return settings;
    }

    private static void ReadFile(ServerSettings settings, string path)
    {
        string text;
        try
        {
            text = File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"{path} cannot be read: {e.Message}");
        }

        foreach (var entry in TomlReader.Read(path, text))
        {
            string where = $"{path}:{entry.Line}";
            var setting = Array.Find(s_settings, candidate => candidate.Name == entry.Key)
                ?? throw new ConfigurationException($"{where}: unknown key '{entry.Key}'.{NearestName.Suggest(entry.Key, s_settings.Select(candidate => candidate.Name))}");
            setting.Apply(settings, entry.Value, where);
        }
    }

    private static void ReadEnvironment(ServerSettings settings, IDictionary environment)
    {
        foreach (string name in environment.Keys.Cast<string>().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            if (s_otherVariables.Contains(name, StringComparer.Ordinal) || name.StartsWith("RAMET_TEST_", StringComparison.Ordinal)) continue;
            if (environment[name] is not string { Length: > 0 } value) continue;
            var setting = Array.Find(s_settings, candidate => candidate.Variable == name) ?? throw new ConfigurationException(
                $"environment: unknown variable '{name}'.{NearestName.Suggest(name, s_settings.Select(candidate => candidate.Variable).Concat(s_otherVariables))}");
            setting.Apply(settings, setting.FromText(value), $"environment: {name}");
        }
    }

    private static void Check(ServerSettings settings)
    {
        if (settings.PoolMin > settings.PoolMax) throw new ConfigurationException($"pool.min ({settings.PoolMin}) is more than pool.max ({settings.PoolMax}).");
        if (settings.MemoryMb > settings.MaxMemoryMb) throw new ConfigurationException($"limits.memory_mb ({settings.MemoryMb}) is more than limits.max_memory_mb ({settings.MaxMemoryMb}).");
        if (settings.TimeoutSeconds > settings.MaxTimeoutSeconds)
            throw new ConfigurationException(FormattableString.Invariant($"limits.timeout_seconds ({settings.TimeoutSeconds}) is more than limits.max_timeout_seconds ({settings.MaxTimeoutSeconds})."));
        if (settings.OtlpEndpoint is { } endpoint && !(Uri.TryCreate(endpoint, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"))
            throw new ConfigurationException($"otlp.endpoint takes a URL such as http://localhost:4317, not '{endpoint}'.");
    }

    private static Setting Text(string name, string meaning, Action<ServerSettings, string> apply) => new(name, meaning, Kind.Text, (s, v) => apply(s, (string)v));

    private static Setting Flag(string name, string meaning, Action<ServerSettings, bool> apply) => new(name, meaning, Kind.Flag, (s, v) => apply(s, (bool)v));

    private static Setting Choice(string name, string meaning, string[] choices, Action<ServerSettings, string> apply) =>
        new(name, meaning, Kind.Text, (s, v) => apply(s, (string)v)) { Choices = choices };

    private static Setting Whole(string name, string meaning, int least, int most, Action<ServerSettings, int> apply) =>
        new(name, meaning, Kind.Whole, (s, v) => apply(s, (int)(long)v)) { Least = least, Most = most };

    private static Setting Number(string name, string meaning, double least, double most, Action<ServerSettings, double> apply) =>
        new(name, meaning, Kind.Number, (s, v) => apply(s, v is long whole ? whole : (double)v)) { Least = least, Most = most };

    private sealed record Setting(string Name, string Meaning, Kind Kind, Action<ServerSettings, object> Set)
    {
        public string[] Choices { get; init; } = [];

        public double Least { get; init; }

        public double Most { get; init; }

        public string Variable => Prefix + Name.Replace('.', '_').ToUpperInvariant();

        private string Wanted => Kind switch
        {
            Kind.Flag => "true or false",
            Kind.List => "a list of names, such as [\"python\"]",
            Kind.Whole => FormattableString.Invariant($"a whole number from {Least} to {Most}"),
            Kind.Number => FormattableString.Invariant($"a number from {Least} to {Most}"),
            _ when Choices.Length > 0 => string.Join(", ", Choices),
            _ => "text in quotes",
        };

        public object FromText(string text)
        {
            switch (Kind)
            {
                case Kind.Flag when text is "1" or "true":
                    return true;
                case Kind.Flag when text is "0" or "false":
                    return false;
                case Kind.List:
                    return text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Cast<object>().ToList();
                case Kind.Whole or Kind.Number when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole):
                    return whole;
                case Kind.Number when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number):
                    return number;
                default:
                    return text;
            }
        }

        public void Apply(ServerSettings settings, object value, string where)
        {
            bool right = Kind switch
            {
                Kind.Flag => value is bool,
                Kind.Whole => value is long whole && whole >= Least && whole <= Most,
                Kind.Number => value is long or double && Convert.ToDouble(value, CultureInfo.InvariantCulture) is var number && number >= Least && number <= Most,
                Kind.List => value is List<object> list && list.TrueForAll(item => item is string),
                _ => value is string text && (Choices.Length == 0 || Choices.Contains(text, StringComparer.Ordinal)),
            };
            if (!right)
            {
                string given = value is List<object> ? "a list" : string.Create(CultureInfo.InvariantCulture, $"'{value}'");
                string hint = value is string word ? NearestName.Suggest(word, Choices) : "";
                throw new ConfigurationException($"{where}: {Name} takes {Wanted}, not {given}.{hint}");
            }

            Set(settings, value is List<object> items ? items.Cast<string>().ToList() : value);
        }
    }
}
