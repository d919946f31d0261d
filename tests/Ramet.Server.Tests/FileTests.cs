using System.Formats.Tar;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace Ramet.Server.Tests;

public sealed class FileTests(Daemon daemon)
{
    [Fact]
    public async Task Files_are_written_read_listed_moved_and_removed()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        string files = $"{sandbox.Path}/files";
        await PutAsync($"{files}/content?path=data/a.txt&mode=755", Encoding.UTF8.GetBytes("hallå"));
        Assert.Equal("'hallå'", (string?)(await sandbox.RunAsync("open('data/a.txt').read()"))["value"]);
        await sandbox.RunAsync("open('data/b.txt', 'w').write('from inside')");
        Assert.Equal("from inside", await daemon.Http.GetStringAsync($"{files}/content?path=/root/data/b.txt"));
        var stat = JsonNode.Parse(await daemon.Http.GetStringAsync($"{files}/stat?path=data/a.txt"))!;
        Assert.Equal(("file", 6, "755"), ((string?)stat["type"], (int)stat["size"]!, (string?)stat["mode"]));
        var list = JsonNode.Parse(await daemon.Http.GetStringAsync($"{files}?path=data"))!["entries"]!.AsArray();
        Assert.Equal(["a.txt", "b.txt"], list.Select(entry => (string?)entry!["name"]));
        await ExpectAsync(HttpStatusCode.NoContent, daemon.Http.PostAsync($"{files}/mkdir", Http.Body("""{"path":"x/y","parents":true}""")));
        await ExpectAsync(HttpStatusCode.Conflict, daemon.Http.PostAsync($"{files}/mkdir", Http.Body("""{"path":"x/y"}""")));
        await ExpectAsync(HttpStatusCode.NoContent, daemon.Http.PostAsync($"{files}/move", Http.Body("""{"from":"data/a.txt","to":"x/y/a.txt"}""")));
        await ExpectAsync(HttpStatusCode.Conflict, daemon.Http.DeleteAsync($"{files}?path=x"));
        await ExpectAsync(HttpStatusCode.NoContent, daemon.Http.DeleteAsync($"{files}?path=x&recursive=true"));
        await ExpectAsync(HttpStatusCode.NotFound, daemon.Http.GetAsync($"{files}/content?path=x/y/a.txt"));
    }

    [Theory]
    [InlineData("", HttpStatusCode.BadRequest)]
    [InlineData("?path=", HttpStatusCode.BadRequest)]
    [InlineData("?path=a%00b", HttpStatusCode.BadRequest)]
    [InlineData("?path=/etc", HttpStatusCode.BadRequest)]
    [InlineData("?path=/dev/zero", HttpStatusCode.BadRequest)]
    [InlineData("?path=/etc/passwd/x", HttpStatusCode.BadRequest)]
    [InlineData("?path=../../../../nope", HttpStatusCode.NotFound)]
    public async Task Paths_that_cannot_be_read_are_problems(string query, HttpStatusCode expected)
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        using var response = await daemon.Http.GetAsync($"{sandbox.Path}/files/content{query}");
        await Http.ReadAsync(response, expected);
    }

    [Fact]
    public async Task A_directory_goes_up_and_comes_down_as_an_archive()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        using var archive = new MemoryStream();
        using (var writer = new TarWriter(archive, leaveOpen: true))
        {
            writer.WriteEntry(new PaxTarEntry(TarEntryType.Directory, "sub/"));
            writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "sub/run.sh") { Mode = (UnixFileMode)0x1ED, DataStream = new MemoryStream("echo ran"u8.ToArray()) });
            writer.WriteEntry(new PaxTarEntry(TarEntryType.SymbolicLink, "link") { LinkName = "sub/run.sh" });
        }

        await PutAsync($"{sandbox.Path}/files/archive?path=/srv/in", archive.ToArray());
        var process = await sandbox.StartAsync(new { shell = "/bin/sh /srv/in/link && test -x /srv/in/sub/run.sh" });
        var events = await sandbox.OutputAsync((int)process["pid"]!);
        Assert.Equal(0, (int)events[^1].Data["exit_code"]!);

        using var reader = new TarReader(new MemoryStream(await daemon.Http.GetByteArrayAsync($"{sandbox.Path}/files/archive?path=/srv/in")));
        var names = new List<string>();
        while (reader.GetNextEntry() is { } entry) names.Add($"{entry.EntryType} {entry.Name}");
        Assert.Equal(["Directory sub/", "RegularFile sub/run.sh", "SymbolicLink link"], names.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Archives_that_lead_elsewhere_or_are_none_are_refused()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        using var archive = new MemoryStream();
        using (var writer = new TarWriter(archive, leaveOpen: true)) writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "../up") { DataStream = new MemoryStream([1]) });
        await ExpectAsync(HttpStatusCode.BadRequest, daemon.Http.PutAsync($"{sandbox.Path}/files/archive?path=/srv", new ByteArrayContent(archive.ToArray())));
        await ExpectAsync(HttpStatusCode.BadRequest, daemon.Http.PutAsync($"{sandbox.Path}/files/archive?path=/srv", new ByteArrayContent(Encoding.ASCII.GetBytes(new string('x', 2000)))));
        // A long name that is said to be two gigabytes, and the same behind a file whose size is told in two ways.
        byte[] longName = new byte[512], lie = new byte[1536];
        "L"u8.CopyTo(longName.AsSpan(156));
        "17777777777"u8.CopyTo(longName.AsSpan(124));
        "ustar\000"u8.CopyTo(longName.AsSpan(257));
        "x"u8.CopyTo(lie.AsSpan(156));
        "00000000011"u8.CopyTo(lie.AsSpan(124));
        "ustar\000"u8.CopyTo(lie.AsSpan(257));
        "9 size=0\n"u8.CopyTo(lie.AsSpan(512));
        "0"u8.CopyTo(lie.AsSpan(1024 + 156));
        "file"u8.CopyTo(lie.AsSpan(1024));
        "00000001000"u8.CopyTo(lie.AsSpan(1024 + 124));
        "ustar\000"u8.CopyTo(lie.AsSpan(1024 + 257));
        foreach (byte[] bytes in new[] { longName, [.. lie, .. longName] })
        {
            for (int block = 0; block < bytes.Length; block += 512)
            {
                if (block == 512 && bytes.Length > 512) continue; // Attributes have no header.
                var header = bytes.AsSpan(block, 512);
                header.Slice(148, 8).Fill((byte)' ');
                int sum = 0;
                foreach (byte value in header) sum += value;
                Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ").CopyTo(header[148..]);
            }

            using var refused = await daemon.Http.PutAsync($"{sandbox.Path}/files/archive?path=/srv", new ByteArrayContent(bytes));
            Assert.Contains("2147483647 bytes; 1048576 are the most", (string?)(await Http.ReadAsync(refused, HttpStatusCode.BadRequest))["detail"], StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task An_upload_larger_than_the_sandbox_says_that_memory_is_full()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http, new { memory_mb = 64 });
        // Little more than there is: of what is left after the refusal the server reads a part only, and then closes the connection.
        using var content = new StreamContent(new Zeros(70L << 20));
        using var response = await daemon.Http.PutAsync($"{sandbox.Path}/files/content?path=/tmp/big", content);
        await Http.ReadAsync(response, HttpStatusCode.InsufficientStorage);
        Assert.Equal("2", (string?)(await sandbox.RunAsync("1 + 1"))["value"]);
    }

    [Fact]
    [Trait("Kind", "performance")]
    public async Task A_gigabyte_passes_through_without_being_held_beside_the_sandbox()
    {
        const long Size = 1L << 30;
        const string Heap = "ramet_managed_heap_bytes";
        // A server of its own: the heap is that of all that a server does.
        using var server = new RunningServer(["--dev", "--listen", "127.0.0.1:0"], new Dictionary<string, string?> { ["RAMET_TEMPLATES"] = "python" });
        using var client = server.CreateClient();
        client.Timeout = TimeSpan.FromMinutes(10);
        await using var sandbox = await LiveSandbox.CreateAsync(client, new { memory_mb = 1400 });
        double heapBefore = await client.MetricAsync(Heap);
        double heap = 0;
        using (var content = new StreamContent(new Zeros(Size)))
        {
            var upload = client.PutAsync($"{sandbox.Path}/files/content?path=/big", content);
            while (!upload.IsCompleted)
            {
                heap = Math.Max(heap, await client.MetricAsync(Heap));
                await Task.WhenAny(upload, Task.Delay(100));
            }

            Assert.Equal(HttpStatusCode.NoContent, (await upload).StatusCode);
        }

        Assert.Equal($"{Size}", (string?)(await sandbox.RunAsync("import os; os.path.getsize('/big')"))["value"]);
        Assert.True(heap - heapBefore < 100 << 20, $"The managed heap grew by {(heap - heapBefore) / 1048576:0} MiB.");
    }

    [Fact]
    public async Task Changes_below_a_directory_are_told_as_they_happen()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        await sandbox.RunAsync("import os; os.makedirs('w/deep')");
        using var response = await daemon.Http.GetAsync($"{sandbox.Path}/files/watch?path=w&recursive=true", HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        await sandbox.RunAsync("open('w/deep/f', 'w').write('x')\nos.makedirs('w/new/er'); open('w/new/er/g', 'w')\nos.rename('w/deep/f', 'w/f'); os.remove('w/f')");
        var seen = new HashSet<string>();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        string[] expected = ["created w/deep/f", "modified w/deep/f", "created w/new", "created w/new/er", "created w/new/er/g", "moved_from w/deep/f", "moved_to w/f", "removed w/f"];
        while (!expected.All(seen.Contains))
        {
            string line = await reader.ReadLineAsync(limit.Token) ?? throw new InvalidOperationException("The stream ended: " + string.Join(", ", seen));
            if (line.StartsWith("data: ", StringComparison.Ordinal)) seen.Add($"{JsonNode.Parse(line[6..])!["kind"]} {JsonNode.Parse(line[6..])!["path"]}");
        }
    }

    private async Task PutAsync(string path, byte[] bytes) => await ExpectAsync(HttpStatusCode.NoContent, daemon.Http.PutAsync(path, new ByteArrayContent(bytes)));

    private static async Task ExpectAsync(HttpStatusCode expected, Task<HttpResponseMessage> request)
    {
        using var response = await request;
        Assert.True(response.StatusCode == expected, $"{(int)response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
    }

    /// <summary>So many zeros.</summary>
    private sealed class Zeros(long length) : Stream
    {
        private long _left = length;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count)
        {
            count = (int)Math.Min(count, _left);
            buffer.AsSpan(offset, count).Clear();
            _left -= count;
            return count;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
