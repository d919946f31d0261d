using Ramet.Kernel.Platform;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Loading;

/// <summary>What execve(2) is about to load.</summary>
/// <param name="Program">The program.</param>
/// <param name="Interpreter">Its dynamic linker, or null.</param>
/// <param name="Arguments">argv (rewritten for scripts), envp and the path that was executed.</param>
public sealed record ProgramPlan(ElfImage Program, ElfImage? Interpreter, ProgramArguments Arguments);

/// <summary>A program in its address space, about to start. All other registers are zero.</summary>
/// <param name="Entry">RIP.</param>
/// <param name="Stack">RSP, and where the strings are.</param>
/// <param name="Layout">Where the parts are.</param>
/// <param name="Arguments">argv, envp, path.</param>
/// <param name="ImageStart">First address of the program's own file.</param>
/// <param name="ImageEnd">End of the program's own file.</param>
public sealed record LoadedProgram(ulong Entry, InitialStack Stack, AddressLayout Layout, ProgramArguments Arguments, ulong ImageStart, ulong ImageEnd)
{
    /// <summary>The thread's name (comm): the last component of the path, at most 15 bytes.</summary>
    public string CommandName
    {
        get
        {
            string name = Arguments.Path[(Arguments.Path.LastIndexOf('/') + 1)..];
            return name.Length > 15 ? name[..15] : name;
        }
    }
}

/// <summary>What the auxiliary vector says of the machine and the user (getauxval(3)).</summary>
public readonly struct ProgramIdentity
{
    /// <summary>AT_HWCAP.</summary>
    public ulong HwCap { get; init; }

    /// <summary>AT_HWCAP2.</summary>
    public ulong HwCap2 { get; init; }

    /// <summary>AT_MINSIGSTKSZ: bytes that a signal frame takes at most.</summary>
    public int MinimumSignalStack { get; init; }

    public uint Uid { get; init; }

    public uint EffectiveUid { get; init; }

    public uint Gid { get; init; }

    public uint EffectiveGid { get; init; }

    /// <summary>AT_SECURE: the program has more rights than its caller.</summary>
    public bool Secure { get; init; }

    /// <summary>Of a thread with these credentials on this CPU.</summary>
    public static ProgramIdentity Of(CpuFeatures features, Credentials credentials, bool secure) => new()
    {
        HwCap = features.HwCap,
        HwCap2 = features.HwCap2,
        MinimumSignalStack = SignalFrameSize(features.XStateSize),
        Uid = credentials.Uid,
        EffectiveUid = credentials.EffectiveUid,
        Gid = credentials.Gid,
        EffectiveGid = credentials.EffectiveGid,
        Secure = secure || credentials.Uid != credentials.EffectiveUid || credentials.Gid != credentials.EffectiveGid,
    };

    /// <summary>struct rt_sigframe (return address, ucontext, siginfo), the XSAVE area with its end mark, and alignment of both.</summary>
    private static int SignalFrameSize(int extendedState) => (8 + 304 + 128 + extendedState + 4 + 63 + 15 + 15) & ~15;
}
