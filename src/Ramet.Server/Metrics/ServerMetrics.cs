using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Ramet.Sandboxes;
using Ramet.Sandboxes.Hosting;
using Ramet.Server.Scheduling;

namespace Ramet.Server.Metrics;

/// <summary>What the server counts: for GET /v1/metrics, and as .NET instruments for OTLP.</summary>
internal sealed class ServerMetrics : IDisposable
{
    /// <summary>Name of the meter.</summary>
    public const string MeterName = "Ramet";

    private static readonly double[] s_seconds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

    private readonly ConcurrentDictionary<(string Template, string Outcome), StrongCount> _execs = [];
    private readonly ConcurrentDictionary<(string Route, int Status), StrongCount> _requests = [];
    private readonly BucketCounts _fork = new(s_seconds), _exec = new(s_seconds), _total = new(s_seconds), _queue = new(s_seconds);
    private readonly Meter _meter = new(MeterName);
    private readonly Histogram<double> _forkInstrument, _execInstrument, _totalInstrument;
    private readonly Counter<long> _execInstrumentCount;
    private readonly IExecHost _host;
    private readonly FairGate _gate;
    private readonly long _started = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();

    public ServerMetrics(IExecHost host, FairGate gate)
    {
        _host = host;
        _gate = gate;
        _forkInstrument = _meter.CreateHistogram<double>("ramet.fork.duration", "s", "Time to make a sandbox.");
        _execInstrument = _meter.CreateHistogram<double>("ramet.exec.duration", "s", "Time that code ran.");
        _totalInstrument = _meter.CreateHistogram<double>("ramet.total.duration", "s", "Both.");
        _execInstrumentCount = _meter.CreateCounter<long>("ramet.execs", "{exec}", "Code that was run.");
        _meter.CreateObservableGauge("ramet.sandboxes.running", () => _host.Statistics.Running, "{sandbox}", "Sandboxes that run code.");
        _meter.CreateObservableGauge("ramet.sandboxes.pooled", () => _host.Statistics.Pooled, "{sandbox}", "Sandboxes that stand ready.");
        _meter.CreateObservableGauge("ramet.sandboxes.live", () => _host.Statistics.Live, "{sandbox}", "Sandboxes that live on between requests.");
        _meter.CreateObservableGauge("ramet.queue.waiting", () => _gate.Waiting, "{request}", "Requests that wait for their turn.");
    }

    /// <summary>Code has run.</summary>
    public void OnExec(string template, SandboxEnd end, double forkSeconds, double execSeconds)
    {
        string outcome = end switch
        {
            SandboxEnd.Exited => "exited",
            SandboxEnd.TimedOut => "timeout",
            SandboxEnd.OutOfMemory => "memory",
            SandboxEnd.OutputLimit => "output",
            SandboxEnd.Killed => "killed",
            _ => "failed",
        };
        _execs.GetOrAdd((template, outcome), static _ => new StrongCount()).Add();
        _fork.Add(forkSeconds);
        _exec.Add(execSeconds);
        _total.Add(forkSeconds + execSeconds);
        _forkInstrument.Record(forkSeconds);
        _execInstrument.Record(execSeconds);
        _totalInstrument.Record(forkSeconds + execSeconds);
        _execInstrumentCount.Add(1, new KeyValuePair<string, object?>("template", template), new KeyValuePair<string, object?>("outcome", outcome));
    }

    /// <summary>A request has waited for its turn.</summary>
    public void OnQueued(double seconds) => _queue.Add(seconds);

    /// <summary>A request was answered.</summary>
    public void OnRequest(string route, int status) => _requests.GetOrAdd((route, status), static _ => new StrongCount()).Add();

    /// <summary>All of it, in Prometheus's format.</summary>
    public string Expose()
    {
        var text = new Exposition();
        text.Begin("ramet_execs_total", "counter", "Code that was run, by template and how it ended.");
        foreach (var (key, count) in _execs.OrderBy(pair => pair.Key)) text.Value("ramet_execs_total", count.Value, ("template", key.Template), ("outcome", key.Outcome));
        text.Begin("ramet_http_requests_total", "counter", "Requests, by route and status.");
        foreach (var (key, count) in _requests.OrderBy(pair => pair.Key))
            text.Value("ramet_http_requests_total", count.Value, ("route", key.Route), ("status", key.Status.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        _fork.WriteTo(text, "ramet_fork_seconds", "Time to make a sandbox.");
        _exec.WriteTo(text, "ramet_exec_seconds", "Time that code ran.");
        _total.WriteTo(text, "ramet_total_seconds", "Both.");
        _queue.WriteTo(text, "ramet_queue_seconds", "Time that requests waited for their turn.");
        var host = _host.Statistics;
        text.Single("ramet_sandboxes_running", "gauge", "Sandboxes that run code for a request.", host.Running);
        text.Single("ramet_sandboxes_live", "gauge", "Sandboxes that live on between requests.", host.Live);
        text.Single("ramet_sandboxes_pooled", "gauge", "Sandboxes that stand ready.", host.Pooled);
        text.Single("ramet_sandbox_memory_bytes", "gauge", "Memory that live sandboxes use.", host.LiveMemoryBytes);
        text.Single("ramet_workers", "gauge", "Worker processes, in which sandboxes live.", host.Workers);
        text.Single("ramet_workers_resident_memory_bytes", "gauge", "Resident memory of the workers; pages that they share are counted in each.", host.WorkerResidentBytes);
        text.Single("ramet_pool_hits_total", "counter", "Runs that found a sandbox ready.", host.PoolHits);
        text.Single("ramet_pool_misses_total", "counter", "Runs that had to fork.", host.PoolMisses);
        text.Single("ramet_machines_recycled_total", "counter", "Machines that were taken back to their template and used again.", host.Recycled);
        text.Single("ramet_queue_waiting", "gauge", "Requests that wait for their turn.", _gate.Waiting);
        using var process = Process.GetCurrentProcess();
        text.Single("process_resident_memory_bytes", "gauge", "Resident memory of the server.", process.WorkingSet64);
        text.Single("process_cpu_seconds_total", "counter", "CPU time of the server, without its workers.", process.TotalProcessorTime.TotalSeconds);
        text.Single("process_threads", "gauge", "Threads of the server.", process.Threads.Count);
        text.Single("process_start_time_seconds", "gauge", "When the server started, seconds since 1970.", _started / 1000.0);
        text.Single("ramet_managed_heap_bytes", "gauge", "Memory of .NET objects.", GC.GetTotalMemory(forceFullCollection: false));
        return text.ToString();
    }

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();

    private sealed class StrongCount
    {
        private long _value;

        public long Value => Volatile.Read(ref _value);

        public void Add() => Interlocked.Increment(ref _value);
    }
}
