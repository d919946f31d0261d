using System.Text;

namespace Ramet.Kvm;

/// <summary>CPUID bits by the names that /proc/cpuinfo gives them (arch/x86/include/asm/cpufeatures.h).</summary>
internal static class CpuFlagNames
{
    private static readonly (uint Function, char Register, string Names)[] Table =
    [
        // Names from bit 0 up; "-" is a bit without a name or of no interest to programs.
        (1, 'd', "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 - clflush - - - mmx fxsr sse sse2 - ht"),
        (1, 'c', "pni pclmulqdq - - - - - - - ssse3 - - fma cx16 - - - pcid - sse4_1 sse4_2 - movbe popcnt - aes xsave - avx f16c rdrand hypervisor"),
        (7, 'b', "fsgsbase - - bmi1 - avx2 - smep bmi2 erms invpcid - - - - - avx512f avx512dq rdseed adx smap avx512ifma - clflushopt clwb - - - avx512cd sha_ni avx512bw avx512vl"),
        (7, 'c', "- avx512vbmi umip - - - avx512_vbmi2 - gfni vaes vpclmulqdq avx512_vnni avx512_bitalg - avx512_vpopcntdq - - - - - - - rdpid"),
        (7, 'd', "- - - - fsrm"),
        (0x80000001, 'd', "- - - - - - - - - - - syscall - - - - - - - - nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm"),
        (0x80000001, 'c', "lahf_lm - - - cr8_legacy abm sse4a misalignsse 3dnowprefetch"),
    ];

    internal static string Describe(Func<uint, uint, KvmCpuidEntry> find)
    {
        var text = new StringBuilder();
        foreach (var (function, register, names) in Table)
        {
            var entry = find(function, 0);
            var bits = register switch { 'b' => entry.Ebx, 'c' => entry.Ecx, _ => entry.Edx };
            var bit = 0;
            foreach (var name in names.Split(' '))
            {
                if (!string.Equals(name, "-", StringComparison.Ordinal) && (bits >> bit & 1) != 0)
                    text.Append(text.Length > 0 ? " " : "").Append(name);
                bit++;
            }
        }
        return text.ToString();
    }
}
