using Ramet.Kernel.Files;

namespace Ramet.Kernel.Pipes;

/// <summary>What splice(2) and tee(2) need: bytes that are looked at before they are taken, and room that is known before they come.</summary>
public sealed partial class Pipe
{
    /// <summary>Copies bytes from the front, up to the end of a packet, without taking them.</summary>
    internal int Peek(Span<byte> destination, out bool wholePacket)
    {
        wholePacket = false;
        if (_runs is { Count: > 0 })
        {
            var run = _runs[0];
            wholePacket = run.IsPacket && destination.Length >= run.Length;
            if (destination.Length > run.Length) destination = destination[..run.Length];
        }

        return _ring.Peek(destination);
    }

    /// <summary>Takes bytes that <see cref="Peek"/> has shown.</summary>
    internal void Consume(int count)
    {
        bool hadRoom = HasRoom;
        _ring.Drop(count);
        if (_runs is { Count: > 0 })
        {
            var run = _runs[0];
            if (run.Length > count)
            {
                _runs[0] = run with { Length = run.Length - count };
            }
            else
            {
                if (run.IsPacket) _packets--;
                _runs.RemoveAt(0);
            }
        }

        if (!hadRoom && HasRoom) Queue.Wake(Readiness.Out);
    }

    /// <summary>Makes room. Returns how many bytes, up to what is asked for, can be appended now.</summary>
    internal int PrepareRoom(Kernel kernel, int wanted) => _packets >= Slots ? 0 : _ring.Prepare(kernel, wanted);

    /// <summary>Appends bytes for which there is room.</summary>
    internal void AppendPrepared(Kernel kernel, Span<byte> bytes, bool packet)
    {
        var buffer = new IoBuffer(bytes);
        if (packet) AppendPackets(kernel, ref buffer);
        else AppendStream(kernel, ref buffer, atomic: false);
        Queue.Wake(Readiness.In);
    }
}
