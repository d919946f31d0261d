namespace Ramet.Kernel.Seccomp;

/// <summary>Classic BPF as seccomp(2) allows it. Programs have no loops, so each run ends.</summary>
internal static class ClassicBpf
{
    private const int DataSize = 64;
    private const int Words = 16;
    private const int LD_W_ABS = 0x20, LD_IMM = 0x00, LD_MEM = 0x60, LD_LEN = 0x80, LDX_IMM = 0x01, LDX_MEM = 0x61, LDX_LEN = 0x81, ST = 0x02, STX = 0x03;
    private const int RET_K = 0x06, RET_A = 0x16, TAX = 0x07, TXA = 0x87, JA = 0x05, NEG = 0x84;

    /// <summary>Whether a program is sound: known instructions, jumps and memory in range, a return at the end.</summary>
    public static bool IsValid(ReadOnlySpan<BpfInstruction> program)
    {
        for (int i = 0; i < program.Length; i++)
        {
            var instruction = program[i];
            uint left = (uint)(program.Length - i - 1);
            switch (instruction.Code)
            {
                case LD_W_ABS:
                    if (instruction.K >= DataSize || (instruction.K & 3) != 0) return false;
                    break;
                case LD_MEM or LDX_MEM or ST or STX:
                    if (instruction.K >= Words) return false;
                    break;
                case LD_IMM or LDX_IMM or LD_LEN or LDX_LEN or RET_K or RET_A or TAX or TXA or NEG:
                    break;
                case 0x04 or 0x14 or 0x24 or 0x44 or 0x54 or 0xA4 or 0x0C or 0x1C or 0x2C or 0x3C or 0x4C or 0x5C or 0x6C or 0x7C or 0xAC:
                    break;
                case 0x34:
                    if (instruction.K == 0) return false;
                    break;
                case 0x64 or 0x74:
                    if (instruction.K >= 32) return false;
                    break;
                case JA:
                    if (instruction.K >= left) return false;
                    break;
                case 0x15 or 0x25 or 0x35 or 0x45 or 0x1D or 0x2D or 0x3D or 0x4D:
                    if (instruction.JumpTrue >= left || instruction.JumpFalse >= left) return false;
                    break;
                default:
                    return false;
            }
        }

        return program.Length > 0 && program[^1].Code is RET_K or RET_A;
    }

    /// <summary>Runs a valid program on struct seccomp_data.</summary>
    public static uint Run(ReadOnlySpan<BpfInstruction> program, ReadOnlySpan<byte> data)
    {
        uint a = 0, x = 0;
        Span<uint> memory = stackalloc uint[Words];
        memory.Clear();
        for (int i = 0; i < program.Length; i++)
        {
            var instruction = program[i];
            uint k = instruction.K;
            switch (instruction.Code)
            {
                case LD_W_ABS:
                    a = BitConverter.ToUInt32(data[(int)k..]);
                    break;
                case LD_IMM:
                    a = k;
                    break;
                case LDX_IMM:
                    x = k;
                    break;
                case LD_LEN:
                    a = DataSize;
                    break;
                case LDX_LEN:
                    x = DataSize;
                    break;
                case LD_MEM:
                    a = memory[(int)k];
                    break;
                case LDX_MEM:
                    x = memory[(int)k];
                    break;
                case ST:
                    memory[(int)k] = a;
                    break;
                case STX:
                    memory[(int)k] = x;
                    break;
                case RET_K:
                    return k;
                case RET_A:
                    return a;
                case TAX:
                    x = a;
                    break;
                case TXA:
                    a = x;
                    break;
                case NEG:
                    a = (uint)-(int)a;
                    break;
                case JA:
                    i += (int)k;
                    break;
                default:
                    uint operand = (instruction.Code & 8) != 0 ? x : k;
                    if ((instruction.Code & 7) == 5)
                    {
                        i += Compare(instruction.Code, a, operand) ? instruction.JumpTrue : instruction.JumpFalse;
                        break;
                    }

                    // Division by a register that is 0 ends the program with 0.
                    if ((instruction.Code & 0xF0) == 0x30 && operand == 0) return 0;
                    a = Calculate(instruction.Code, a, operand);
                    break;
            }
        }

        return SeccompAction.KillProcess;
    }

    private static bool Compare(int code, uint a, uint b) => (code & 0xF0) switch
    {
        0x10 => a == b,
        0x20 => a > b,
        0x30 => a >= b,
        _ => (a & b) != 0,
    };

    private static uint Calculate(int code, uint a, uint b) => (code & 0xF0) switch
    {
        0x00 => a + b,
        0x10 => a - b,
        0x20 => a * b,
        0x30 => a / b,
        0x40 => a | b,
        0x50 => a & b,
        0x60 => a << (int)(b & 31),
        0x70 => a >> (int)(b & 31),
        _ => a ^ b,
    };
}
