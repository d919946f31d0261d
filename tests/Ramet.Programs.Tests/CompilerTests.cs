namespace Ramet.Programs.Tests;

/// <summary>Compilers, make, debugger; and that what they build runs in parallel.</summary>
public sealed class CompilerTests(Programs programs)
{
    [Fact]
    public void Gcc_and_make_build_a_project_in_parallel() => programs.Check("compile", ["g++", "make"]);

    [Fact]
    public void Threads_of_a_process_run_in_parallel_on_two_virtual_CPUs()
    {
        // Each count runs alone and then twice at once. On one CPU two take twice as long, on two as long as one; the bar lies between, since other work may share the machine.
        const string Script = """
            cat > spin.c <<'X'
            #include <pthread.h>
            #include <stdio.h>
            #include <stdlib.h>
            #include <time.h>
            static void *spin(void *argument) { volatile unsigned long n = 0; for (unsigned long i = 0; i < 400000000ul; i++) n += i; return argument; }
            static double run(int count) {
                struct timespec a, b; pthread_t threads[2];
                clock_gettime(CLOCK_MONOTONIC, &a);
                for (int i = 0; i < count; i++) pthread_create(&threads[i], NULL, spin, NULL);
                for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
                clock_gettime(CLOCK_MONOTONIC, &b);
                return (b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) / 1e9;
            }
            int main(void) {
                double best = 9;
                for (int i = 0; i < 3; i++) { double one = run(1), two = run(2); if (two / one < best) best = two / one; }
                printf("%.2f\n", best);
                return 0;
            }
            X
            gcc -O1 -pthread spin.c -o spin && nproc && ./spin
            """;
        if (Environment.ProcessorCount < 2) Assert.Skip("This machine has one CPU.");
        var outcome = programs.RunInSandbox("build", ["--cpus", "2"], "mkdir /work && cd /work\n" + Script);
        string[] lines = outcome.Stdout.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.True(outcome.ExitCode == 0 && lines.Length == 2, outcome.Stdout + outcome.Stderr);
        Assert.Equal("2", lines[0]);
        double ratio = double.Parse(lines[1], System.Globalization.CultureInfo.InvariantCulture);
        Assert.True(ratio < 1.7, $"Two threads on two virtual CPUs take {ratio} times as long as one thread.");
    }

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
