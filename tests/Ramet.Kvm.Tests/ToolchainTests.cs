using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Ramet.Kernel.Platform;

namespace Ramet.Kvm.Tests;

/// <summary>What is copied from assembly and headers into C# is compared with what the tools say. They need as, objcopy, cc and the kernel's headers.</summary>
[Trait("Needs", "toolchain")]
public sealed class ToolchainTests
{
    [Fact]
    public void The_stubs_bytes_are_those_of_the_assembly()
    {
        var folder = Directory.CreateTempSubdirectory("ramet-test");
        try
        {
            var code = Path.Combine(folder.FullName, "stub.o");
            var binary = Path.Combine(folder.FullName, "stub.bin");
            Execute("as", "-o", code, Path.Combine(AppContext.BaseDirectory, "Stub.S"));
            Execute("objcopy", "-O", "binary", "-j", ".text", code, binary);
            var assembled = File.ReadAllBytes(binary);
            var pages = new byte[8192];
            GuestStub.WriteSyscallPage(pages.AsSpan(0, 4096));
            GuestStub.WriteFaultPage(pages.AsSpan(4096));
            Assert.InRange(assembled.Length, 4096 + GuestLayout.DoneOffset, 8192);
            Assert.Equal(assembled, pages.AsSpan(0, assembled.Length).ToArray());
            // Nothing but int3 behind the last instruction.
            Assert.False(pages.AsSpan(assembled.Length).ContainsAnyExcept((byte)0xCC));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void Structs_and_request_numbers_are_those_of_the_headers()
    {
        (string Expression, long Value)[] expected =
        [
            ("sizeof(struct kvm_userspace_memory_region)", Unsafe.SizeOf<KvmMemoryRegion>()),
            ("sizeof(struct kvm_segment)", Unsafe.SizeOf<KvmSegment>()),
            ("sizeof(struct kvm_dtable)", Unsafe.SizeOf<KvmTable>()),
            ("sizeof(struct kvm_sregs)", Unsafe.SizeOf<KvmSregs>()),
            ("sizeof(struct kvm_regs)", Unsafe.SizeOf<UserRegisters>()),
            ("offsetof(struct kvm_regs, rsp)", Offset<UserRegisters>("Rsp")),
            ("offsetof(struct kvm_regs, r15)", Offset<UserRegisters>("R15")),
            ("offsetof(struct kvm_regs, rip)", Offset<UserRegisters>("Rip")),
            ("offsetof(struct kvm_sregs, cr3)", Offset<KvmSregs>("Cr3")),
            ("offsetof(struct kvm_sregs, efer)", Offset<KvmSregs>("Efer")),
            ("offsetof(struct kvm_segment, selector)", Offset<KvmSegment>("Selector")),
            ("offsetof(struct kvm_segment, g)", Offset<KvmSegment>("G")),
            ("sizeof(struct kvm_vcpu_events)", Unsafe.SizeOf<KvmVcpuEvents>()),
            ("offsetof(struct kvm_vcpu_events, exception.nr)", Offset<KvmVcpuEvents>("ExceptionNumber")),
            ("offsetof(struct kvm_vcpu_events, exception.has_error_code)", Offset<KvmVcpuEvents>("ExceptionHasErrorCode")),
            ("offsetof(struct kvm_vcpu_events, exception.pending)", Offset<KvmVcpuEvents>("ExceptionPending")),
            ("offsetof(struct kvm_vcpu_events, exception.error_code)", Offset<KvmVcpuEvents>("ExceptionErrorCode")),
            ("offsetof(struct kvm_vcpu_events, interrupt.injected)", Offset<KvmVcpuEvents>("InterruptInjected")),
            ("sizeof(struct kvm_cpuid_entry2)", Unsafe.SizeOf<KvmCpuidEntry>()),
            ("sizeof(struct kvm_msr_entry)", Unsafe.SizeOf<KvmMsr>()),
            ("sizeof(struct kvm_device_attr)", Unsafe.SizeOf<KvmDeviceAttribute>()),
            ("offsetof(struct kvm_run, immediate_exit)", Offset<KvmRun>("ImmediateExit")),
            ("offsetof(struct kvm_run, exit_reason)", Offset<KvmRun>("ExitReason")),
            ("offsetof(struct kvm_run, io.direction)", Offset<KvmRun>("IoDirection")),
            ("offsetof(struct kvm_run, io.size)", Offset<KvmRun>("IoSize")),
            ("offsetof(struct kvm_run, io.port)", Offset<KvmRun>("IoPort")),
            ("offsetof(struct kvm_run, io.count)", Offset<KvmRun>("IoCount")),
            ("offsetof(struct kvm_run, mmio.phys_addr)", Offset<KvmRun>("MmioAddress")),
            ("offsetof(struct kvm_run, mmio.is_write)", Offset<KvmRun>("MmioIsWrite")),
            ("offsetof(struct kvm_run, internal.suberror)", Offset<KvmRun>("InternalSuberror")),
            ("offsetof(struct kvm_run, fail_entry.hardware_entry_failure_reason)", Offset<KvmRun>("FailEntryReason")),
            ("offsetof(struct kvm_run, kvm_valid_regs)", Offset<KvmRun>("ValidRegs")),
            ("offsetof(struct kvm_run, kvm_dirty_regs)", Offset<KvmRun>("DirtyRegs")),
            ("offsetof(struct kvm_run, s.regs.regs)", Offset<KvmRun>("Regs")),
            ("offsetof(struct kvm_run, s.regs.sregs)", Offset<KvmRun>("Sregs")),
            .. typeof(KvmAbi).GetFields(BindingFlags.NonPublic | BindingFlags.Static)
                .Where(f => f.Name.StartsWith("KVM_", StringComparison.Ordinal))
                .Select(f => (f.Name, Number(f))),
        ];
        Assert.True(expected.Length > 60);
        var folder = Directory.CreateTempSubdirectory("ramet-test");
        try
        {
            var source = Path.Combine(folder.FullName, "abi.c");
            var program = Path.Combine(folder.FullName, "abi");
            File.WriteAllText(source, "#include <linux/kvm.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void) {\n"
                + string.Concat(expected.Select(e => $"printf(\"%lld\\n\", (long long)({e.Expression}));\n")) + "}\n");
            Execute("cc", "-w", "-o", program, source);
            var values = Execute(program).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(expected.Length, values.Length);
            foreach (var (e, value) in expected.Zip(values))
                Assert.True(e.Value == long.Parse(value, CultureInfo.InvariantCulture), $"{e.Expression} is {value}, not {e.Value}");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static long Offset<T>(string field) => Marshal.OffsetOf<T>(field);

    // A nuint constant is a static field initialized at start-up; the others are literals.
    private static long Number(FieldInfo field) =>
        field.GetValue(null) is nuint n ? (long)n : Convert.ToInt64(field.GetValue(null), CultureInfo.InvariantCulture);

    private static string Execute(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
            var error = process.StandardError.ReadToEndAsync();
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, $"{program}: {error.Result}");
            return output;
        }
        catch (Win32Exception e)
        {
            throw new InvalidOperationException($"{program} is missing. Install it: sudo apt-get install binutils gcc libc6-dev", e);
        }
    }
}
