using System.Globalization;
using System.Text;

namespace Ramet.Kernel;

public sealed partial class Kernel
{
    /// <summary>
    /// What the virtual CPUs do at this moment, a line each, for the report of a sandbox that does not end. It does not take <see cref="Lock"/>, which whoever hangs may hold: what it says
    /// may be a moment old.
    /// </summary>
    public string DescribeVirtualCpus()
    {
        var text = new StringBuilder();
        foreach (var context in Scheduler.Vcpus)
        {
            text.Append(CultureInfo.InvariantCulture, $"\nvirtual CPU {context.Index}: {(context.InGuest ? "in the guest" : context.HasHostThread ? "in the kernel" : "at rest")}");
            if (context.Current is not { } thread) continue;
            var r = thread.Registers;
            text.Append(CultureInfo.InvariantCulture, $", thread {thread.Tid} {thread.State}, last call {(Abi.SyscallNumber)thread.SyscallNumber}");
            text.Append(CultureInfo.InvariantCulture, $"({r.Rdi:x}, {r.Rsi:x}, {r.Rdx:x}, {r.R10:x}, {r.R8:x}, {r.R9:x}), rip {r.Rip:x}, rsp {r.Rsp:x}, rflags {r.Rflags:x}");
        }

        return text.ToString();
    }
}
