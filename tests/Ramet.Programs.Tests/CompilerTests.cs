namespace Ramet.Programs.Tests;

/// <summary>Compilers, make, debugger; and that what they build runs in parallel.</summary>
public sealed class CompilerTests(Programs programs)
{
    [Fact]
    public void Gcc_and_make_build_a_project_in_parallel() => programs.Check("compile", ["g++", "make"]);

    [Fact]
    public void Threads_of_a_process_run_in_parallel_on_two_virtual_CPUs()
    {
        // Two threads hand a word to and fro, spinning, 20,000 times. Side by side that takes milliseconds; taking turns on one CPU it would take a time slice each time, minutes in all.
        // Then: how much longer two threads take to compute than one, at best, since other work may share the machine.
        const string Script = """
            cat > spin.c <<'X'
            #include <pthread.h>
            #include <stdatomic.h>
            #include <stdio.h>
            #include <time.h>
            static atomic_int turn;
            static void *hand(void *argument) {
                int me = argument != NULL;
                for (int i = 0; i < 20000; i++) { while (atomic_load(&turn) != me) __builtin_ia32_pause(); atomic_store(&turn, !me); }
                return argument;
            }
            static void *spin(void *argument) { volatile unsigned long n = 0; for (unsigned long i = 0; i < 100000000ul; i++) n += i; return argument; }
            static double run(void *(*body)(void *), int count) {
                struct timespec a, b; pthread_t threads[2];
                clock_gettime(CLOCK_MONOTONIC, &a);
                for (int i = 0; i < count; i++) pthread_create(&threads[i], NULL, body, i ? &turn : NULL);
                for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
                clock_gettime(CLOCK_MONOTONIC, &b);
                return (b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) / 1e9;
            }
            int main(void) {
                double best = 9;
                printf("%.3f\n", run(hand, 2));
                for (int i = 0; i < 12 && best > 1.6; i++) { double one = run(spin, 1), two = run(spin, 2); if (two / one < best) best = two / one; }
                printf("%.2f\n", best);
                return 0;
            }
            X
            gcc -O1 -pthread spin.c -o spin && nproc && ./spin
            """;
        if (Environment.ProcessorCount < 2) Assert.Skip("This machine has one CPU.");
        var outcome = programs.RunInSandbox("build", ["--cpus", "2"], "mkdir /work && cd /work\n" + Script);
        string[] lines = outcome.Stdout.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.True(outcome.ExitCode == 0 && lines.Length == 3, outcome.Stdout + outcome.Stderr);
        Assert.Equal("2", lines[0]);
        Assert.True(Number(lines[1]) < 20, $"40,000 hand-overs between two threads took {lines[1]} s.");
        Assert.True(Number(lines[2]) < 1.7, $"Two threads on two virtual CPUs take {lines[2]} times as long as one thread.");

        static double Number(string text) => double.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
    }

    [Fact]
    public void Gdb_debugs_programs() => programs.Check("gdb", ["gdb"]);

    [Fact]
    public void Strace_traces_programs() => programs.Check("strace", ["strace"]);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void Nproc_says_how_many_virtual_CPUs_there_are(int count)
    {
        var outcome = programs.RunInSandbox("shell", ["--cpus", $"{count}"], "nproc; nproc --all; grep -c ^processor /proc/cpuinfo; getconf _NPROCESSORS_ONLN; taskset -c 0 nproc");
        Assert.Equal($"{count}\n{count}\n{count}\n{count}\n1\n", outcome.Stdout);
    }
}
