using System.Text;
using Ramet.Abi;
using Ramet.Kernel;
using Ramet.Kernel.Files;

namespace Ramet.Sandboxes.Tests;

/// <summary>Files that are no programs: each is told in one line that says which file and why, with Linux's error.</summary>
public sealed class ProgramFileTests
{
    private const InodeMode Executable = (InodeMode)0x1ED;

    [Fact]
    public Task A_text_without_an_interpreter_is_ENOEXEC() => CheckAsync("just text\n"u8.ToArray(), Errno.ENOEXEC, "not an ELF executable and not a script");

    [Fact]
    public Task A_script_with_a_missing_interpreter_names_it() => CheckAsync("#!/no/such/interpreter -x\n"u8.ToArray(), Errno.ENOENT, "/no/such/interpreter");

    [Theory]
    [InlineData(1, 1, 3, "32-bit ELF for x86 (i386)")]
    [InlineData(1, 1, 40, "32-bit ELF for ARM")]
    [InlineData(2, 1, 183, "ELF for AArch64; this is an x86-64 machine")]
    [InlineData(2, 2, 22, "big-endian ELF for S/390")]
    public Task A_program_for_another_machine_says_which(byte width, byte order, byte machine, string why)
    {
        byte[] file = new byte[200];
        "\u007fELF"u8.CopyTo(file);
        (file[4], file[5], file[6]) = (width, order, 1);
        file[order == 1 ? 16 : 17] = 2;
        file[order == 1 ? 18 : 19] = machine;
        return CheckAsync(file, Errno.ENOEXEC, why);
    }

    [Theory]
    [InlineData(40)]
    [InlineData(200)]
    [InlineData(5000)]
    public async Task A_truncated_program_says_so(int length)
    {
        byte[] whole = await ReadAsync("/usr/bin/env");
        Assert.True(whole.Length > length);
        await CheckAsync(whole[..length], Errno.ENOEXEC, "truncated ELF");
    }

    [Fact]
    public async Task A_program_with_a_missing_interpreter_names_it()
    {
        byte[] file = await ReadAsync("/usr/bin/env");
        int at = file.AsSpan().IndexOf("/lib64/ld-linux"u8);
        Assert.True(at > 0);
        "/lib65/"u8.CopyTo(file.AsSpan(at));
        await CheckAsync(file, Errno.ENOENT, "/lib65/ld-linux");
    }

    [Fact]
    public async Task A_shell_that_the_image_does_not_have_is_named()
    {
        var image = await TestData.PythonImage;
        var error = Assert.Throws<SandboxException>(() => TestData.Engine.Start(image, new MainProgram { Path = "/bin/zsh", Arguments = ["zsh"] }, new SandboxOptions()).Dispose());
        Assert.Equal(Errno.ENOENT, error.Error);
        Assert.Contains("/bin/zsh", OneLine(error), StringComparison.Ordinal);
        await CheckAsync("#!/bin/zsh\necho\n"u8.ToArray(), Errno.ENOENT, "/bin/zsh");
    }

    private static async Task CheckAsync(byte[] file, Errno errno, string why)
    {
        var image = await TestData.PythonImage;
        var program = new MainProgram { Path = "/opt/program", Arguments = ["program"], Files = [new InjectedFile("/opt/program", file, Executable)] };
        var error = Assert.Throws<SandboxException>(() => TestData.Engine.Start(image, program, new SandboxOptions()).Dispose());
        Assert.Equal(errno, error.Error);
        string line = OneLine(error);
        Assert.Contains("/opt/program", line, StringComparison.Ordinal);
        Assert.Contains(why, line, StringComparison.Ordinal);
    }

    private static string OneLine(SandboxException error)
    {
        Assert.DoesNotContain('\n', error.Message);
        return error.Message;
    }

    private static async Task<byte[]> ReadAsync(string path)
    {
        var output = new Output();
        using var sandbox = TestData.Engine.Start(
            await TestData.PythonImage, new MainProgram { Path = "/bin/cat", Arguments = ["cat", path] }, new SandboxOptions { Output = output, Timeout = TimeSpan.FromSeconds(60) });
        sandbox.Drive();
        Assert.Equal(0, sandbox.Wait().ExitCode);
        return output.Bytes.ToArray();
    }

    private sealed class Output : IOutputReceiver
    {
        public MemoryStream Bytes { get; } = new();

        public void Write(int stream, ReadOnlySpan<byte> bytes) => Bytes.Write(bytes);
    }
}
