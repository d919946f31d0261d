using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Xunit;

namespace Ramet.Abi.Tests;

/// <summary>Values of C expressions, from the machine's compiler and its Linux headers.</summary>
internal static partial class CompilerFacts
{
    private const string Headers = """
        #define _GNU_SOURCE
        #include <stddef.h>
        #include <stdio.h>
        #include <dirent.h>
        #include <elf.h>
        #include <errno.h>
        #include <fcntl.h>
        #include <poll.h>
        #include <sched.h>
        #include <signal.h>
        #include <time.h>
        #include <unistd.h>
        #include <utime.h>
        #include <sys/auxv.h>
        #include <sys/epoll.h>
        #include <sys/eventfd.h>
        #include <sys/file.h>
        #include <mqueue.h>
        #include <sys/inotify.h>
        #include <sys/ipc.h>
        #include <sys/mman.h>
        #include <sys/msg.h>
        #include <sys/mount.h>
        #include <sys/prctl.h>
        #include <sys/random.h>
        #include <sys/resource.h>
        #include <sys/sem.h>
        #include <sys/shm.h>
        #include <sys/signalfd.h>
        #include <sys/socket.h>
        #include <sys/stat.h>
        #include <sys/statfs.h>
        #include <sys/syscall.h>
        #include <sys/sysinfo.h>
        #include <sys/time.h>
        #include <sys/timerfd.h>
        #include <sys/times.h>
        #include <sys/timex.h>
        #include <sys/uio.h>
        #include <sys/un.h>
        #include <sys/wait.h>
        #include <sys/xattr.h>
        #include <netinet/in.h>
        #include <netinet/tcp.h>
        #include <asm/prctl.h>
        #include <linux/capability.h>
        #include <linux/falloc.h>
        #include <linux/futex.h>
        #include <linux/membarrier.h>
        #include <linux/openat2.h>
        #define sched_param kernel_sched_param /* The C library has it, too. */
        #include <linux/sched/types.h>
        #undef sched_param
        """;

    /// <summary>
    /// Evaluates expressions. Those that use names which these headers do not have (they are older) are left out.
    /// </summary>
    public static Dictionary<string, long> Evaluate(IReadOnlyCollection<string> expressions)
    {
        string folder = Directory.CreateTempSubdirectory("ramet-abi-").FullName;
        try
        {
            var known = expressions.ToList();
            string errors = "";
            for (int round = 0; round < 3; round++)
            {
                var (code, output, text) = CompileAndRun(folder, known);
                if (code == 0) return Parse(known, output);
                errors = text;
                var unknown = Undeclared().Matches(text).Select(match => int.Parse(match.Groups["line"].Value, CultureInfo.InvariantCulture) - 1).ToHashSet();
                if (unknown.Count == 0) break;
                known = [.. known.Where((_, index) => !unknown.Contains(index))];
            }

            throw new InvalidOperationException("The compiler refuses what it was asked: " + errors);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static (int Code, string Output, string Errors) CompileAndRun(string folder, List<string> expressions)
    {
        var source = new StringBuilder(Headers).Append('\n');
        // A function for each: the compiler names an unknown identifier once per function. The line number says which.
        for (int i = 0; i < expressions.Count; i++)
            source.Append(CultureInfo.InvariantCulture, $"#line {i + 1} \"fact\"\nlong long fact{i}(void) {{ return (long long)({expressions[i]}); }}\n");
        source.Append("int main(void) {\n");
        for (int i = 0; i < expressions.Count; i++) source.Append(CultureInfo.InvariantCulture, $"printf(\"%lld\\n\", fact{i}());\n");
        source.Append("return 0; }\n");
        string input = Path.Combine(folder, "facts.c");
        string program = Path.Combine(folder, "facts");
        File.WriteAllText(input, source.ToString());
        var (code, _, errors) = Run("gcc", "-w", "-O0", "-fmax-errors=0", "-o", program, input);
        if (code != 0) return (code, "", errors);
        var (exit, output, failure) = Run(program);
        return (exit, output, failure);
    }

    private static Dictionary<string, long> Parse(List<string> expressions, string output)
    {
        string[] lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(expressions.Count, lines.Length);
        var facts = new Dictionary<string, long>();
        for (int i = 0; i < lines.Length; i++) facts[expressions[i]] = long.Parse(lines[i], CultureInfo.InvariantCulture);
        return facts;
    }

    private static (int Code, string Output, string Error) Run(string command, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        var error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.GetAwaiter().GetResult());
    }

    // fact:12:40: error: 'X' undeclared. Lines count from 1, facts from 0.
    [GeneratedRegex(@"^fact:(?<line>\d+):\d+: error: [^\n]*undeclared", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10000)]
    private static partial Regex Undeclared();
}
