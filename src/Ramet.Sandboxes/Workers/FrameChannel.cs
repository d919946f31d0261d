using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Ramet.Sandboxes.Workers;

/// <summary>
/// Frames over two pipes: a 32-bit length, then call, kind, method, JSON and blobs, each with its length. Little-endian. Reading and writing block, on threads that have nothing
/// else to do: that is the quickest way there is between two processes but shared memory.
/// </summary>
internal sealed class FrameChannel(Stream input, Stream output)
{
    /// <summary>Longest frame, bytes: the output of a program and everything else that goes at once.</summary>
    public const int LongestFrame = 512 << 20;

    private const int MostBlobs = 4096;

    private readonly Lock _writing = new();
    private readonly byte[] _length = new byte[4];

    /// <summary>Sends a frame. Any thread may.</summary>
    /// <exception cref="IOException">The other side is gone.</exception>
    public void Send(Frame frame)
    {
        int method = Encoding.UTF8.GetByteCount(frame.Method);
        long length = 4 + 1 + 1 + method + 4 + frame.Json.Length + 4 + frame.Blobs.Sum(blob => 4L + blob.Length);
        if (length > LongestFrame) throw new FrameException($"A message of {length >> 20} MiB is longer than {LongestFrame >> 20} MiB, the most that goes to or from a worker at once.");
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)length + 4);
        try
        {
            var at = buffer.AsSpan();
            Put(ref at, (uint)length);
            Put(ref at, frame.Call);
            at[0] = (byte)frame.Kind;
            at[1] = (byte)method;
            Encoding.UTF8.GetBytes(frame.Method, at[2..]);
            at = at[(2 + method)..];
            Put(ref at, frame.Json.Span);
            Put(ref at, (uint)frame.Blobs.Count);
            foreach (var blob in frame.Blobs) Put(ref at, blob.Span);
            lock (_writing)
            {
                output.Write(buffer, 0, (int)length + 4);
                output.Flush();
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>The next frame; null when the other side is gone. One thread at a time.</summary>
    /// <exception cref="FrameException">The other side sends what it must not.</exception>
    public Frame? Receive()
    {
        if (!TryReadExactly(_length)) return null;
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(_length);
        if (length is < 14 or > LongestFrame) throw new FrameException($"a frame of {length} bytes");
        byte[] bytes = GC.AllocateUninitializedArray<byte>((int)length);
        if (!TryReadExactly(bytes)) return null;
        var at = bytes.AsMemory();
        uint call = TakeNumber(ref at);
        var kind = (FrameKind)Take(ref at, 1).Span[0];
        string method = Encoding.UTF8.GetString(Take(ref at, Take(ref at, 1).Span[0]).Span);
        var json = Take(ref at, TakeNumber(ref at));
        uint count = TakeNumber(ref at);
        if (count > MostBlobs) throw new FrameException($"a frame with {count} blobs");
        var blobs = new ReadOnlyMemory<byte>[count];
        for (int i = 0; i < blobs.Length; i++) blobs[i] = Take(ref at, TakeNumber(ref at));
        return new Frame(call, kind, method, json, blobs);
    }

    private static void Put(ref Span<byte> at, uint number)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(at, number);
        at = at[4..];
    }

    private static void Put(ref Span<byte> at, ReadOnlySpan<byte> bytes)
    {
        Put(ref at, (uint)bytes.Length);
        bytes.CopyTo(at);
        at = at[bytes.Length..];
    }

    private static uint TakeNumber(ref Memory<byte> at) => BinaryPrimitives.ReadUInt32LittleEndian(Take(ref at, 4).Span);

    private static ReadOnlyMemory<byte> Take(ref Memory<byte> at, uint count)
    {
        if (count > (uint)at.Length) throw new FrameException("a frame that is shorter than it says");
        var taken = at[..(int)count];
        at = at[(int)count..];
        return taken;
    }

    private bool TryReadExactly(Span<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            int count = input.Read(buffer);
            if (count <= 0) return false;
            buffer = buffer[count..];
        }

        return true;
    }
}
