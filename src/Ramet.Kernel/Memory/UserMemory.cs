using System.Runtime.InteropServices;

namespace Ramet.Kernel.Memory;

/// <summary>Copy-in and copy-out: how the kernel reaches the memory of a program. Pages are faulted in as if the program touched them.</summary>
public sealed class UserMemory(AddressSpace space)
{
    /// <summary>Longest path with its NUL (PATH_MAX).</summary>
    public const int PathMax = 4096;

    /// <summary>Copies from the program. Returns how many bytes could be read.</summary>
    public int Read(UserAddress address, Span<byte> destination) => space.CopyIn(address.Value, destination);

    /// <summary>Copies to the program. Returns how many bytes could be written.</summary>
    public int Write(UserAddress address, ReadOnlySpan<byte> source) => space.CopyOut(address.Value, source);

    /// <summary>Copies a structure in; false: EFAULT.</summary>
    public bool TryRead<T>(UserAddress address, out T value)
        where T : unmanaged
    {
        value = default;
        var bytes = MemoryMarshal.AsBytes(MemoryMarshal.CreateSpan(ref value, 1));
        return Read(address, bytes) == bytes.Length;
    }

    /// <summary>Copies a structure out; false: EFAULT.</summary>
    public bool TryWrite<T>(UserAddress address, in T value)
        where T : unmanaged
    {
        var bytes = MemoryMarshal.AsBytes(MemoryMarshal.CreateReadOnlySpan(in value, 1));
        return Write(address, bytes) == bytes.Length;
    }

    /// <summary>Copies an array in; false: EFAULT.</summary>
    public bool TryReadArray<T>(UserAddress address, Span<T> values)
        where T : unmanaged
    {
        var bytes = MemoryMarshal.AsBytes(values);
        return Read(address, bytes) == bytes.Length;
    }

    /// <summary>
    /// Copies a NUL-terminated string in, as Latin-1 characters (one byte, one char). EFAULT, or ENAMETOOLONG when there is no NUL within
    /// <paramref name="limit"/> bytes.
    /// </summary>
    public Errno ReadString(UserAddress address, out string text, int limit = PathMax)
    {
        text = "";
        Span<byte> buffer = stackalloc byte[256];
        System.Text.StringBuilder? builder = null;
        for (int done = 0; done < limit;)
        {
            // Never past the end of the page: the next one may not be there, and the string may end in this one.
            int inPage = 4096 - (int)((address.Value + (ulong)done) & 4095);
            int wanted = Math.Min(Math.Min(buffer.Length, inPage), limit - done);
            int got = Read(address + done, buffer[..wanted]);
            if (got == 0) return Errno.EFAULT;
            int end = buffer[..got].IndexOf((byte)0);
            string piece = System.Text.Encoding.Latin1.GetString(buffer[..(end < 0 ? got : end)]);
            if (end >= 0)
            {
                text = builder is null ? piece : builder.Append(piece).ToString();
                return Errno.None;
            }

            (builder ??= new System.Text.StringBuilder()).Append(piece);
            done += got;
        }

        return Errno.ENAMETOOLONG;
    }

    /// <summary>Copies a path in. EFAULT, ENAMETOOLONG.</summary>
    public Errno ReadPath(UserPath path, out string text) => ReadString(path.Address, out text);
}
