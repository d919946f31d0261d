using System.Collections.Concurrent;
using System.Text.Json;
using Ramet.Host;

namespace Ramet.Sandboxes.Durable;

/// <summary>
/// Sandboxes on disk: a directory each, DIRECTORY/ID, with a record and files of memory. One is written beside, made durable, and then given its name, so that what has the name is
/// whole; whoever takes one out gives it another name first, so that nobody else takes it too, and what a killed process has left is put back by the next.
/// Servers that share a directory know of what was there when they started and of what they did themselves; what is on disk is what counts.
/// </summary>
internal sealed class SandboxArchive : IDisposable
{
    public const string StateName = "state";

    private const string RecordName = "record.json";
    private const string Unfinished = ".tmp-", Taken = ".taken-";
    private const int Piece = 256 << 10;

    private readonly string _directory;
    private readonly ArchiveOwner _owner;
    private readonly ConcurrentDictionary<string, ArchiveRecord> _records = new(StringComparer.Ordinal);

    /// <summary>Opens a directory, which need not be there.</summary>
    public SandboxArchive(string directory)
    {
        _directory = directory;
        _owner = new ArchiveOwner(directory);
        if (!Directory.Exists(directory)) return;
        foreach (string path in Directory.EnumerateDirectories(directory)) Tidy(path);
        ArchiveOwner.RemoveDead(directory);
        try
        {
            // Now: when the disk is full, what is here can be taken out and removed still.
            _ = _owner.Id;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It is tried again when it is needed.
        }

        foreach (string path in Directory.EnumerateDirectories(directory))
        {
            if (Path.GetFileName(path)[0] != '.' && TryRead(path) is { } record && record.Id == Path.GetFileName(path)) _records[record.Id] = record;
        }
    }

    /// <summary>All that there are, the oldest first.</summary>
    public IReadOnlyList<ArchiveRecord> List(string? tenant) => [.. _records.Values.Where(record => tenant is null || record.Tenant == tenant).OrderBy(record => record.Id, StringComparer.Ordinal)];

    /// <summary>One of a tenant; null: there is none.</summary>
    public ArchiveRecord? Find(string tenant, string id) => _records.TryGetValue(id, out var record) && record.Tenant == tenant ? record : null;

    /// <summary>Writes one, durably. Gives the record with its size.</summary>
    /// <param name="record">What is known of it.</param>
    /// <param name="write">Writes its files: name and content, any number of times.</param>
    /// <exception cref="SandboxStorageException">It cannot be written.</exception>
    public async Task<ArchiveRecord> AddAsync(ArchiveRecord record, Func<Func<string, Stream, Task>, Task> write)
    {
        string? temporary = null;
        long size = 0;
        try
        {
            // Its files are for their owner alone: they hold what programs had in memory.
            Store(() =>
            {
                temporary = Path.Combine(_directory, $"{Unfinished}{_owner.Id}-{Guid.NewGuid():n}");
                Directory.CreateDirectory(temporary);
            });
            await write(async (name, content) => size += await WriteAsync(Path.Combine(temporary!, name), content).ConfigureAwait(false)).ConfigureAwait(false);
            record = record with { SizeBytes = size };
            Store(() =>
            {
                // Last: the names of the other files become durable with its own.
                WriteRecord(temporary!, record);
                Directory.Move(temporary!, PathOf(record.Id));
                FileDescriptor.SynchronizeDirectory(_directory);
            });
            _records[record.Id] = record;
            return record;
        }
        finally
        {
            if (temporary is not null && Directory.Exists(temporary)) Directory.Delete(temporary, recursive: true);
        }
    }

    /// <summary>Writes what is known of one anew, and gives that; null: it is not there (any more).</summary>
    /// <param name="id">Which.</param>
    /// <param name="change">What becomes of what is known of it now.</param>
    /// <exception cref="SandboxStorageException">It cannot be written: it is as it was.</exception>
    public ArchiveRecord? Update(string id, Func<ArchiveRecord, ArchiveRecord> change)
    {
        if (!_records.TryGetValue(id, out var known)) return null;
        var record = change(Current(PathOf(id), known));
        try
        {
            Store(() => WriteRecord(PathOf(id), record));
        }
        catch (SandboxStorageException) when (!Directory.Exists(PathOf(id)))
        {
            // Another server of the same data directory has it.
            _records.TryRemove(id, out _);
            return null;
        }

        return _records[id] = record;
    }

    /// <summary>What the memory of one says of itself.</summary>
    /// <exception cref="SandboxException">It is no such file.</exception>
    public SavedSandbox Describe(string id)
    {
        try
        {
            return SavedSandboxFile.ReadDescription(Path.Combine(PathOf(id), StateName));
        }
        catch (Exception exception) when (exception is SnapshotDamagedException or HostException or IOException)
        {
            throw new SandboxException("This is no snapshot of a sandbox, or a damaged one.");
        }
    }

    /// <summary>Opens a file of one.</summary>
    /// <exception cref="SandboxException">It cannot be read.</exception>
    public FileStream Open(string id, string name) => OpenFile(Path.Combine(PathOf(id), name));

    /// <summary>Where a file of one is.</summary>
    public string FileOf(string id, string name) => Path.Combine(PathOf(id), name);

