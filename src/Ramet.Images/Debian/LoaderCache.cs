using System.Buffers.Binary;
using System.Text;

namespace Ramet.Images.Debian;

/// <summary>
/// Writes /etc/ld.so.cache as ldconfig(8) would, without running it. The loader manages without the cache for Debian's own
/// directories, but ldconfig -p (Python's ctypes.util.find_library) and directories of ld.so.conf need it.
/// Format: glibc, sysdeps/generic/dl-cache.h, "new format" alone.
/// </summary>
internal sealed class LoaderCache(ImageTree tree)
{
    private const int HeaderSize = 48;
    private const int EntrySize = 24;
    private const byte LittleEndian = 2;
    private const int MaximumIncludes = 16;

    // FLAG_ELF_LIBC6 with FLAG_X8664_LIB64 or FLAG_AARCH64_LIB64.
    private static int Flags => HostSystem.Architecture is "arm64" ? 0x0a03 : 0x0303;

    /// <summary>Collects the libraries and writes the cache; makes links under the libraries' own names where they are missing.</summary>
    public void Write()
    {
        List<string> directories = [];
        ReadConfiguration("etc/ld.so.conf", directories, 0);
        directories.AddRange([$"/lib/{HostSystem.MultiarchTuple}", $"/usr/lib/{HostSystem.MultiarchTuple}", "/lib", "/usr/lib"]);
        // The first directory that has a name wins; aliases through merged /usr count once.
        Dictionary<string, string> libraries = new(StringComparer.Ordinal);
        HashSet<TreeNode> seen = new(ReferenceEqualityComparer.Instance);
        foreach (var directory in directories)
            if (tree.Find(directory) is { IsDirectory: true } node && seen.Add(node)) Collect(directory.TrimEnd('/'), node, libraries);
        if (libraries.Count > 0) tree.AddFile("etc/ld.so.cache", Encode(libraries));
    }

    private void ReadConfiguration(string path, List<string> directories, int depth)
    {
        if (depth > MaximumIncludes || tree.ReadFile(path) is not { } bytes) return;
        foreach (var raw in Encoding.Latin1.GetString(bytes).Split('\n'))
        {
            var line = raw.Split('#')[0].Trim();
            if (line.StartsWith("include ", StringComparison.Ordinal))
            {
                var pattern = line["include ".Length..].Trim();
                var slash = pattern.LastIndexOf('/');
                if (slash < 0 || tree.Find(pattern[..slash]) is not { IsDirectory: true } parent) continue;
                foreach (var (name, _) in parent.Entries.ToList())
                    if (System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(pattern.AsSpan(slash + 1), name, ignoreCase: false))
                        ReadConfiguration($"{pattern[..slash]}/{name}", directories, depth + 1);
            }
            else if (line.StartsWith('/')) directories.Add(line);
        }
    }

    private void Collect(string path, TreeNode directory, Dictionary<string, string> libraries)
    {
        foreach (var (name, entry) in directory.Entries.ToList())
        {
            if (!(name.StartsWith("lib", StringComparison.Ordinal) || name.StartsWith("ld-", StringComparison.Ordinal)) || !name.Contains(".so", StringComparison.Ordinal)) continue;
            var file = tree.Find($"{path}/{name}");
            if (file is not { IsRegular: true } || !file.Content.IsElf || tree.ReadFile($"{path}/{name}") is not { } bytes || !TryReadSoname(bytes, out var soname)) continue;
            soname ??= name;
            if (!directory.Entries.ContainsKey(soname) && !soname.Contains('/', StringComparison.Ordinal) && !entry.IsSymbolicLink) tree.AddSymbolicLink($"{path}/{soname}", name);
            libraries.TryAdd(soname, $"{path}/{soname}");
            if (entry.IsSymbolicLink && name.EndsWith(".so", StringComparison.Ordinal)) libraries.TryAdd(name, $"{path}/{name}");
        }
    }

