using Xunit;

namespace Ramet.Kernel.Tests.Generators;

public sealed class SyscallDiagnosticsTests
{
    private static string Handler(string method) => $"public static class H {{ {method} }}";

    [Fact]
    public void A_correct_handler_compiles() => Assert.Empty(GeneratorRun.Diagnostics(Handler(
        "[Syscall(SyscallNumber.pipe2)] internal static SyscallResult Pipe2(PosixThread thread, UserAddress fds, OpenFlags flags) => 0;")));

    [Fact]
    public void Two_handlers_for_one_number_are_an_error() => GeneratorRun.AssertSingle("RAMET010", "H.A", Handler(
        "[Syscall(SyscallNumber.close)] internal static SyscallResult A(PosixThread t) => 0; [Syscall(SyscallNumber.close)] internal static SyscallResult B(PosixThread t) => 0;"));

    [Theory]
    [InlineData("[Syscall(SyscallNumber.close)] internal static int F(PosixThread t) => 0;", "return SyscallResult")]
    [InlineData("[Syscall(SyscallNumber.close)] internal static SyscallResult F(int fd) => 0;", "PosixThread")]
    [InlineData("[Syscall(SyscallNumber.close)] internal static SyscallResult F() => 0;", "PosixThread")]
    [InlineData("[Syscall(SyscallNumber.close)] internal static SyscallResult F(PosixThread t, bool x) => 0;", "parameter 'x'")]
    [InlineData("[Syscall(SyscallNumber.close)] internal static SyscallResult F(PosixThread t, nint x) => 0;", "parameter 'x'")]
    [InlineData("[Syscall(SyscallNumber.close)] internal static SyscallResult F(PosixThread t, in int x) => 0;", "by reference")]
    [InlineData("[Syscall(SyscallNumber.close)] internal static SyscallResult F(PosixThread t, int a, int b, int c, int d, int e, int f, int g) => 0;", "six")]
    [InlineData("[Syscall(SyscallNumber.close)] private static SyscallResult F(PosixThread t) => 0;", "make 'F' internal")]
    [InlineData("[Syscall(SyscallNumber.close)] internal static SyscallResult F<T>(PosixThread t) => 0;", "not generic")]
    [InlineData("[Syscall(SyscallNumber.close)] internal static SyscallResult F(PosixThread t, [In(\"n\")] UserAddress x) => 0;", "names no parameter")]
    [InlineData("[Syscall(SyscallNumber.close)] internal static SyscallResult F(PosixThread t, [Out] int x) => 0;", "UserAddress")]
    public void A_wrong_signature_is_an_error(string method, string part) => GeneratorRun.AssertSingle("RAMET011", part, Handler(method));

    [Fact]
    public void An_instance_method_is_an_error() => GeneratorRun.AssertSingle("RAMET011", "make it static",
        "public class H { [Syscall(SyscallNumber.close)] internal SyscallResult F(PosixThread t) => 0; }");
}
