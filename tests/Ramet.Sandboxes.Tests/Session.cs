using System.Text;

namespace Ramet.Sandboxes.Tests;

/// <summary>A sandbox with a program that talks over its standard streams.</summary>
internal sealed class Session : IOutputReceiver, IDisposable
{
    private static readonly SandboxOptions Options = new() { Timeout = TimeSpan.FromSeconds(60) };

    private readonly StringBuilder _output = new();

    public Sandbox Sandbox { get; set; } = null!;

    public string Output
    {
        get
        {
            lock (_output) return _output.ToString();
        }
    }

    public void Write(int stream, ReadOnlySpan<byte> bytes)
    {
        lock (_output)
        {
            _output.Append(Encoding.UTF8.GetString(bytes));
            Monitor.PulseAll(_output);
        }
    }

    public void Send(string text) => Sandbox.WriteInput(Encoding.UTF8.GetBytes(text));

    public void WaitFor(string expected)
    {
        lock (_output)
        {
            var deadline = DateTime.UtcNow.AddSeconds(40);
            while (_output.Length < expected.Length && Monitor.Wait(_output, TimeSpan.FromSeconds(1)) | DateTime.UtcNow < deadline)
            {
            }

            Assert.Equal(expected, _output.ToString());
        }
    }

    public static async Task<Session> StartAsync(string code)
    {
        var template = await TestData.Engine.Templates.EnsureAsync("python", cancellationToken: TestContext.Current.CancellationToken);
        var session = new Session();
        session.Sandbox = TestData.Engine.Fork(template, Options with { Output = session }, driven: false);
        session.Sandbox.Execute(new ExecRequest { Code = code, OpenInput = true });
        return session;
    }

    /// <summary>A sandbox that goes on from a snapshot.</summary>
    public static Session Restore(SandboxEngine engine, SandboxSnapshot snapshot)
    {
        var session = new Session();
        session.Sandbox = engine.Restore(snapshot, Options with { Output = session }, driven: false);
        return session;
    }

    public Session Branch() => Branch(out _);

    public Session Branch(out long length)
    {
        using var snapshot = Sandbox.Capture();
        length = snapshot.Length;
        return Restore(TestData.Engine, snapshot);
    }

    public void Dispose() => Sandbox.Dispose();
}
