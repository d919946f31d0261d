namespace Ramet.Images.Tests;

public sealed class ImageSpecParserTests
{
    [Fact]
    public void All_keys_are_read()
    {
        var spec = ImageSpecParser.Parse("""
            # a comment
            name: data-science
            suite: bookworm
            base: none
            packages:
              - python3
              - g++
              - python3-numpy=1:1.24.2-1+deb12u1
            env:
              LANG: C.UTF-8
              EMPTY: ""
            workdir: /work/here
            """, "a.yaml");
        Assert.Equal("data-science", spec.Name);
        Assert.Equal("bookworm", spec.Suite);
        Assert.False(spec.IncludeBase);
        Assert.Equal(["python3", "g++", "python3-numpy=1:1.24.2-1+deb12u1"], spec.Packages);
        Assert.Equal("C.UTF-8", spec.Environment["LANG"]);
        Assert.Equal("", spec.Environment["EMPTY"]);
        Assert.Equal("/work/here", spec.WorkingDirectory);
    }

    [Fact]
    public void Absent_keys_have_defaults()
    {
        var spec = ImageSpecParser.Parse("{name: a, packages: [dash]}", "a.yaml");
        Assert.Null(spec.Suite);
        Assert.True(spec.IncludeBase);
        Assert.Empty(spec.Environment);
        Assert.Equal("/", spec.WorkingDirectory);
    }

    [Fact]
    public void Yaml_of_a_spec_parses_to_the_same_spec()
    {
        var spec = new ImageSpec
        {
            Name = "a",
            Packages = ["dash", "g++"],
            Suite = "bookworm",
            IncludeBase = false,
            Environment = new Dictionary<string, string> { ["B"] = "line\nbreak \"quoted\" \\ ' : # \u2028 ü", ["A"] = "1" },
            WorkingDirectory = "/with space",
        };
        var again = ImageSpecParser.Parse(spec.ToYaml(), "again");
        Assert.Equal(spec.Environment.OrderBy(pair => pair.Key, StringComparer.Ordinal), again.Environment.OrderBy(pair => pair.Key, StringComparer.Ordinal));
        Assert.Equal(spec.Packages, again.Packages);
        Assert.Equal((spec.Name, spec.Suite, spec.IncludeBase, spec.WorkingDirectory), (again.Name, again.Suite, again.IncludeBase, again.WorkingDirectory));
        Assert.Equal(spec.ToYaml(), again.ToYaml());
    }

    [Theory]
    [InlineData("name: a\npackage: [dash]\n", "a.yaml:2: unknown key 'package'. Did you mean 'packages'?")]
    [InlineData("name: a\npackages: [dash]\nworkdri: /\n", "a.yaml:3: unknown key 'workdri'. Did you mean 'workdir'?")]
    [InlineData("name: a\npackages: [dash]\nzzz: 1\n", "a.yaml:3: unknown key 'zzz'. Known keys: name, packages")]
    [InlineData("name: Bad Name\npackages: [dash]\n", "a.yaml:1: name is 'Bad Name'")]
    [InlineData("name: ../up\npackages: [dash]\n", "a.yaml:1: name is '../up'")]
    [InlineData("name: a\npackages:\n  - dash\n  - Bad_Package\n", "a.yaml:4: 'Bad_Package' is not a package name")]
    [InlineData("name: a\npackages: [--allow-all]\n", "'--allow-all' is not a package name")]
    [InlineData("name: a\npackages: [dash-]\n", "'dash-' is not a package name")]
    [InlineData("name: a\npackages: [dash, dash]\n", "package 'dash' is listed twice")]
    [InlineData("name: a\npackages: dash\n", "a.yaml:2: packages must be a list")]
    [InlineData("name: a\n", "a.yaml: the key 'packages' is missing")]
    [InlineData("packages: [dash]\n", "a.yaml: the key 'name' is missing")]
    [InlineData("name: a\nname: b\npackages: [dash]\n", "a.yaml:2: not valid YAML: Duplicate key name")]
    [InlineData("name: a\npackages: [dash]\nbase: ubuntu\n", "a.yaml:3: base is 'ubuntu'")]
    [InlineData("name: a\npackages: [dash]\nworkdir: relative\n", "a.yaml:3: workdir is 'relative'")]
    [InlineData("name: a\npackages: [dash]\nworkdir: /a/../../b\n", "a.yaml:3: workdir is")]
    [InlineData("name: a\npackages: [dash]\nenv: {1X: y}\n", "a.yaml:3: '1X' is not the name of an environment variable")]
    [InlineData("name: a\npackages: [dash]\nenv: {X: [1]}\n", "a.yaml:3: env X must be a single value")]
    [InlineData("name: a\npackages: [dash\n", "not valid YAML")]
    [InlineData("- a\n- b\n", "must be a mapping")]
    [InlineData("", "a.yaml: empty")]
    [InlineData("name: a\npackages: [dash]\n---\nname: b\n", "several YAML documents")]
    public void Bad_specs_are_refused_in_one_line_with_the_place(string yaml, string message)
    {
        var e = Assert.Throws<ImageSpecException>(() => ImageSpecParser.Parse(yaml, "a.yaml"));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
        Assert.StartsWith("a.yaml:", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void A_file_that_is_not_there_is_named()
    {
        var e = Assert.Throws<ImageSpecException>(() => ImageSpecParser.ParseFile("/nowhere/x.yaml"));
        Assert.Equal("/nowhere/x.yaml: no such file.", e.Message);
    }

    [Fact]
    public void Built_in_specs_parse_and_carry_their_names()
    {
        Assert.Contains("python", BuiltInSpecs.Names);
        foreach (var name in BuiltInSpecs.Names) Assert.Equal(name, BuiltInSpecs.Get(name).Name);
        Assert.Contains("python3-numpy", BuiltInSpecs.Get("python").Packages);
    }

    [Fact]
    public void An_unknown_built_in_spec_suggests_the_nearest()
    {
        var e = Assert.Throws<ImageNotFoundException>(() => BuiltInSpecs.Get("pyhton"));
        Assert.Contains("Did you mean 'python'?", e.Message, StringComparison.Ordinal);
    }
}
