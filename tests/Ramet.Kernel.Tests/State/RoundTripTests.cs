using System.Buffers;
using Ramet.Kernel.Memory;
using Ramet.Kernel.State;
using Xunit;

namespace Ramet.Kernel.Tests.State;

public sealed class RoundTripTests
{
    internal static T RoundTrip<T>(T root, object? context = null)
        where T : class => StateSerializer.Load<T>(StateSerializer.Save(root, SavedTypes.Instance), context, SavedTypes.Instance);

    internal static Everything MakeEverything()
    {
        var node = new Node { Value = 42 };
        node.Next = node;
        var all = new Everything
        {
            Bool = true, Byte = 200, SByte = -5, Short = -300, UShort = 60000, Int = int.MinValue, UInt = uint.MaxValue, Long = long.MinValue,
            ULong = ulong.MaxValue, Char = '\uABCD', Float = 1.5f, Double = Math.PI, Decimal = 1.23456789m,
            Guid = new Guid("00112233-4455-6677-8899-aabbccddeeff"), Time = new DateTime(2024, 1, 2, 3, 4, 5, DateTimeKind.Utc),
            Wide = Int128.MaxValue, Colour = Colour.Green, Text = "caf\u00E9 \u2603 \uD800", NoText = null, Bytes = [1, 2, 3], Ints = [1, -2, 3], NoInts = null,
            Strings = ["", "b"], Jagged = [[1], [], [2, 3]], Lists = [["x"], []], Pairs = [new() { Left = 1, Right = 2 }], Memory = new byte[] { 9, 8, 7 },
            IntList = [5, 6], NodeList = [node, null, node], Nested = [["p"], ["q", "r"]],
            Names = new() { [1] = "one", [2] = "two" }, Nodes = new(StringComparer.Ordinal) { ["n"] = node }, ByNode = new() { [node] = 3 },
            ByTuple = new() { [(1, Colour.Red)] = [10, 20] }, Set = new(StringComparer.Ordinal) { "s", "t" },
            Sorted = new(StringComparer.Ordinal) { ["b"] = 2, ["a"] = 1, ["B"] = 3 }, SortedNodes = new() { [7] = node }, SortedSet = [3, 1, 2],
            Queue = new([1, 2, 3]), Stack = new(["bottom", "middle", "top"]), Linked = new([4, 5, 6]), Maybe = 11, No = null,
            MaybeLabelled = new Labelled { Label = "maybe", Weight = 3 }, Tuple = (1, "two", node), LongTuple = (1, 2, 3, 4, 5, 6, 7, 8, "nine"), Entry = new("k", 1),
            Raw = new() { Left = -1, Right = 1 }, Address = new UserAddress(0x7fff_0000_1234), Labelled = new() { Label = "l", Target = node, Weight = 9 },
            LabelledArray = [new() { Label = "0" }, new() { Target = node }], Mixed = [new("m", new() { Weight = 1 })],
            Shape = new ColouredCircle { Id = 1, Name = "round", Radius = 2.5, Colour = Colour.Red }, Any = node, AnyLong = 1L << 40, AnyInt = -1,
            AnyText = "any", AnyBytes = new byte[] { 1 }, AnyNull = null, Nested2 = new() { IsSome = true },
        };
        all.Interface = all.Shape;
        all.SetHidden(77, 88);
        return all;
    }

