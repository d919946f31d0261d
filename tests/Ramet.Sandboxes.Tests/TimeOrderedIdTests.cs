using System.Globalization;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Tests;

/// <summary>Lists and their cursors are ordered by ids.</summary>
public sealed class TimeOrderedIdTests
{
    [Fact]
    public void Ids_sort_as_they_were_made_and_are_uuids_of_version_7()
    {
        long before = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        string[] ids = [.. Enumerable.Range(0, 20_000).Select(_ => TimeOrderedId.New("x_"))];
        long after = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        Assert.Equal(ids, ids.Order(StringComparer.Ordinal));
        Assert.Equal(ids.Length, ids.Distinct().Count());
        foreach (string id in new[] { ids[0], ids[^1] })
        {
            Assert.Matches("^x_[0-9a-f]{32}$", id);
            var uuid = Guid.ParseExact(id[2..], "n");
            Assert.Equal((7, 8), (uuid.Version, uuid.Variant & 0xC));
            // Twenty thousand in less than five milliseconds would run ahead of the clock.
            Assert.InRange(long.Parse(id.AsSpan(2, 12), NumberStyles.HexNumber, CultureInfo.InvariantCulture), before, after + 5);
        }
    }
}
