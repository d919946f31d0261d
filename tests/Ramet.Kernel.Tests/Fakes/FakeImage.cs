using System.Text;
using Ramet.Kernel.Platform;

namespace Ramet.Kernel.Tests.Fakes;

/// <summary>An image in memory, made by adding files.</summary>
internal sealed class FakeImage : IReadOnlyImage
{
    private readonly List<ImageNode> _nodes = [];
    private readonly Dictionary<int, SortedDictionary<string, int>> _directories = [];
    private readonly Dictionary<int, string> _targets = [];
    private byte[] _data = [];

    public FakeImage() => NewDirectory(0x1ED);

    public string Id => "fake";

    public int Root => 0;

    public int NodeCount => _nodes.Count;

    public FakeImage Directory(string path, uint mode = 0x1ED)
    {
        int parent = 0;
        foreach (string name in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!_directories[parent].TryGetValue(name, out int node))
            {
                node = NewDirectory(mode);
                _directories[parent].Add(name, node);
            }

            parent = node;
        }

        return this;
    }

    public FakeImage File(string path, string content, uint mode = 0x1A4) => File(path, Encoding.Latin1.GetBytes(content), mode);

    public FakeImage File(string path, byte[] content, uint mode = 0x1A4, uint uid = 0)
    {
        long offset = _data.Length;
        Array.Resize(ref _data, (_data.Length + content.Length + 4095) & ~4095);
        content.CopyTo(_data.AsSpan((int)offset));
        Add(path, new ImageNode(0x8000 | mode, uid, uid, 1, content.Length, 1_600_000_000_000_000_000, 0, offset));
        return this;
    }

    public FakeImage Link(string path, string target)
    {
        _targets[Add(path, new ImageNode(0xA1FF, 0, 0, 1, target.Length, 1_600_000_000_000_000_000, 0, 0))] = target;
        return this;
    }

    public FakeImage HardLink(string path, string existing)
    {
        int node = Find(existing);
        _nodes[node] = _nodes[node] with { LinkCount = _nodes[node].LinkCount + 1 };
        Parent(path, out string name).Add(name, node);
        return this;
    }

    public ImageNode GetNode(int node) => _nodes[node];

    public bool TryLookup(int directory, string name, out int node) => _directories[directory].TryGetValue(name, out node);

    public IEnumerable<KeyValuePair<string, int>> EnumerateDirectory(int directory) => _directories[directory];

    public string GetLinkTarget(int node) => _targets[node];

    public ReadOnlySpan<byte> ReadData(long offset, int length) => offset >= _data.Length
        ? default
        : _data.AsSpan((int)offset, (int)Math.Min(length, _data.Length - offset));

    private int NewDirectory(uint mode)
    {
        _nodes.Add(new ImageNode(0x4000 | mode, 0, 0, 2, 4096, 1_600_000_000_000_000_000, 0, 0));
        _directories.Add(_nodes.Count - 1, new SortedDictionary<string, int>(StringComparer.Ordinal));
        return _nodes.Count - 1;
    }

    private int Add(string path, ImageNode node)
    {
        var parent = Parent(path, out string name);
        _nodes.Add(node);
        parent.Add(name, _nodes.Count - 1);
        return _nodes.Count - 1;
    }

    private SortedDictionary<string, int> Parent(string path, out string name)
    {
        int slash = path.LastIndexOf('/');
        name = path[(slash + 1)..];
        Directory(path[..slash]);
        return _directories[Find(path[..slash])];
    }

    private int Find(string path)
    {
        int node = 0;
        foreach (string name in path.Split('/', StringSplitOptions.RemoveEmptyEntries)) node = _directories[node][name];
        return node;
    }
}