    [Fact]
    public void Every_supported_kind_of_field_comes_back()
    {
        var all = RoundTrip(MakeEverything());
        var node = all.NodeList![0]!;
        Assert.Equal((true, (byte)200, (sbyte)-5, (short)-300, (ushort)60000), (all.Bool, all.Byte, all.SByte, all.Short, all.UShort));
        Assert.Equal((int.MinValue, uint.MaxValue, long.MinValue, ulong.MaxValue, '\uABCD'), (all.Int, all.UInt, all.Long, all.ULong, all.Char));
        Assert.Equal((1.5f, Math.PI, 1.23456789m, Int128.MaxValue), (all.Float, all.Double, all.Decimal, all.Wide));
        Assert.Equal(new Guid("00112233-4455-6677-8899-aabbccddeeff"), all.Guid);
        Assert.Equal(new DateTime(2024, 1, 2, 3, 4, 5, DateTimeKind.Utc), all.Time);
        Assert.Equal(Colour.Green, all.Colour);
        Assert.Equal("caf\u00E9 \u2603 \uD800", all.Text, StringComparer.Ordinal);
        Assert.Null(all.NoText);
        Assert.Equal([1, 2, 3], all.Bytes!);
        Assert.Equal([1, -2, 3], all.Ints!);
        Assert.Null(all.NoInts);
        Assert.Equal(["", "b"], all.Strings!);
        Assert.Equal([[1], [], [2, 3]], all.Jagged!);
        Assert.Equal([["x"], []], all.Lists!);
        Assert.Equal(2UL, Assert.Single(all.Pairs!).Right);
        Assert.Equal([9, 8, 7], all.Memory.ToArray());
        Assert.Equal([5, 6], all.IntList!);
        Assert.Equal([node, null, node], all.NodeList!);
        Assert.Equal([["p"], ["q", "r"]], all.Nested!);
        Assert.Equal("two", all.Names![2]);
        Assert.Same(node, all.Nodes!["n"]);
        Assert.Equal(3, all.ByNode![node]);
        Assert.Equal([10, 20], all.ByTuple![(1, Colour.Red)]);
        Assert.True(all.Set!.Order(StringComparer.Ordinal).SequenceEqual(["s", "t"], StringComparer.Ordinal));
        Assert.Equal(["B", "a", "b"], all.Sorted!.Keys);
        Assert.Same(node, all.SortedNodes![7]);
        Assert.Equal([1, 2, 3], all.SortedSet!);
        Assert.Equal([1, 2, 3], all.Queue!);
        Assert.Equal(["top", "middle", "bottom"], all.Stack!);
        Assert.Equal([4, 5, 6], all.Linked!);
        Assert.Equal(11, all.Maybe);
        Assert.Null(all.No);
        Assert.Equal(("maybe", 3), (all.MaybeLabelled!.Value.Label, all.MaybeLabelled.Value.Weight));
        Assert.Equal((1, "two", node), all.Tuple);
        Assert.Equal((1, 2, 3, 4, 5, 6, 7, 8, "nine"), all.LongTuple);
        Assert.Equal(new KeyValuePair<string, int>("k", 1), all.Entry);
        Assert.Equal((-1, 1UL), (all.Raw.Left, all.Raw.Right));
        Assert.Equal(0x7fff_0000_1234UL, all.Address.Value);
        Assert.Equal(("l", 9), (all.Labelled.Label, all.Labelled.Weight));
        Assert.Same(node, all.Labelled.Target);
        Assert.Equal("0", all.LabelledArray![0].Label);
        Assert.Same(node, all.LabelledArray[1].Target);
        Assert.Equal(1, all.Mixed![0].Value.Weight);
        var circle = Assert.IsType<ColouredCircle>(all.Shape);
        Assert.Equal((1, "round", 2.5, Colour.Red), (circle.Id, circle.Name, circle.Radius, circle.Colour));
        Assert.Same(circle, all.Interface);
        Assert.Same(node, all.Any);
        Assert.Equal(1L << 40, Assert.IsType<long>(all.AnyLong));
        Assert.Equal(-1, Assert.IsType<int>(all.AnyInt));
        Assert.Equal("any", all.AnyText);
        Assert.Equal([1], Assert.IsType<byte[]>(all.AnyBytes));
        Assert.Null(all.AnyNull);
        Assert.True(all.Nested2!.IsSome);
        Assert.Equal((77, 88), (all.Hidden, all.Auto));
        Assert.Equal((7, 8), (all.Skipped, all.AlsoSkipped));
        Assert.False(all.Lock.IsHeldByCurrentThread);
        Assert.Same(node, node.Next);
        Assert.Equal(42, node.Value);
    }

    [Fact]
    public void An_object_with_only_defaults_comes_back()
    {
        var all = RoundTrip(new Everything());
        Assert.Null(all.Bytes);
        Assert.Null(all.Sorted);
        Assert.Null(all.Shape);
        Assert.True(all.Memory.IsEmpty);
    }

    [Fact]
    public void Saving_what_was_loaded_gives_the_same_bytes()
    {
        byte[] first = StateSerializer.Save(MakeEverything(), SavedTypes.Instance);
        byte[] second = StateSerializer.Save(StateSerializer.Load<Everything>(first, null, SavedTypes.Instance), SavedTypes.Instance);
        Assert.Equal(first, second);
    }

