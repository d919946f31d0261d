using Ramet.Kernel.Hosting;

namespace Ramet.Sandboxes.Hosting;

/// <summary>A file of a sandbox as a stream, in one direction. Calls do not wait for anything but the kernel's lock.</summary>
internal sealed class SandboxFileStream(HostOpenFile file, string path, bool writes) : SimpleStream
{
    public override bool CanRead => !writes;

    public override bool CanWrite => writes;

    public override long Length => file.Length;

    public override int Read(Span<byte> buffer)
    {
        var error = file.Read(buffer, out int count);
        return error == Abi.Errno.None ? count : throw new HostedFileException(path, error);
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        var error = file.Write(buffer);
        if (error != Abi.Errno.None) throw new HostedFileException(path, error);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) file.Dispose();
        base.Dispose(disposing);
    }
}