    /// <summary>Takes one out, to be used: nobody else can. Null: it is not there (any more).</summary>
    /// <exception cref="SandboxStorageException">It cannot be taken.</exception>
    public TakenRecord? Take(string tenant, string id)
    {
        if (Find(tenant, id) is not { } known) return null;
        string path = "";
        try
        {
            Store(() =>
            {
                path = Path.Combine(_directory, $"{Taken}{_owner.Id}-{id}");
                Directory.Move(PathOf(id), path);
            });
        }
        catch (SandboxStorageException) when (!Directory.Exists(PathOf(id)))
        {
            // Another server of the same data directory has it.
            _records.TryRemove(id, out _);
            return null;
        }

        _records.TryRemove(id, out _);
        return new TakenRecord(this, Current(path, known), path);
    }

    /// <summary>Removes one that was put here before a time. Gives what is there; null: nothing is (any more).</summary>
    public ArchiveRecord? RemoveIfOlder(string tenant, string id, DateTimeOffset than)
    {
        if (Find(tenant, id) is not { } known) return null;
        // Another server may have used it since, and have put it here again.
        if (Current(PathOf(id), known) is { } now && now.Archived >= than) return _records[id] = now;
        if (Take(tenant, id) is not { } taken) return null;
        if (taken.Record.Archived >= than)
        {
            taken.PutBack();
            return taken.Record;
        }

        taken.Discard();
        return null;
    }

    /// <summary>Removes one. False: it is not there.</summary>
    public bool Remove(string tenant, string id)
    {
        if (Take(tenant, id) is not { } taken) return false;
        taken.Discard();
        return true;
    }

    private static FileStream OpenFile(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0, useAsync: false);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new SandboxException($"The sandbox cannot be read: {exception.Message}");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _owner.Dispose();

    /// <summary>What fails in here is the server's disk, and not where bytes come from.</summary>
    private static void Store(Action action)
    {
        try
        {
            action();
        }
        catch (Exception exception) when (exception is HostException or IOException or UnauthorizedAccessException)
        {
            throw new SandboxStorageException(exception);
        }
    }

    private static async Task<long> WriteAsync(string path, Stream content)
    {
        FileDescriptor? file = null;
        try
        {
            Store(() => file = FileDescriptor.Create(path, 0x180));
            byte[] buffer = new byte[Piece];
            long length = 0;
            int count;
            while ((count = await content.ReadAsync(buffer).ConfigureAwait(false)) > 0)
            {
                Store(() => file!.WriteAllAt(buffer.AsSpan(0, count), length));
                length += count;
            }

            Store(file!.Synchronize);
            return length;
        }
        finally
        {
            file?.Dispose();
        }
    }

    /// <summary>What a directory says of a sandbox; if it cannot be read, what is known of that.</summary>
    private static ArchiveRecord Current(string directory, ArchiveRecord known) => TryRead(directory) is { } now && now.Id == known.Id && now.Tenant == known.Tenant ? now : known;

    private static void WriteRecord(string directory, ArchiveRecord record) =>
        WholeFile.Write(Path.Combine(directory, RecordName), UnixFileMode.UserRead | UnixFileMode.UserWrite, file => file.WriteAll(JsonSerializer.SerializeToUtf8Bytes(record, ArchiveJson.Default.ArchiveRecord)));

    private static ArchiveRecord? TryRead(string directory)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(Path.Combine(directory, RecordName)), ArchiveJson.Default.ArchiveRecord) is { Version: 1 } record ? record : null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    /// <summary>Removes what a killed process had not finished, and puts back what it had taken.</summary>
    private void Tidy(string path)
    {
        string name = Path.GetFileName(path);
        try
        {
            if (name.StartsWith(Unfinished, StringComparison.Ordinal) && IsOrphan(name[Unfinished.Length..])) Directory.Delete(path, recursive: true);
            else if (name.StartsWith(Taken, StringComparison.Ordinal) && IsOrphan(name[Taken.Length..])) Directory.Move(path, PathOf(name[(name.IndexOf('-', Taken.Length) + 1)..]));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Somebody else does the same.
        }
    }

    /// <summary>Whether nobody lives whose it is. Without a GUID it is of a version that had none.</summary>
    private bool IsOrphan(string rest) => !Guid.TryParseExact(rest.Split('-')[0], "N", out _) || ArchiveOwner.IsGone(_directory, rest.Split('-')[0]);

    private string PathOf(string id) => Path.Combine(_directory, id);

    /// <summary>One that was taken out.</summary>
    internal sealed class TakenRecord(SandboxArchive archive, ArchiveRecord record, string path)
    {
        public ArchiveRecord Record { get; } = record;

        public FileStream Open(string name) => OpenFile(Path.Combine(path, name));

        /// <summary>It is not needed any more.</summary>
        public void Discard()
        {
            try
            {
                // In one step: half of it is not to be put back.
                string grave = Path.Combine(archive._directory, $"{Unfinished}{archive._owner.Id}-{Guid.NewGuid():n}");
                Directory.Move(path, grave);
                Directory.Delete(grave, recursive: true);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // The next server to start removes it.
            }
        }

        /// <summary>It could not be used: it is there again.</summary>
        public void PutBack()
        {
            Directory.Move(path, archive.PathOf(Record.Id));
            archive._records[Record.Id] = Record;
        }
    }
}
