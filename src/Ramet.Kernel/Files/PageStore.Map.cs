namespace Ramet.Kernel.Files;

/// <summary>The map from page index to frame.</summary>
public sealed partial class PageStore
{
    private ulong Find(long index)
    {
        if (index < _dense.Length && _dense[index] != Below) return _dense[index];
        return _sparse is not null && _sparse.TryGetValue(index, out ulong entry) ? entry : Below;
    }

    private void Set(long index, ulong value)
    {
        ulong previous = Find(index);
        if (previous > Hole)
        {
            _kernel.Frames.Release(previous);
            FrameCount--;
        }

        if (value > Hole) FrameCount++;
        _entries += (value != Below ? 1 : 0) - (previous != Below ? 1 : 0);

        if (index < _dense.Length && (_dense[index] != Below || previous == Below))
        {
            _dense[index] = value;
        }
        else if (previous == Below && index < Math.Max(8, _entries * 2))
        {
            // Never longer than four times the pages there are: a hostile file of far-apart pages goes to the dictionary.
            Array.Resize(ref _dense, (int)Math.Max(index + 1, Math.Min(_entries * 2, 1L << 30)));
            _dense[index] = value;
        }
        else if (value == Below)
        {
            _sparse?.Remove(index);
        }
        else
        {
            (_sparse ??= [])[index] = value;
        }
    }

    /// <summary>The first index from <paramref name="index"/> on that has an entry, or is in the image; long.MaxValue when there is none.</summary>
    private long NextEntry(long index)
    {
        long best = NextDense(index);
        if (_sparse is not null && best > index)
        {
            foreach (long key in _sparse.Keys)
                if (key >= index && key < best) best = key;
        }

        return best;
    }

    /// <summary>The same for one who goes through a range: the dictionary's indexes in it, in order, and how far they have been passed.</summary>
    private long NextEntry(long index, ReadOnlySpan<long> sparse, ref int passed)
    {
        while (passed < sparse.Length && sparse[passed] < index) passed++;
        return Math.Min(NextDense(index), passed < sparse.Length ? sparse[passed] : long.MaxValue);
    }

    /// <summary>The indexes of a range that are in the dictionary, in order.</summary>
    private long[] SparseIndexes(long first, long last)
    {
        if (_sparse is null) return [];
        long[] indexes = [.. _sparse.Keys.Where(index => index >= first && index <= last)];
        Array.Sort(indexes);
        return indexes;
    }

    private long NextDense(long index)
    {
        if (index * PageSize < _imageSize) return index;
        for (long i = index; i < _dense.Length; i++)
            if (_dense[i] != Below) return i;
        return long.MaxValue;
    }

    /// <summary>Gives back the room of a map that has become much larger than what is in it.</summary>
    private void Shrink()
    {
        if (_dense.Length > 64 && _entries < _dense.Length / 8)
        {
            var left = _dense;
            _dense = [];
            for (int i = 0; i < left.Length; i++)
                if (left[i] != Below) (_sparse ??= [])[i] = left[i];
        }

        if (_sparse is null) return;
        if (_sparse.Count == 0) _sparse = null;
        else if (_sparse.Capacity > 64 && _sparse.Count < _sparse.Capacity / 8) _sparse.TrimExcess(_sparse.Count * 2);
    }

    private void RemoveFrom(long first)
    {
        for (long i = first; i < _dense.Length; i++)
            if (_dense[i] != Below) Set(i, Below);
        if (first < _dense.Length) Array.Resize(ref _dense, (int)first);
        if (_sparse is null) return;
        foreach (long index in _sparse.Keys.Where(index => index >= first).ToArray()) Set(index, Below);
        if (_sparse.Count == 0) _sparse = null;
    }
}
