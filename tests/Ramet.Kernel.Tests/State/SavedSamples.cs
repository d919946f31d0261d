#pragma warning disable MA0048, MA0036
using Ramet.Kernel.Memory;
using Ramet.Kernel.State;

namespace Ramet.Kernel.Tests.State;

internal enum Colour : byte
{
    Red = 1,
    Green = 2,
}

internal struct Pair
{
    public int Left;
    public ulong Right;
}

[Saved]
internal partial struct Labelled
{
    public string? Label;
    public Node? Target;

    public int Weight { get; set; }
}

internal interface IShape;

[Saved]
internal abstract partial class Shape : IShape
{
    private int _id;

    public int Id
    {
        get => _id;
        set => _id = value;
    }

    public string Name { get; set; } = "";
}

[Saved]
internal partial class Circle : Shape
{
    public double Radius;
}

[Saved]
internal sealed partial class ColouredCircle : Circle
{
    public Colour Colour { get; set; }
}

/// <summary>Not saved, although its base class is.</summary>
internal sealed class Forgotten : Ramet.Kernel.Time.KernelTimer
{
    public override void OnDue()
    {
    }
}

[Saved]
internal sealed partial class Node
{
    public int Value;
    public Node? Next;
    public Node? Other;
}

[Saved]
internal sealed partial class Everything
{
    public bool Bool;
    public byte Byte;
    public sbyte SByte;
    public short Short;
    public ushort UShort;
    public int Int;
    public uint UInt;
    public long Long;
    public ulong ULong;
    public char Char;
    public float Float;
    public double Double;
    public decimal Decimal;
    public Guid Guid;
    public DateTime Time;
    public Int128 Wide;
    public Colour Colour;
    public string? Text;
    public string? NoText = "x";
    public byte[]? Bytes;
    public int[]? Ints;
    public int[]? NoInts = [1];
    public string[]? Strings;
    public int[][]? Jagged;
    public List<string>[]? Lists;
    public Pair[]? Pairs;
    public ReadOnlyMemory<byte> Memory;
    public List<int>? IntList;
    public List<Node?>? NodeList;
    public List<List<string>>? Nested;
    public Dictionary<int, string>? Names;
    public Dictionary<string, Node>? Nodes;
    public Dictionary<Node, int>? ByNode;
    public Dictionary<(int, Colour), List<long>>? ByTuple;
    public HashSet<string>? Set;
    public SortedDictionary<string, int>? Sorted;
    public SortedDictionary<ulong, Node>? SortedNodes;
    public SortedSet<long>? SortedSet;
    public Queue<int>? Queue;
    public Stack<string>? Stack;
    public LinkedList<int>? Linked;
    public int? Maybe;
    public int? No = 5;
    public Labelled? MaybeLabelled;
    public (int A, string B, Node? C) Tuple;
    public (int, int, int, int, int, int, int, int, string) LongTuple;
    public KeyValuePair<string, int> Entry;
    public Pair Raw;
    public UserAddress Address;
    public Labelled Labelled;
    public Labelled[]? LabelledArray;
    public List<KeyValuePair<string, Labelled>>? Mixed;
    public Shape? Shape;
    public IShape? Interface;
    public object? Any;
    public object? AnyLong;
    public object? AnyInt;
    public object? AnyText;
    public object? AnyBytes;
    public object? AnyNull = "";
    public Outer.Inner? Nested2;
    private int _hidden;

    public int Auto { get; private set; }

    [NotSaved]
    public int Skipped { get; } = 7;

    [field: NotSaved]
    public int AlsoSkipped { get; } = 8;

    [NotSaved]
    private readonly Lock _lock = new();

    public Lock Lock => _lock;

    public int Hidden => _hidden;

    public void SetHidden(int hidden, int auto) => (_hidden, Auto) = (hidden, auto);
}

internal static partial class Outer
{
    [Saved]
    internal sealed partial class Inner
    {
        private Kind _kind;

        private enum Kind
        {
            None,
            Some,
        }

        public bool IsSome
        {
            get => _kind == Kind.Some;
            set => _kind = value ? Kind.Some : Kind.None;
        }
    }
}

[Saved]
internal partial class HookBase
{
    public List<string> Log = [];

    [NotSaved]
    public HookBase? Friend;

    public HookBase? FriendSaved;

    private void OnSaving()
    {
        Log.Add("base saving");
        FriendSaved = Friend;
    }

    private void OnLoaded(StateReader reader)
    {
        Log.Add("base loaded " + reader.Context);
        Friend = FriendSaved;
    }
}

[Saved]
internal sealed partial class HookDerived : HookBase
{
    public int Value;

    private void OnSaving() => Value++;

    private void OnLoaded(StateReader reader) => Log.Add($"derived loaded, friend has {((HookDerived?)FriendSaved)?.Value}");
}

[Saved]
internal sealed partial class Division
{
    public int By = 1;

    [NotSaved]
    public int Result;

    private void OnLoaded(StateReader reader) => Result = 100 / By;
}

/// <summary>A base class from another assembly.</summary>
[Saved]
internal sealed partial class TestTimer : Ramet.Kernel.Time.KernelTimer
{
    public int Due;

    public override void OnDue() => Due++;
}

[Saved]
internal sealed partial class TimerHolder
{
    public Ramet.Kernel.Time.TimerQueue Queue = new();
    public TestTimer First = new();
    public TestTimer Second = new();
}

[Saved]
internal sealed partial class WithComparer
{
    public Dictionary<string, int> Map = new(StringComparer.OrdinalIgnoreCase);
}
