using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using Ramet.Cli.Input;
using Ramet.Cli.Output;
using Ramet.Host;
using Ramet.Images;
using Ramet.Kvm;
using Ramet.Sandboxes;

namespace Ramet.Cli.Commands;

/// <summary><c>ramet doctor</c>: what this machine has, what it lacks, and the command that mends it.</summary>
internal static class DoctorCommand
{
    private const long LeastSpace = 1L << 30;
    private const long LeastMemory = 512L << 20;

    /// <summary>Defines the command.</summary>
    public static Command Create(GlobalOptions globals)
    {
        var command = new TaughtCommand("doctor", "Checks this machine, and says what to do about what is missing.")
        {
            Notes = """
                Notes:
                  Each line begins with ok, note or FAIL; the exit code is 1 when something fails. KVM is tried out with a small
                  machine of its own. An exit is the way from a program to Ramet and back, which each system call takes.
                """,
        };
        command.SetAction(parse => new Examination().Run(globals.DataDirectory(parse), globals.KvmDevice(parse)));
        return command;
    }

    private sealed class Examination
    {
        private bool _failed;

        public int Run(string dataDirectory, string kvmDevice)
        {
            CheckSystem();
            CheckKvm(kvmDevice);
            CheckTools();
            CheckData(dataDirectory);
            CheckMemory();
            Line(_failed ? "FAIL" : "ok", "result", _failed ? "something is missing: see the lines with FAIL" : "this machine can run Ramet");
            return _failed ? 1 : 0;
        }

        private static void Line(string state, string subject, string text) => StandardStream.Write(1, $"{state,-5} {subject,-12} {text}\n");

        private static void Ok(string subject, string text) => Line("ok", subject, text);

        private static void Note(string subject, string text) => Line("note", subject, text);

        private void Fail(string subject, string text)
        {
            _failed = true;
            Line("FAIL", subject, text);
        }

        private void CheckSystem()
        {
            string kernel = ReadFirstLine("/proc/sys/kernel/osrelease") ?? "?";
            string cpu = Find("/proc/cpuinfo", "model name") ?? "unknown CPU";
            string text = $"Linux {kernel}, {cpu}, {Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture)} CPUs";
            if (RuntimeInformation.OSArchitecture == Architecture.X64) Ok("system", text);
            else Fail("system", $"{text}: Ramet runs on x86-64 only");
        }

        private void CheckKvm(string path)
        {
            try
            {
                using var device = KvmDevice.Open(path);
                Ok("kvm", $"{path}, up to {device.MaxVcpus.ToString(CultureInfo.InvariantCulture)} virtual CPUs a machine");
                var report = MachineProbe.Get(device);
                Ok("paging", report.Regime switch
                {
                    PagingRegime.Paravirtual => "paravirtual KVM: user code runs natively, page tables are shadowed",
                    PagingRegime.Shadow => "page tables are shadowed: nested paging (EPT or NPT) is off or missing, memory-heavy programs run slower",
                    _ => "nested paging (EPT or NPT)",
                });
                Ok("speed", string.Create(CultureInfo.InvariantCulture,
                    $"exit {report.ExitMicroseconds:0.0} us, page fault {report.FaultMicroseconds:0.0} us, new machine {report.CreateMicroseconds / 1000:0.00} ms"));
                if (report.TscUsable) Ok("clock", "programs read the time without a system call");
                else Note("clock", "the CPU's counter is not steady here: each reading of the time is a system call");
            }
            catch (HostException e)
            {
                Fail("kvm", e.Message);
            }
        }

        private void CheckTools()
        {
            string[] missing = [.. new[] { "apt-get", "apt-cache", "dpkg-deb" }.Where(tool => !IsInPath(tool))];
            if (missing.Length == 0) Ok("tools", "apt-get, apt-cache, dpkg-deb: images can be built");
            else Fail("tools", $"{string.Join(", ", missing)} missing, images cannot be built. Install: sudo apt-get install apt dpkg (on another distribution: its packages of the same names)");
        }

        private void CheckData(string directory)
        {
            // The nearest directory that exists decides: the others would be made.
            string existing = directory;
            while (!Directory.Exists(existing) && Path.GetDirectoryName(existing) is { } parent) existing = parent;
            string probe = Path.Combine(existing, $".ramet-doctor-{Guid.NewGuid():n}");
            try
            {
                using (new FileStream(probe, FileMode.CreateNew, FileAccess.Write, FileShare.None, 0, FileOptions.DeleteOnClose))
                {
                }

                var drive = new DriveInfo(existing);
                string space = $"{directory}: writable, {ByteSize.Format(drive.AvailableFreeSpace)} free";
                if (drive.AvailableFreeSpace < LeastSpace) Fail("data", $"{space}; images need about 1 GiB. Free some, or choose another directory with --data-dir or RAMET_DATA_DIR");
                else Ok("data", space);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Fail("data", $"{directory} cannot be written to ({e.Message.TrimEnd('.')}). Choose another directory with --data-dir or RAMET_DATA_DIR");
                return;
            }

            var images = new ImageStore(directory).List();
            var templates = new TemplateStore(directory).List();
            Note("images", images.Count == 0 ? "none yet; the first exec builds 'python'" : string.Join(", ", images));
            Note("templates", templates.Count == 0 ? "none yet; the first exec builds 'python'" : string.Join(", ", templates.Select(template => template.Name)));
        }

        private void CheckMemory()
        {
            string? available = Find("/proc/meminfo", "MemAvailable");
            if (available is null || !long.TryParse(available.Split(' ')[0], NumberStyles.None, CultureInfo.InvariantCulture, out long kib)) return;
            string text = $"{ByteSize.Format(kib * 1024)} available";
            if (kib * 1024 < LeastMemory) Fail("memory", $"{text}; building a template needs about 512 MiB. End other programs, or add memory");
            else Ok("memory", text);
        }

        private static bool IsInPath(string tool) =>
            (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries).Any(directory => File.Exists(Path.Combine(directory, tool)));

        private static string? ReadFirstLine(string path)
        {
            try
            {
                return File.ReadLines(path).FirstOrDefault();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return null;
            }
        }

        private static string? Find(string path, string key)
        {
            try
            {
                return File.ReadLines(path).FirstOrDefault(line => line.StartsWith(key, StringComparison.Ordinal))?.Split(':', 2) is [_, var value] ? value.Trim() : null;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return null;
            }
        }
    }
}
