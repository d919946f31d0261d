namespace Ramet.Kernel.State;

/// <summary>
/// The compact form of kernel state. Little endian:
/// <code>
/// magic u64, format version u32, object count u32, schema hash u64,
/// reference to the root, then the fields of every object in the order of their ids (from 1).
/// </code>
/// A reference is a varint: 0 for null, else an id. The first reference to an object has the next id and is followed by the tag of
/// its class, so a reader can make the object at once and fill it when its turn comes: nothing recurses, however long a list is.
/// </summary>
internal static class StateFormat
{
    /// <summary>"RametSt\n".</summary>
    public const ulong Magic = 0x0A74_5374_656D_6152;

    /// <summary>Version of the encoding (not of the state: that is the schema hash).</summary>
    public const uint Version = 1;

    /// <summary>Bytes before the reference to the root.</summary>
    public const int HeaderSize = 24;

    /// <summary>Where the object count is.</summary>
    public const int CountOffset = 12;
}

/// <summary>What a field of type object holds.</summary>
internal enum AnyKind : byte
{
    Null = 0,
    Reference = 1,
    Int64 = 2,
    Int32 = 3,
    String = 4,
    Bytes = 5,
}
