using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Ramet.Kernel.Memory;
using Ramet.Kernel.Platform;
using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Tracing;

/// <summary>Registers of a stopped thread in the forms of ptrace(2): struct user_regs_struct and XSAVE areas.</summary>
internal static class TraceRegisters
{
    /// <summary>Bytes of struct user_regs_struct.</summary>
    public const int Size = 27 * 8;

    /// <summary>Bytes of struct user_fpregs_struct: the FXSAVE area.</summary>
    public const int LegacySize = 512;

    private const int OriginalRax = 15;
    private const int FsBase = 21;
    private const int GsBase = 22;
    private const int SoftwareReservedOffset = 464;

    // CF PF AF ZF SF TF DF OF RF NT AC.
    private const ulong ChangeableFlags = 0x5_4DD5 | 0x4000;

    /// <summary>struct user_regs_struct.</summary>
    public static void Read(PosixThread thread, Span<ulong> words)
    {
        thread.Kernel.UnloadThread(thread);
        ref readonly var r = ref thread.Registers;
        ReadOnlySpan<ulong> all =
        [
            r.R15, r.R14, r.R13, r.R12, r.Rbp, r.Rbx, r.R11, r.R10, r.R9, r.R8, r.Rax, r.Rcx, r.Rdx, r.Rsi, r.Rdi,
            thread.IsInSyscallContext ? (ulong)thread.SyscallNumber : ulong.MaxValue, r.Rip, 0x33, r.Rflags, r.Rsp, 0x2B, thread.FsBase, thread.GsBase, 0, 0, 0, 0,
        ];
        all.CopyTo(words);
    }

    /// <summary>Sets them; selectors stay as they are. EIO: segment bases that no program can have.</summary>
    public static Errno Write(PosixThread thread, ReadOnlySpan<ulong> words)
    {
        if (words[FsBase] >= PageTables.UserEnd || words[GsBase] >= PageTables.UserEnd) return Errno.EIO;
        thread.Kernel.UnloadThread(thread);
        ref var r = ref thread.Registers;
        r = new UserRegisters
        {
            R15 = words[0], R14 = words[1], R13 = words[2], R12 = words[3], Rbp = words[4], Rbx = words[5], R11 = words[6], R10 = words[7], R9 = words[8], R8 = words[9],
            Rax = words[10], Rcx = words[11], Rdx = words[12], Rsi = words[13], Rdi = words[14],
            Rip = words[16], Rflags = (r.Rflags & ~ChangeableFlags) | (words[18] & ChangeableFlags), Rsp = words[19],
        };
        thread.FsBase = words[FsBase];
        thread.GsBase = words[GsBase];
        int number = (int)words[OriginalRax];
        if (thread.IsInSyscallContext && number >= 0)
        {
            if (number != thread.SyscallNumber) thread.SyscallNumber = number;
        }
        else if (number < 0)
        {
            // No call: nothing that would be made again.
            thread.IsInSyscallContext = false;
            thread.RestartCode = 0;
        }

        // A call that was to be restarted is settled by what RAX says now.
        if (thread.RestartCode != 0 && r.Rax != (ulong)-(long)thread.RestartCode) thread.RestartCode = 0;
        return Errno.None;
    }

    /// <summary>The extended state in XSAVE's standard format, with XCR0 where debuggers look for it.</summary>
    public static byte[] ReadExtended(PosixThread thread)
    {
        thread.Kernel.UnloadThread(thread);
        var features = thread.Kernel.Machine.Features;
        byte[] state = new byte[features.XStateSize];
        if (thread.ExtendedState is { } own)
        {
            own.AsSpan(0, state.Length).CopyTo(state);
        }
        else
        {
            BinaryPrimitives.WriteUInt16LittleEndian(state, 0x37F);
            BinaryPrimitives.WriteUInt32LittleEndian(state.AsSpan(24), 0x1F80);
            BinaryPrimitives.WriteUInt64LittleEndian(state.AsSpan(LegacySize), 3);
        }

        BinaryPrimitives.WriteUInt64LittleEndian(state.AsSpan(SoftwareReservedOffset), features.XStateMask);
        return state;
    }

    /// <summary>Sets the extended state, or its first 512 bytes alone. EINVAL: what XRSTOR would refuse.</summary>
    public static Errno WriteExtended(PosixThread thread, ReadOnlySpan<byte> source)
    {
        byte[] state = ReadExtended(thread);
        if (source.Length != state.Length && source.Length != LegacySize) return Errno.EFAULT;
        var features = thread.Kernel.Machine.Features;
        if ((BinaryPrimitives.ReadUInt32LittleEndian(source[24..]) & ~0xFFFFu) != 0) return Errno.EINVAL;
        ulong components = BinaryPrimitives.ReadUInt64LittleEndian(state.AsSpan(LegacySize)) | 3;
        if (source.Length > LegacySize)
        {
            components = BinaryPrimitives.ReadUInt64LittleEndian(source[LegacySize..]);
            if ((components & ~features.XStateMask) != 0 || source.Slice(LegacySize + 8, 56).ContainsAnyExcept((byte)0)) return Errno.EINVAL;
        }

        source.CopyTo(state);
        state.AsSpan(SoftwareReservedOffset, 48).Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(state.AsSpan(LegacySize), components);
        thread.ExtendedState = state;
        return Errno.None;
    }

    /// <summary>The words as bytes.</summary>
    public static Span<byte> Bytes(Span<ulong> words) => MemoryMarshal.AsBytes(words);
}
