using System.Globalization;

namespace Ramet.Kernel.Memory;

/// <summary>A virtual address in a program: an argument that points into user memory, not checked yet.</summary>
/// <param name="Value">The address.</param>
public readonly record struct UserAddress(ulong Value)
{
    /// <summary>Whether this is the null pointer.</summary>
    public bool IsNull => Value == 0;

    /// <summary>The address that many bytes further.</summary>
    public static UserAddress operator +(UserAddress address, long offset) => new(unchecked(address.Value + (ulong)offset));

    /// <inheritdoc/>
    public override string ToString() => IsNull ? "NULL" : "0x" + Value.ToString("x", CultureInfo.InvariantCulture);
}

/// <summary>The address of a NUL-terminated path; tracing prints the path.</summary>
/// <param name="Address">Where the bytes start.</param>
public readonly record struct UserPath(UserAddress Address);