    [Fact]
    public void Cycles_and_shared_references_keep_their_identity()
    {
        var a = new Node { Value = 1 };
        var b = new Node { Value = 2, Next = a, Other = a };
        a.Next = b;
        a.Other = a;
        var loaded = RoundTrip(a);
        Assert.Same(loaded, loaded.Other);
        Assert.Same(loaded, loaded.Next!.Next);
        Assert.Same(loaded, loaded.Next.Other);
        Assert.Equal((1, 2), (loaded.Value, loaded.Next.Value));
        Assert.NotSame(a, loaded);
    }

    [Fact]
    public void A_linked_list_of_a_hundred_thousand_nodes_does_not_overflow_the_stack()
    {
        var first = new Node();
        var last = first;
        for (int i = 1; i < 100_000; i++) last = last.Next = new Node { Value = i, Other = last };
        last.Next = first;
        var node = RoundTrip(first);
        var start = node;
        for (int i = 1; i < 100_000; i++)
        {
            Assert.Same(node, node.Next!.Other);
            node = node.Next;
            Assert.Equal(i, node.Value);
        }

        Assert.Same(start, node.Next);
    }

    [Fact]
    public void Hooks_run_before_saving_and_after_all_objects_are_filled()
    {
        var a = new HookDerived { Value = 10 };
        var b = new HookDerived { Value = 20 };
        (a.Friend, b.Friend) = (b, a);
        var loaded = RoundTrip(a, "context");
        Assert.Equal(["base saving", "base loaded context", "derived loaded, friend has 21"], loaded.Log);
        Assert.Equal(11, loaded.Value);
        Assert.Same(loaded, loaded.Friend!.Friend);
    }

    [Fact]
    public void Memory_is_a_slice_of_the_snapshot_itself()
    {
        var all = new Everything { Memory = new byte[] { 0xAA, 0xBB, 0xCC } };
        byte[] bytes = StateSerializer.Save(all, SavedTypes.Instance);
        var loaded = StateSerializer.Load<Everything>(bytes, null, SavedTypes.Instance);
        bytes[bytes.AsSpan().IndexOf(new byte[] { 0xAA, 0xBB, 0xCC })] = 0xDD;
        Assert.Equal([0xDD, 0xBB, 0xCC], loaded.Memory.ToArray());
    }

    [Fact]
    public void Classes_whose_base_is_in_another_assembly_are_saved()
    {
        var holder = new TimerHolder();
        holder.Queue.Set(holder.Second, 50);
        holder.Queue.Set(holder.First, 70);
        var loaded = RoundTrip(holder);
        Assert.Equal(50, loaded.Queue.NextDueTime);
        loaded.Queue.RunDue(60);
        Assert.Equal((0, 1), (loaded.First.Due, loaded.Second.Due));
        Assert.Equal(70, loaded.Queue.NextDueTime);
        Assert.True(loaded.First.IsSet);
    }

    [Fact]
    public void Kernel_types_are_saved_with_the_kernels_own_registry()
    {
        var limits = StateSerializer.Load<ResourceLimits>(StateSerializer.Save(new ResourceLimits { MaxThreads = 5 }), null);
        Assert.Equal(5, limits.MaxThreads);
    }

    [Fact]
    public void Saving_into_a_buffer_writer_gives_the_same_bytes()
    {
        var buffer = new ArrayBufferWriter<byte>();
        StateSerializer.Save(new Node { Value = 3 }, buffer, SavedTypes.Instance);
        Assert.Equal(StateSerializer.Save(new Node { Value = 3 }, SavedTypes.Instance), buffer.WrittenSpan.ToArray());
    }

    [Fact]
    public void An_object_that_is_not_saved_is_refused_when_saving()
    {
        var e = Assert.Throws<InvalidOperationException>(() => StateSerializer.Save(new Everything { Any = new Forgotten() }, SavedTypes.Instance));
        Assert.Contains("Forgotten is not [Saved]", e.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => StateSerializer.Save(new Everything { Any = new Version(1, 2) }, SavedTypes.Instance));
        Assert.Throws<InvalidOperationException>(() => StateSerializer.Save("text"));
    }

    [Fact]
    public void A_collection_with_its_own_comparer_is_refused_when_saving()
    {
        var e = Assert.Throws<InvalidOperationException>(() => StateSerializer.Save(new WithComparer(), SavedTypes.Instance));
        Assert.Contains("comparer", e.Message, StringComparison.Ordinal);
    }
}
