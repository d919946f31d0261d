using System.Text;

namespace Ramet.Sandboxes.Tests;

/// <summary>Forks on empty machines that stood ready.</summary>
public sealed class SpareMachineTests
{
    private static readonly SandboxOptions Options = new() { Timeout = TimeSpan.FromSeconds(60) };

    [Fact]
    public async Task Whatever_is_forked_it_answers_as_on_a_new_machine()
    {
        using var engine = new SandboxEngine(TestData.Directory) { SpareMachineCount = 1 };
        var template = await engine.Templates.EnsureAsync("python", cancellationToken: TestContext.Current.CancellationToken);
        var small = Options with { MemoryBytes = 192 << 20 };
        var two = Options with { VirtualCpus = 2 };
        Run(Options);
        foreach (var options in new[] { Options, Options, small, small, Options, two, two })
        {
            // Of the kind that was asked for last: a fork of the same kind takes it, and one of another kind does without.
            engine.RefillSpareMachines();
            Assert.Equal(1, engine.Spares.Ready);
            Run(options);
        }

        // One that goes on where another was, with what that has written.
        using var parent = new Session();
        parent.Sandbox = engine.Fork(template, Options with { Output = parent }, driven: false);
        parent.Sandbox.Execute(new ExecRequest { Code = "x = bytearray(8 << 20); x[::4096] = b'a' * 2048\nprint('ready', flush=True)\nprint(input(), sum(x))", OpenInput = true });
        parent.WaitFor("ready\n");
        using var snapshot = parent.Sandbox.Capture();
        for (int i = 0; i < 3; i++)
        {
            engine.RefillSpareMachines();
            Assert.Equal(1, engine.Spares.Ready);
            using var child = Session.Restore(engine, snapshot);
            child.Send($"{i}\n");
            child.WaitFor($"{i} {2048 * 'a'}\n");
        }

        void Run(SandboxOptions options)
        {
            var result = engine.Execute(template, new ExecRequest { Code = "import os, numpy as np\nprint(np.arange(10).mean(), os.cpu_count())" }, options);
            Assert.Equal($"4.5 {options.VirtualCpus}\n", Encoding.UTF8.GetString(result.Result.Stdout));
        }
    }

    [Fact]
    public async Task They_go_with_their_engine_and_when_they_are_not_wanted_any_more()
    {
        // Those of the tests before.
        TestData.Engine.WaitForTeardown();
        int before = TestData.CountMachines(TestData.Descriptors());
        using (var engine = new SandboxEngine(TestData.Directory) { SpareMachineCount = 3 })
        {
            var template = await engine.Templates.EnsureAsync("python", cancellationToken: TestContext.Current.CancellationToken);
            engine.Fork(template, Options).Dispose();
            engine.WaitForTeardown();
            engine.RefillSpareMachines();
            Assert.Equal(3, engine.Spares.Ready);
            engine.SpareMachineCount = 1;
            Assert.Equal(1, engine.Spares.Ready);
        }

        Assert.Equal(before, TestData.CountMachines(TestData.Descriptors()));
    }
}
