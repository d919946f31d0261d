using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;
using Ramet.Server.Logging;

namespace Ramet.Server.Keys;

/// <summary>The keys that a running server accepts. Follows changes of the file within a second; while that is missing or broken, nobody is let in.</summary>
internal sealed class KeyRing(KeyStore store, ILogger logger, TimeProvider time)
{
    private static readonly TimeSpan s_checkEvery = TimeSpan.FromMilliseconds(500);

    private readonly Lock _lock = new();
    private IReadOnlyList<(byte[] Hash, ApiKey Key)> _keys = [];
    private (long Ticks, long Length)? _version;
    private string? _problem;
    private long _checkedAt;

    /// <summary>Why nobody is let in; null when keys are there.</summary>
    public string? Problem
    {
        get
        {
            Refresh();
            return _problem;
        }
    }

    /// <summary>The key, if it is accepted. The time that this takes says nothing of the keys that there are.</summary>
    public ApiKey? Find(string presented)
    {
        Refresh();
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(presented), hash);
        ApiKey? found = null;
        foreach (var (known, key) in Volatile.Read(ref _keys))
        {
            if (CryptographicOperations.FixedTimeEquals(hash, known)) found = key;
        }

        return found?.IsValidAt(time.GetUtcNow()) == true ? found : null;
    }

    private void Refresh()
    {
        if (_checkedAt != 0 && Stopwatch.GetElapsedTime(Volatile.Read(ref _checkedAt)) < s_checkEvery) return;
        lock (_lock)
        {
            var file = new FileInfo(store.Path);
            (long, long)? version = file.Exists ? (file.LastWriteTimeUtc.Ticks, file.Length) : null;
            if (_checkedAt == 0 || version != _version || _problem is not null) Load(version);
            Volatile.Write(ref _checkedAt, Stopwatch.GetTimestamp());
        }
    }

    private void Load((long, long)? version)
    {
        string? before = _problem;
        try
        {
            if (version is null) throw new KeyFileException($"There are no keys: {store.Path} does not exist. Make one with: ramet key create");
            var keys = store.Read();
            Volatile.Write(ref _keys, [.. keys.Select(key => (Convert.FromHexString(key.Hash), key))]);
            (_version, _problem) = (version, null);
            logger.KeysLoaded(keys.Count(key => key.IsValidAt(time.GetUtcNow())), store.Path);
        }
        catch (KeyFileException e)
        {
            Volatile.Write(ref _keys, []);
            (_version, _problem) = (version, e.Message);
            if (before != e.Message) logger.KeysClosed(e.Message);
        }
    }
}
