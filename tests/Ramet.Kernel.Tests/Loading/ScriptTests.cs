using System.Text;
using Ramet.Abi;
using Ramet.Kernel.Loading;
using Xunit;

namespace Ramet.Kernel.Tests.Loading;

public class ScriptTests
{
    [Theory]
    [InlineData("#!/bin/sh\necho", "/bin/sh", null)]
    [InlineData("#!/bin/sh", "/bin/sh", null)]
    [InlineData("#! \t /bin/sh \t \nx", "/bin/sh", null)]
    [InlineData("#!/usr/bin/env  python3 -u \n", "/usr/bin/env", "python3 -u")]
    [InlineData("#!\n", null, null)]
    [InlineData("#!   \n/bin/sh", null, null)]
    [InlineData("#", null, null)]
    [InlineData("", null, null)]
    public void The_first_line_names_interpreter_and_one_argument(string text, string? interpreter, string? argument)
    {
        var line = ScriptLine.Parse(Encoding.Latin1.GetBytes(text));
        Assert.Equal(interpreter is null ? null : new ScriptLine(interpreter, argument), line);
    }

    [Fact]
    public void A_name_cut_off_by_the_buffer_is_refused_and_an_argument_is_cut()
    {
        Assert.Null(ScriptLine.Parse(Encoding.Latin1.GetBytes("#!/" + new string('x', 300))[..256]));
        var line = ScriptLine.Parse(Encoding.Latin1.GetBytes("#!/x " + new string('y', 300))[..256]);
        Assert.Equal(new ScriptLine("/x", new string('y', 251)), line);
    }

    [Fact]
    public void A_script_runs_its_interpreter_with_the_path_of_the_script()
    {
        var arguments = new ProgramArguments(["ignored", "a"], ["E=1"], "/tmp/script");
        Assert.Equal(Errno.None, ProgramLoader.Prepare(Script("#!/bin/true -x"), arguments, new FakeOpener(), 8 << 20, out var plan, out _));
        Assert.Equal(["/bin/true", "-x", "/tmp/script", "a"], plan!.Arguments.Arguments);
        Assert.Equal("/tmp/script", plan.Arguments.Path);
        Assert.Equal("/lib64/ld-linux-x86-64.so.2", plan.Program.Interpreter);
    }

    [Theory]
    [InlineData(5, Errno.None)]
    [InlineData(6, Errno.ELOOP)]
    public void Scripts_may_be_interpreters_of_scripts_five_deep(int depth, Errno expected)
    {
        var opener = new FakeOpener();
        opener.Files["/s0"] = new FakeFile("/bin/true");
        for (int i = 1; i <= depth; i++) opener.Files[$"/s{i}"] = Script($"#!/s{i - 1}\n");
        var error = ProgramLoader.Prepare(opener.Files[$"/s{depth}"], new ProgramArguments(["x", "y"], [], $"/s{depth}"), opener, 8 << 20, out var plan, out _);
        Assert.Equal(expected, error);
        if (plan is not null) Assert.Equal(["/s0", "/s1", "/s2", "/s3", "/s4", "/s5", "y"], plan.Arguments.Arguments);
    }

    [Fact]
    public void A_script_that_names_itself_returns_ELOOP()
    {
        var opener = new FakeOpener();
        opener.Files["/self"] = Script("#!/self\n");
        Assert.Equal(Errno.ELOOP, ProgramLoader.Prepare(opener.Files["/self"], new ProgramArguments(["x"], [], "/self"), opener, 8 << 20, out _, out string reason));
        Assert.Contains("scripts", reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Text_without_a_first_line_returns_ENOEXEC()
    {
        Assert.Equal(Errno.ENOEXEC, ProgramLoader.Prepare(Script("echo hello\n"), new ProgramArguments(["x"], [], "/x"), new FakeOpener(), 8 << 20, out _, out string reason));
        Assert.Equal("/x: not an ELF executable and not a script that starts with #!", reason);
    }

    private static FakeFile Script(string text) => new(Encoding.Latin1.GetBytes(text));
}
