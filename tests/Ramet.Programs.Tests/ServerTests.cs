namespace Ramet.Programs.Tests;

/// <summary>Databases and servers under load, over loopback, inside one sandbox.</summary>
public sealed class ServerTests(Programs programs)
{
    [Fact]
    public void Sqlite_keeps_its_promises_with_concurrent_writers_and_after_kill_9() => programs.Check("sqlite", ["sqlite3"]);

    [Fact]
    public void Redis_serves_its_benchmark_and_survives_kill_9() => programs.Check("redis", bare: null);

    [Fact]
    public void Nginx_serves_wrk_and_reloads() => programs.Check("nginx", bare: null);

    [Fact]
    public void PostgreSQL_runs_pgbench_and_recovers_after_kill_9() => programs.Check("postgres", bare: null);
}
