using System.Buffers;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Ramet.Images;

/// <summary>
/// A temporary file with the contents of a tree's files while an image is being built, each distinct content once.
/// Not thread safe.
/// </summary>
public sealed class ContentSpool : IDisposable
{
    private readonly Stream _stream;
    private readonly Dictionary<UInt128, List<(byte[] Hash, ContentReference Content)>> _known = [];
    private long _end;

    /// <summary>Uses a stream that can be read, written and sought; it is disposed with the spool.</summary>
    public ContentSpool(Stream stream) => _stream = stream;

    /// <summary>Adds contents.</summary>
    /// <param name="source">Read to exactly <paramref name="length"/> bytes.</param>
    /// <param name="length">How many bytes.</param>
    /// <exception cref="EndOfStreamException">The source ended early.</exception>
    public ContentReference Add(Stream source, long length)
    {
        if (length == 0) return default;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(128 * 1024);
        try
        {
            _stream.Position = _end;
            var isElf = false;
            for (long done = 0; done < length;)
            {
                var chunk = buffer.AsSpan(0, (int)Math.Min(buffer.Length, length - done));
                source.ReadExactly(chunk);
                if (done == 0) isElf = chunk.StartsWith("\x7f"u8) && chunk.Length > 4 && chunk[1..4].SequenceEqual("ELF"u8);
                hash.AppendData(chunk);
                _stream.Write(chunk);
                done += chunk.Length;
            }
            return Register(hash.GetHashAndReset(), new ContentReference(_end, length, isElf));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Opens contents for reading. One reader at a time, and none while adding.</summary>
    public Stream Open(ContentReference content)
    {
        _stream.Position = content.Offset;
        return new Archives.BoundedStream(_stream, content.Length);
    }

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();

    private ContentReference Register(byte[] hash, ContentReference content)
    {
        var key = MemoryMarshal.Read<UInt128>(hash);
        if (!_known.TryGetValue(key, out var list)) _known.Add(key, list = []);
        foreach (var (other, known) in list)
            if (known.Length == content.Length && other.AsSpan().SequenceEqual(hash)) return known; // The copy just written is overwritten by the next.
        list.Add((hash, content));
        _end += content.Length;
        return content;
    }
}
