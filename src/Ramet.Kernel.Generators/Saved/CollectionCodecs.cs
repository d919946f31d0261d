namespace Ramet.Kernel.Generators.Saved;

/// <summary>What differs between collections of one element type.</summary>
/// <param name="Kind">The name of the type.</param>
/// <param name="Add">How an element is added; {0} is the collection, {1} the element.</param>
/// <param name="TakesCapacity">Whether a capacity can be given to the constructor.</param>
/// <param name="IsSet">Whether a second equal element is refused.</param>
/// <param name="IsSorted">Whether it orders its elements.</param>
internal sealed record CollectionShape(string Kind, string Add, bool TakesCapacity = false, bool IsSet = false, bool IsSorted = false)
{
    public static readonly CollectionShape[] All =
    [
        new("List", "{0}.Add({1});", TakesCapacity: true),
        new("HashSet", "{0}.Add({1})", TakesCapacity: true, IsSet: true),
        new("SortedSet", "{0}.Add({1})", IsSet: true, IsSorted: true),
        new("Queue", "{0}.Enqueue({1});", TakesCapacity: true),
        new("Stack", "{0}.Push({1});", TakesCapacity: true),
        new("LinkedList", "{0}.AddLast({1});"),
    ];
}

/// <summary>One-dimensional arrays.</summary>
internal sealed class ArrayCodec(string type, Codec element) : Codec(type)
{
    public override string Schema => element.Schema + "[]";

    public override void Save(CodeWriter code, string value)
    {
        string n = code.Unique();
        code.Line($"var a{n} = {value};");
        code.Line($"if (a{n} is null) w.WriteVarint(0);");
        if (element.IsBlock)
        {
            code.Line($"else w.WriteBlock<{element.Type}>(a{n});");
            return;
        }

        code.Open("else");
        code.Line($"w.WriteLength(a{n}.Length);");
        code.Open($"foreach ({element.Type} e{n} in a{n})");
        element.Save(code, $"e{n}");
        code.Close();
        code.Close();
    }

    public override void Load(CodeWriter code, string target)
    {
        if (element.IsBlock)
        {
            code.Line($"{target} = c.ReadArray<{element.Type}>();");
            return;
        }

        string n = code.Unique();
        code.Line($"int n{n} = c.ReadLength({element.MinSize});");
        code.Line($"if (n{n} < 0) {target} = null;");
        code.Open("else");
        // A jagged array names its first dimension first: new T[n][].
        int dimensions = element.Type.IndexOf('[');
        code.Line(dimensions < 0
            ? $"var a{n} = new {element.Type}[n{n}];"
            : $"var a{n} = new {element.Type.Substring(0, dimensions)}[n{n}]{element.Type.Substring(dimensions)};");
        code.Open($"for (int i{n} = 0; i{n} < a{n}.Length; i{n}++)");
        code.Line($"{element.Type} e{n};");
        element.Load(code, $"e{n}");
        code.Line($"a{n}[i{n}] = e{n};");
        code.Close();
        code.Line($"{target} = a{n};");
        code.Close();
    }
}

/// <summary>Lists, sets, queues, stacks.</summary>
internal sealed class CollectionCodec(string type, CollectionShape shape, Codec element) : Codec(type)
{
    public override string Schema => $"{shape.Kind}<{element.Schema}>";

    private bool IsBlockList => shape.Kind == "List" && element.IsBlock;

    public override void Save(CodeWriter code, string value)
    {
        string n = code.Unique();
        code.Line($"var a{n} = {value};");
        code.Line($"if (a{n} is null) w.WriteVarint(0);");
        if (IsBlockList)
        {
            code.Line($"else w.WriteBlock<{element.Type}>(global::System.Runtime.InteropServices.CollectionsMarshal.AsSpan(a{n}));");
            return;
        }

        code.Open("else");
        if (shape.IsSet) code.Line($"{Names.StateWriter}.RequireDefault<{element.Type}>(a{n}.Comparer);");
        code.Line($"w.WriteLength(a{n}.Count);");
        // A stack lists its elements from the top: they go in from the bottom.
        code.Open($"foreach ({element.Type} e{n} in {(shape.Kind == "Stack" ? $"global::System.Linq.Enumerable.Reverse(a{n}.ToArray())" : $"a{n}")})");
        element.Save(code, $"e{n}");
        code.Close();
        code.Close();
    }

    public override void Load(CodeWriter code, string target)
    {
        if (IsBlockList)
        {
            code.Line($"{target} = c.ReadList<{element.Type}>();");
            return;
        }

        string n = code.Unique();
        code.Line($"int n{n} = c.ReadLength({element.MinSize});");
        code.Line($"if (n{n} < 0) {target} = null;");
        code.Open("else");
        string arguments = shape.IsSorted && element.Type == "string" ? "global::System.StringComparer.Ordinal" : shape.TakesCapacity ? $"n{n}" : "";
        code.Line($"var a{n} = new {Type}({arguments});");
        code.Open($"for (int i{n} = 0; i{n} < n{n}; i{n}++)");
        code.Line($"{element.Type} e{n};");
        element.Load(code, $"e{n}");
        string add = string.Format(System.Globalization.CultureInfo.InvariantCulture, shape.Add, $"a{n}", $"e{n}");
        code.Line(shape.IsSet ? $"if (!{add}) throw c.Damaged(\"a set has an element twice\");" : add);
        code.Close();
        code.Line($"{target} = a{n};");
        code.Close();
    }
}

/// <summary>Dictionaries.</summary>
internal sealed class DictionaryCodec(string type, bool sorted, Codec key, bool keyIsReference, Codec value) : Codec(type)
{
    public override string Schema => $"{(sorted ? "SortedDictionary" : "Dictionary")}<{key.Schema},{value.Schema}>";

    public override void Save(CodeWriter code, string expression)
    {
        string n = code.Unique();
        code.Line($"var a{n} = {expression};");
        code.Line($"if (a{n} is null) w.WriteVarint(0);");
        code.Open("else");
        code.Line($"{Names.StateWriter}.RequireDefault<{key.Type}>(a{n}.Comparer);");
        code.Line($"w.WriteLength(a{n}.Count);");
        code.Open($"foreach (var e{n} in a{n})");
        code.Line($"{key.Type} k{n} = e{n}.Key;");
        code.Line($"{value.Type} v{n} = e{n}.Value;");
        key.Save(code, $"k{n}");
        value.Save(code, $"v{n}");
        code.Close();
        code.Close();
    }

    public override void Load(CodeWriter code, string target)
    {
        string n = code.Unique();
        code.Line($"int n{n} = c.ReadLength({key.MinSize + value.MinSize});");
        code.Line($"if (n{n} < 0) {target} = null;");
        code.Open("else");
        code.Line($"var a{n} = new {Type}({(!sorted ? $"n{n}" : key.Type == "string" ? "global::System.StringComparer.Ordinal" : "")});");
        code.Open($"for (int i{n} = 0; i{n} < n{n}; i{n}++)");
        code.Line($"{key.Type} k{n};");
        code.Line($"{value.Type} v{n};");
        key.Load(code, $"k{n}");
        value.Load(code, $"v{n}");
        if (keyIsReference) code.Line($"if (k{n} is null) throw c.Damaged(\"a dictionary has a null key\");");
        code.Line($"a{n}[k{n}] = v{n};");
        code.Line($"if (a{n}.Count != i{n} + 1) throw c.Damaged(\"a dictionary has a key twice\");");
        code.Close();
        code.Line($"{target} = a{n};");
        code.Close();
    }
}
