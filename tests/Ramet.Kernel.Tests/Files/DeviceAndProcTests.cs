using Ramet.Kernel.Files;
using Ramet.Kernel.Syscalls;
using Ramet.Kernel.Tests.Fakes;

namespace Ramet.Kernel.Tests.Files;

public class DeviceAndProcTests
{
    private readonly FakeSandbox _s = new(new FakeImage().File("/etc/hosts", "hosts"));

    [Fact]
    public void Memory_devices_behave()
    {
        int nothing = _s.MustOpen("/dev/null", OpenFlags.O_RDWR);
        Assert.Equal("", _s.Read(nothing));
        Assert.Equal(3, _s.Write(nothing, "abc").Value);
        int zero = _s.MustOpen("/dev/zero");
        Assert.Equal(new string('\0', 5000), _s.Read(zero, 5000));
        int full = _s.MustOpen("/dev/full", OpenFlags.O_RDWR);
        Assert.Equal(Errno.ENOSPC, _s.Write(full, "x").Error);
        int random = _s.MustOpen("/dev/urandom");
        Assert.NotEqual(_s.Read(random, 32), _s.Read(random, 32));
        Assert.Equal(Errno.ENXIO, _s.Open("/dev/tty").Error);
        Assert.Equal((ulong)0x103, _s.MustStat("/dev/null").st_rdev);
        Assert.Equal(0x21B6u, _s.MustStat("/dev/null").st_mode);
        Assert.Contains("shm", _s.List("/dev"));
    }

    [Fact]
    public void Proc_shows_the_process_to_itself()
    {
        Assert.Equal($"{_s.Thread.Process.Pid}", ReadLink("/proc/self"));
        Assert.StartsWith($"{_s.Thread.Process.Pid} (test) R ", _s.ReadFile("/proc/self/stat"), StringComparison.Ordinal);
        Assert.Equal(52, _s.ReadFile("/proc/self/stat").Trim().Split(' ').Length);
        Assert.Contains("Name:\ttest\n", _s.ReadFile("/proc/self/status"), StringComparison.Ordinal);
        Assert.Contains("rw-p", _s.ReadFile("/proc/self/maps"), StringComparison.Ordinal);
        Assert.Equal("test\n", _s.ReadFile("/proc/thread-self/comm"));
        Assert.Equal([$"{_s.Thread.Tid}"], _s.List("/proc/self/task"));
        Assert.Contains($"{_s.Thread.Process.Pid}", _s.List("/proc"));
        Assert.Equal(Errno.ENOENT, _s.Stat("/proc/99999", out _));
        Assert.Equal("/", ReadLink("/proc/self/cwd"));
        Assert.Contains("Max open files", _s.ReadFile("/proc/self/limits"), StringComparison.Ordinal);
    }

    [Fact]
    public void Descriptor_links_lead_to_the_file_even_when_its_name_is_gone()
    {
        _s.WriteFile("/tmp/f", "content");
        int fd = _s.MustOpen("/tmp/f");
        Assert.Equal("/tmp/f", ReadLink($"/proc/self/fd/{fd}"));
        Assert.Equal("content", _s.ReadFile($"/dev/fd/{fd}"));
        Links.Unlink(_s.Thread, _s.Path("/tmp/f"));
        Assert.Equal("/tmp/f (deleted)", ReadLink($"/proc/self/fd/{fd}"));
        Assert.Equal("content", _s.ReadFile($"/proc/self/fd/{fd}"));
        Assert.Equal(Errno.ENOENT, _s.Stat("/proc/self/fd/99", out _));
        Assert.Contains("pos:\t0\n", _s.ReadFile($"/proc/self/fdinfo/{fd}"), StringComparison.Ordinal);
        Assert.Contains($"{fd}", _s.List("/proc/self/fd"));
    }

    [Fact]
    public void System_files_are_there_and_read_only()
    {
        Assert.Contains("MemTotal:", _s.ReadFile("/proc/meminfo"), StringComparison.Ordinal);
        Assert.Contains("model name\t: Fake CPU", _s.ReadFile("/proc/cpuinfo"), StringComparison.Ordinal);
        Assert.Equal(_s.Kernel.HostName + "\n", _s.ReadFile("/proc/sys/kernel/hostname"));
        Assert.Equal("0\n", _s.ReadFile("/sys/devices/system/cpu/online"));
        Assert.Contains("overlay / overlay rw", _s.ReadFile("/proc/mounts"), StringComparison.Ordinal);
        Assert.Contains(" /proc ", _s.ReadFile("/proc/self/mountinfo"), StringComparison.Ordinal);
        Assert.Contains("cpu0", _s.List("/sys/devices/system/cpu"));
        Assert.Equal(Errno.EACCES, _s.Open("/proc/newfile", OpenFlags.O_CREAT | OpenFlags.O_WRONLY).Error);
        Assert.Equal(Errno.EROFS, _s.Open("/sys/devices/system/cpu/online", OpenFlags.O_WRONLY).Error);
        Assert.NotEqual(_s.ReadFile("/proc/sys/kernel/random/uuid"), _s.ReadFile("/proc/sys/kernel/random/uuid"));
    }

    [Fact]
    public void Every_listed_file_of_proc_and_sys_can_be_read()
    {
        int read = 0;
        Visit("/proc");
        Visit("/sys");
        Assert.InRange(read, 150, 10_000);

        void Visit(string directory)
        {
            foreach (string name in _s.List(directory))
            {
                string path = directory + "/" + name;
                Assert.Equal(Errno.None, _s.Stat(path, out var stat, follow: false));
                var type = (InodeMode)stat.st_mode & InodeMode.S_IFMT;
                if (type == InodeMode.S_IFDIR && name is not ("fd" or "fdinfo")) Visit(path);
                // Nothing is mapped where the memory of a process begins: EIO.
                if (type != InodeMode.S_IFREG || name == "mem") continue;
                _s.ReadFile(path);
                read++;
            }
        }
    }

    [Fact]
    public void A_fifo_joins_two_opens()
    {
        Assert.Equal(0, Links.MkNod(_s.Thread, _s.Path("/tmp/fifo"), 0x11B6, 0).Value);
        int reader = _s.MustOpen("/tmp/fifo", OpenFlags.O_RDONLY | OpenFlags.O_NONBLOCK);
        int writer = _s.MustOpen("/tmp/fifo", OpenFlags.O_WRONLY);
        Assert.Equal(4, _s.Write(writer, "ping").Value);
        Assert.Equal("ping", _s.Read(reader));
        var other = _s.AddProcess();
        Links.MkNod(_s.Thread, _s.Path("/tmp/fifo2"), 0x11B6, 0);
        Assert.True(OpenClose.Open(other, _s.Path("/tmp/fifo2"), OpenFlags.O_RDONLY, 0).IsBlocked);
        _s.MustOpen("/tmp/fifo2", OpenFlags.O_WRONLY);
        other.StopWaiting();
        Assert.Equal(0, OpenClose.Open(other, _s.Path("/tmp/fifo2"), OpenFlags.O_RDONLY, 0).Value);
    }

    private string ReadLink(string path)
    {
        var buffer = _s.Allocate(256);
        var result = Links.ReadLink(_s.Thread, _s.Path(path), buffer, 256);
        Assert.False(result.IsError, result.Error.ToString());
        return System.Text.Encoding.Latin1.GetString(_s.Get(buffer, (int)result.Value));
    }
}
