namespace Ramet.Kernel.Loading;

/// <summary>The vDSO's code: an ELF shared object of whole pages, mapped behind the vvar page (source: Vdso.S).</summary>
public static class VdsoImage
{
    private static readonly byte[] Image = Load();

    /// <summary>The shared object, padded with zeros to whole pages.</summary>
    public static ReadOnlySpan<byte> Bytes => Image;

    /// <summary>Number of its pages, without the vvar page.</summary>
    public static int PageCount => Image.Length / (int)AddressLayout.PageSize;

    private static byte[] Load()
    {
        using var stream = typeof(VdsoImage).Assembly.GetManifestResourceStream("Ramet.Kernel.Loading.Vdso.so")
            ?? throw new InvalidOperationException("The vDSO is not embedded in this build.");
        byte[] image = new byte[(int)AddressLayout.PageUp((ulong)stream.Length)];
        stream.ReadExactly(image, 0, (int)stream.Length);
        return image;
    }
}
