using Ramet.Kernel.Platform;

namespace Ramet.Kvm;

/// <summary>
/// Image files above <see cref="GuestMemory.ImageBase"/>. A shadow-paging host pays for a slot by its length (13 us and
/// 0.25 us a MiB, and 8 bytes of kernel memory a page), so an image is attached window by window as its pages come
/// into page tables; a fork attaches what its template had, in as few slots as possible.
/// </summary>
public sealed unsafe partial class KvmGuestMemory
{
    /// <summary>An image is attached in windows of this many bytes.</summary>
    public const ulong ImageWindow = 32 << 20;

    private AttachedImage[] _images = [];
    private uint _nextImageSlot = FirstImageSlot;

    private sealed class AttachedImage(GuestImage image, ulong address)
    {
        internal readonly GuestImage Image = image;
        internal readonly ulong Address = address;
        internal readonly ulong Length = ((ulong)image.Length + PageSize - 1) & ~(ulong)(PageSize - 1);
        internal readonly bool[] Windows = new bool[((ulong)image.Length + ImageWindow - 1) / ImageWindow];
    }

    /// <summary>Guest-physical address of each image, in the order of <see cref="VirtualMachineOptions.Images"/>: from ImageBase up, at the next whole GiB behind the one before.</summary>
    public IReadOnlyList<ulong> ImageAddresses { get; private set; } = [];

    /// <summary>Says which images there are; the same ones may be named again.</summary>
    internal void SetImages(IReadOnlyList<GuestImage> images)
    {
        if (_images.Length > 0)
        {
            if (!_images.Select(image => image.Image).SequenceEqual(images))
                throw new InvalidOperationException("The machine was laid out for other images.");
            return;
        }
        const ulong gibibyte = 1 << 30;
        var attached = new AttachedImage[images.Count];
        var addresses = new ulong[images.Count];
        var address = ImageBase;
        for (var i = 0; i < images.Count; i++)
        {
            images[i].AddReference();
            attached[i] = new AttachedImage(images[i], address);
            addresses[i] = address;
            address += (attached[i].Length + gibibyte - 1) & ~(gibibyte - 1);
        }
        _images = attached;
        ImageAddresses = addresses;
    }

    /// <summary>
    /// Makes image pages reachable for the guest. Ranges that are attached already cost a look-up. False when the range
    /// is not inside one image or the host refuses.
    /// </summary>
    public override bool TryAttachImage(ulong address, ulong length)
    {
        lock (_growth)
        {
            if (_reservation.IsClosed || FindImage(address, length) is not { } image)
                return false;
            if (length == 0)
                return true;
            var first = (int)((address - image.Address) / ImageWindow);
            var last = (int)((address + length - 1 - image.Address) / ImageWindow);
            for (var i = first; i <= last; i++)
            {
                if (image.Windows[i])
                    continue;
                var end = i;
                while (end < last && !image.Windows[end + 1])
                    end++;
                var offset = (ulong)i * ImageWindow;
                var bytes = Math.Min(image.Length, (ulong)(end + 1) * ImageWindow) - offset;
                // SAFETY: the window is inside the image's mapping, whose reference we hold until Dispose.
                if (!TrySetSlot(_nextImageSlot, image.Address + offset, bytes, image.Image.Pointer + offset, KvmAbi.KVM_MEM_READONLY))
                    return false;
                _nextImageSlot++;
                image.Windows.AsSpan(i, end - i + 1).Fill(true);
                i = end;
            }
            return true;
        }
    }

    /// <summary>The attached ranges, neighbours joined: what a fork gives to <see cref="TryAttachImage"/> before it runs.</summary>
    public IReadOnlyList<(ulong Address, ulong Length)> GetAttachedImageRanges()
    {
        lock (_growth)
        {
            var ranges = new List<(ulong, ulong)>();
            foreach (var image in _images)
            {
                for (var i = 0; i < image.Windows.Length; i++)
                {
                    if (!image.Windows[i])
                        continue;
                    var end = i;
                    while (end + 1 < image.Windows.Length && image.Windows[end + 1])
                        end++;
                    var offset = (ulong)i * ImageWindow;
                    ranges.Add((image.Address + offset, Math.Min(image.Length, (ulong)(end + 1) * ImageWindow) - offset));
                    i = end;
                }
            }
            return ranges;
        }
    }

    private AttachedImage? FindImage(ulong address, ulong length)
    {
        foreach (var image in _images)
        {
            if (address >= image.Address && address - image.Address <= image.Length && length <= image.Length - (address - image.Address))
                return image;
        }
        return null;
    }

    private bool TryGetImageSpan(ulong address, int length, out ReadOnlySpan<byte> span)
    {
        span = default;
        if (length < 0 || FindImage(address, (ulong)length) is not { } image)
            return false;
        // SAFETY: the range is inside the image's page-rounded mapping, whose reference we hold until Dispose.
        span = new ReadOnlySpan<byte>(image.Image.Pointer + (address - image.Address), length);
        return true;
    }

    private void ReleaseImages()
    {
        var images = _images;
        _images = [];
        foreach (var image in images)
            image.Image.ReleaseReference();
    }
}