    private static byte[] Encode(Dictionary<string, string> libraries)
    {
        var sorted = libraries.OrderByDescending(pair => pair.Key, Comparer<string>.Create(Compare)).ToList();
        using var strings = new MemoryStream();
        var stringsAt = HeaderSize + (sorted.Count * EntrySize);
        var cache = new byte[stringsAt];
        uint Add(string text)
        {
            var at = (uint)(stringsAt + strings.Length);
            strings.Write(Encoding.Latin1.GetBytes(text + "\0"));
            return at;
        }
        for (var i = 0; i < sorted.Count; i++)
        {
            var entry = cache.AsSpan(HeaderSize + (i * EntrySize));
            BinaryPrimitives.WriteInt32LittleEndian(entry, Flags);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[4..], Add(sorted[i].Key));
            BinaryPrimitives.WriteUInt32LittleEndian(entry[8..], Add(sorted[i].Value));
        }
        "glibc-ld.so.cache1.1"u8.CopyTo(cache);
        BinaryPrimitives.WriteInt32LittleEndian(cache.AsSpan(20), sorted.Count);
        BinaryPrimitives.WriteInt32LittleEndian(cache.AsSpan(24), (int)strings.Length);
        cache[28] = LittleEndian;
        return [.. cache, .. strings.ToArray()];
    }

    /// <summary>The order that the loader's binary search relies on: digits compare as numbers and are greater than other characters.</summary>
    private static int Compare(string a, string b)
    {
        int i = 0, j = 0;
        while (i < a.Length)
        {
            var other = j < b.Length ? b[j] : '\0';
            if (char.IsAsciiDigit(a[i]))
            {
                if (!char.IsAsciiDigit(other)) return 1;
                int x = Number(a, ref i), y = Number(b, ref j);
                if (x != y) return x.CompareTo(y);
            }
            else if (char.IsAsciiDigit(other)) return -1;
            else if (a[i] != other) return a[i] - other;
            else
            {
                i++;
                j++;
            }
        }
        return j < b.Length ? -1 : 0;
    }

    private static int Number(string text, ref int at)
    {
        var value = 0;
        for (; at < text.Length && char.IsAsciiDigit(text[at]); at++) value = unchecked((value * 10) + (text[at] - '0'));
        return value;
    }

    /// <summary>Reads DT_SONAME of a 64-bit little-endian shared object (elf(5)). False when it is none; null when it has no name of its own.</summary>
    internal static bool TryReadSoname(ReadOnlySpan<byte> elf, out string? soname)
    {
        const int PtLoad = 1, PtDynamic = 2, DtStrTab = 5, DtSoname = 14;
        soname = null;
        if (elf.Length < 64 || elf[4] != 2 || elf[5] != 1 || BinaryPrimitives.ReadUInt16LittleEndian(elf[16..]) != 3) return false;
        if (BinaryPrimitives.ReadUInt16LittleEndian(elf[18..]) != (HostSystem.Architecture is "arm64" ? 183 : 62)) return false;
        var headersAt = BinaryPrimitives.ReadUInt64LittleEndian(elf[32..]);
        int count = BinaryPrimitives.ReadUInt16LittleEndian(elf[56..]), size = BinaryPrimitives.ReadUInt16LittleEndian(elf[54..]);
        if (size < 56 || headersAt > (ulong)elf.Length || (ulong)(count * size) > (ulong)elf.Length - headersAt) return false;
        var headers = elf.Slice((int)headersAt, count * size);
        ulong? stringTable = null, nameOffset = null;
        for (var i = 0; i < count; i++)
        {
            var header = headers[(i * size)..];
            if (BinaryPrimitives.ReadUInt32LittleEndian(header) != PtDynamic) continue;
            ulong at = BinaryPrimitives.ReadUInt64LittleEndian(header[8..]), length = BinaryPrimitives.ReadUInt64LittleEndian(header[32..]);
            if (at > (ulong)elf.Length || length > (ulong)elf.Length - at) return false;
            for (var dynamic = elf.Slice((int)at, (int)length); dynamic.Length >= 16; dynamic = dynamic[16..])
            {
                var tag = BinaryPrimitives.ReadInt64LittleEndian(dynamic);
                if (tag == 0) break;
                if (tag == DtStrTab) stringTable = BinaryPrimitives.ReadUInt64LittleEndian(dynamic[8..]);
                if (tag == DtSoname) nameOffset = BinaryPrimitives.ReadUInt64LittleEndian(dynamic[8..]);
            }
        }
        if (stringTable is null || nameOffset is null) return true;
        for (var i = 0; i < count; i++)
        {
            var header = headers[(i * size)..];
            ulong at = BinaryPrimitives.ReadUInt64LittleEndian(header[8..]), address = BinaryPrimitives.ReadUInt64LittleEndian(header[16..]), length = BinaryPrimitives.ReadUInt64LittleEndian(header[32..]);
            if (BinaryPrimitives.ReadUInt32LittleEndian(header) != PtLoad || stringTable < address || stringTable - address >= length) continue;
            var start = unchecked(at + (stringTable.Value - address) + nameOffset.Value);
            if (start >= (ulong)elf.Length) return true;
            var text = elf[(int)start..];
            var end = text.IndexOf((byte)0);
            if (end > 0) soname = Encoding.Latin1.GetString(text[..end]);
            return true;
        }
        return true;
    }
}
