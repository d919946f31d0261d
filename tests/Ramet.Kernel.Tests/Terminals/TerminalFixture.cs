using System.Text;
using Ramet.Abi;
using Ramet.Kernel.Terminals;
using Ramet.Kernel.Tests.Polling;
using Xunit;

namespace Ramet.Kernel.Tests.Terminals;

/// <summary>A session leader with a pseudoterminal: descriptor of the master, and of the terminal, which is its controlling terminal.</summary>
internal sealed class TerminalFixture
{
    public const long TCGETS = 0x5401, TCSETS = 0x5402, TCSETSF = 0x5404, TIOCSPTLCK = 0x40045431, TIOCGPTN = 0x80045430;

    public TerminalFixture()
    {
        Shell = Sandbox.NewProcess();
        Shell.Ok(SyscallNumber.setsid);
        Master = Open("/dev/ptmx");
        Shell.Ok(SyscallNumber.ioctl, Master, TIOCSPTLCK, Shell.Put(0));
        Slave = Open("/dev/pts/0");
    }

    public TestSandbox Sandbox { get; } = new();

    public TestThread Shell { get; }

    public int Master { get; }

    public int Slave { get; }

    public int Open(string path, OpenFlags flags = OpenFlags.O_RDWR, TestThread? by = null)
    {
        by ??= Shell;
        return by.Ok(SyscallNumber.open, by.Put(Encoding.ASCII.GetBytes(path + '\0')), (long)flags);
    }

    /// <summary>Types, and returns what is echoed.</summary>
    public string Type(string text)
    {
        Assert.Equal(text.Length, Shell.Write(Master, text));
        return Output();
    }

    /// <summary>What the master can read now.</summary>
    public string Output() => Count(Master) == 0 ? "" : Shell.Read(Master);

    /// <summary>FIONREAD.</summary>
    public int Count(int fd)
    {
        long count = Shell.Allocate(4);
        Shell.Ok(SyscallNumber.ioctl, fd, 0x541B, count);
        return Shell.Get<int>(count);
    }

    /// <summary>Changes modes: sets and clears bits of c_iflag, c_oflag and c_lflag, and special characters.</summary>
    public void Change(
        InputModes set = 0, InputModes clear = 0, OutputModes setOutput = 0, OutputModes clearOutput = 0, LocalModes setLocal = 0, LocalModes clearLocal = 0, params (ControlCharacter, byte)[] characters)
    {
        long address = Shell.Allocate(36);
        Shell.Ok(SyscallNumber.ioctl, Slave, TCGETS, address);
        byte[] bytes = Shell.Get(address, 36);
        void Word(int offset, uint sets, uint clears) =>
            BitConverter.TryWriteBytes(bytes.AsSpan(offset), (BitConverter.ToUInt32(bytes, offset) & ~clears) | sets);
        Word(0, (uint)set, (uint)clear);
        Word(4, (uint)setOutput, (uint)clearOutput);
        Word(12, (uint)setLocal, (uint)clearLocal);
        foreach (var (index, value) in characters) bytes[17 + (int)index] = value;
        Shell.Ok(SyscallNumber.ioctl, Slave, TCSETS, Shell.Put(bytes));
    }

    /// <summary>A process of the session, in a group of its own, with the terminal at the same descriptors; its parent is the shell.</summary>
    public TestThread NewJob()
    {
        var job = Sandbox.NewProcess();
        var process = job.Thread.Process;
        process.Parent!.Children.Remove(process);
        process.Parent = Shell.Thread.Process;
        Shell.Thread.Process.Children.Add(process);
        process.Session = Shell.Thread.Process.Session;
        process.ProcessGroup = process.Pid;
        process.ControllingTerminal = Shell.Thread.Process.ControllingTerminal;
        Shell.Share(Master, job);
        Shell.Share(Slave, job);
        return job;
    }
}
