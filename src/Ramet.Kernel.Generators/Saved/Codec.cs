namespace Ramet.Kernel.Generators.Saved;

/// <summary>How values of one type are saved and loaded, as C# text. In the text <c>w</c> is the StateWriter and <c>c</c> the StateCursor.</summary>
internal abstract class Codec(string type)
{
    /// <summary>The type as C# refers to it.</summary>
    public string Type { get; } = type;

    /// <summary>The layout, for the schema hash.</summary>
    public virtual string Schema => Type;

    /// <summary>The fewest bytes that a value takes; at least 1.</summary>
    public virtual int MinSize => 1;

    /// <summary>Whether an array of such values is saved as one block.</summary>
    public virtual bool IsBlock => false;

    /// <summary>Writes the value of an expression, which is evaluated any number of times.</summary>
    public abstract void Save(CodeWriter code, string value);

    /// <summary>Reads a value and assigns it.</summary>
    public abstract void Load(CodeWriter code, string target);
}

/// <summary>A value whose bytes in memory are its form: numbers, enums, and structs without references.</summary>
internal sealed class RawCodec(string type, string schema, int minSize) : Codec(type)
{
    public override string Schema => schema;

    public override int MinSize => minSize;

    public override bool IsBlock => true;

    public override void Save(CodeWriter code, string value) => code.Line($"w.WriteRaw<{Type}>({value});");

    public override void Load(CodeWriter code, string target) => code.Line($"{target} = c.ReadRaw<{Type}>();");
}

/// <summary>Types for which writer and cursor have a method of their own.</summary>
internal sealed class MethodCodec(string type, string save, string load) : Codec(type)
{
    public static MethodCodec Boolean => new("bool", "w.WriteRaw<bool>({0});", "c.ReadBoolean()");

    public static MethodCodec String => new("string", "w.WriteString({0});", "c.ReadString()");

    public static MethodCodec Memory => new("global::System.ReadOnlyMemory<byte>", "w.WriteBlock<byte>({0}.Span);", "c.ReadMemory()");

    public static MethodCodec Any => new("object", "w.WriteAny({0});", "c.ReadAny()");

    public override void Save(CodeWriter code, string value) => code.Line(string.Format(System.Globalization.CultureInfo.InvariantCulture, save, value));

    public override void Load(CodeWriter code, string target) => code.Line($"{target} = {load};");
}

/// <summary>A reference to a saved object: by id.</summary>
internal sealed class ReferenceCodec(string type, bool isInterface) : Codec(type)
{
    public override void Save(CodeWriter code, string value) => code.Line(isInterface ? $"w.WriteUnknown({value});" : $"w.WriteObject({value});");

    public override void Load(CodeWriter code, string target)
    {
        string n = code.Unique();
        code.Line($"object o{n} = c.ReadObject();");
        code.Line($"if (o{n} is null) {target} = null;");
        code.Line($"else if (o{n} is {Type} r{n}) {target} = r{n};");
        code.Line($"else throw c.WrongType(o{n}, \"{Type.Replace("global::", "")}\");");
    }
}

/// <summary>A [Saved] struct: field by field.</summary>
internal sealed class SavedStructCodec(string type) : Codec(type)
{
    public override void Save(CodeWriter code, string value) => code.Line($"{value}.SaveState(w);");

    public override void Load(CodeWriter code, string target)
    {
        string n = code.Unique();
        code.Line($"{Type} s{n} = default;");
        code.Line($"s{n}.LoadState(ref c);");
        code.Line($"{target} = s{n};");
    }
}

/// <summary>Nullable values.</summary>
internal sealed class NullableCodec(string type, Codec inner) : Codec(type)
{
    public override string Schema => $"Nullable<{inner.Schema}>";

    public override void Save(CodeWriter code, string value)
    {
        string n = code.Unique();
        code.Line($"{Type} n{n} = {value};");
        code.Line($"w.WriteRaw<bool>(n{n}.HasValue);");
        code.Open($"if (n{n}.HasValue)");
        code.Line($"{inner.Type} v{n} = n{n}.Value;");
        inner.Save(code, $"v{n}");
        code.Close();
    }

    public override void Load(CodeWriter code, string target)
    {
        string n = code.Unique();
        code.Line($"{Type} n{n} = default;");
        code.Open("if (c.ReadBoolean())");
        code.Line($"{inner.Type} v{n};");
        inner.Load(code, $"v{n}");
        code.Line($"n{n} = v{n};");
        code.Close();
        code.Line($"{target} = n{n};");
    }
}

/// <summary>Tuples and key-value pairs: the parts in turn.</summary>
internal sealed class PartsCodec(string type, (string Name, Codec Codec)[] parts) : Codec(type)
{
    public override string Schema => $"({string.Join(",", parts.Select(p => p.Codec.Schema))})";

    public override int MinSize => parts.Sum(p => p.Codec.MinSize);

    public override void Save(CodeWriter code, string value)
    {
        foreach (var (name, codec) in parts)
        {
            string n = code.Unique();
            code.Line($"{codec.Type} p{n} = {value}.{name};");
            codec.Save(code, $"p{n}");
        }
    }

    public override void Load(CodeWriter code, string target)
    {
        var locals = new List<string>();
        foreach (var (_, codec) in parts)
        {
            string local = "p" + code.Unique();
            locals.Add(local);
            code.Line($"{codec.Type} {local};");
            codec.Load(code, local);
        }

        code.Line($"{target} = {(parts[0].Name == "Item1" ? "" : "new " + Type)}({string.Join(", ", locals)});");
    }
}
