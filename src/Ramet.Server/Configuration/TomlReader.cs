using System.Globalization;
using System.Text;

namespace Ramet.Server.Configuration;

/// <summary>A value of a TOML file: string, long, double, bool or a list of those.</summary>
/// <param name="Key">Its full name, such as pool.min.</param>
/// <param name="Value">The value.</param>
/// <param name="Line">Where it is, from 1.</param>
internal sealed record TomlEntry(string Key, object Value, int Line);

/// <summary>
/// Reads the part of TOML 1.0 that settings need: tables, dotted keys, strings on one line, numbers, booleans and arrays of these. What is TOML beyond that (dates, inline tables,
/// arrays of tables, strings on several lines) is refused by name.
/// </summary>
internal sealed class TomlReader
{
    private readonly string _file;
    private readonly string _text;
    private int _at;
    private int _line = 1;

    private TomlReader(string file, string text) => (_file, _text) = (file, text);

    /// <summary>All values, in order.</summary>
    /// <exception cref="ConfigurationException">It is not TOML, or a key is there twice.</exception>
    public static IReadOnlyList<TomlEntry> Read(string file, string text) => new TomlReader(file, text).ReadAll();

    private List<TomlEntry> ReadAll()
    {
        var entries = new List<TomlEntry>();
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        string table = "";
        while (SkipToContent())
        {
            int line = _line;
            if (Peek() == '[')
            {
                _at++;
                if (Peek() == '[') throw Error("arrays of tables ([[...]]) are not used here");
                table = ReadKey();
                Expect(']');
            }
            else
            {
                string key = ReadKey();
                if (table.Length > 0) key = $"{table}.{key}";
                Expect('=');
                SkipBlanks();
                if (seen.TryGetValue(key, out int before)) throw Error($"'{key}' is there twice; the first is in line {before}");
                seen[key] = line;
                entries.Add(new TomlEntry(key, ReadValue(), line));
            }

            SkipBlanks();
            if (Peek() == '#') SkipLine();
            if (_at < _text.Length && Peek() is not ('\n' or '\r')) throw Error($"'{Peek()}' is not expected here; each key has a line of its own");
        }

        return entries;
    }

    private string ReadKey()
    {
        var parts = new List<string>();
        while (true)
        {
            SkipBlanks();
            if (Peek() is '"' or '\'')
            {
                parts.Add(ReadString());
            }
            else
            {
                int start = _at;
                while (char.IsAsciiLetterOrDigit(Peek()) || Peek() is '_' or '-') _at++;
                if (_at == start) throw Error(_at < _text.Length && Peek() is not ('\n' or '\r') ? $"a key is expected, not '{Peek()}'" : "a key is expected");
                parts.Add(_text[start.._at]);
            }

            SkipBlanks();
            if (Peek() != '.') return string.Join('.', parts);
            _at++;
        }
    }

    private object ReadValue()
    {
        char next = Peek();
        if (next is '"' or '\'') return ReadString();
        if (next == '[') return ReadArray();
        if (next == '{') throw Error("inline tables ({...}) are not used here: write a [table]");
        int start = _at;
        while (_at < _text.Length && Peek() is not (',' or ']' or '#' or '\n' or '\r' or ' ' or '\t')) _at++;
        string word = _text[start.._at];
        if (word == "true") return true;
        if (word == "false") return false;
        string digits = word.Replace("_", "", StringComparison.Ordinal);
        if (long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole)) return whole;
        if (digits.Length > 0 && (char.IsAsciiDigit(digits[^1]) && double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)) && double.IsFinite(number)) return number;
        throw Error(word.Length == 0 ? "a value is missing" : $"'{word}' is not a value; text goes in quotes: \"{word}\"");
    }

    private List<object> ReadArray()
    {
        _at++;
        var values = new List<object>();
        while (true)
        {
            if (!SkipToContent()) throw Error("the array has no end: ']' is missing");
            if (Peek() == ']') break;
            values.Add(ReadValue());
            if (!SkipToContent()) throw Error("the array has no end: ']' is missing");
            if (Peek() == ',') _at++;
            else if (Peek() != ']') throw Error("',' or ']' is expected in the array");
        }

        _at++;
        return values;
    }

    private string ReadString()
    {
        char quote = Peek();
        if (_text.AsSpan(_at).StartsWith(quote == '"' ? "\"\"\"" : "'''")) throw Error("strings on several lines are not used here");
        _at++;
        var text = new StringBuilder();
        while (true)
        {
            char next = Peek();
            if (_at >= _text.Length || next is '\n' or '\r') throw Error($"the string has no end: {quote} is missing");
            _at++;
            if (next == quote) return text.ToString();
            if (next == '\\' && quote == '"') AppendEscape(text);
            else text.Append(next);
        }
    }

    private void AppendEscape(StringBuilder text)
    {
        char kind = Peek();
        _at++;
        int digits = kind switch { 'u' => 4, 'U' => 8, _ => 0 };
        if (digits > 0)
        {
            if (_at + digits <= _text.Length && int.TryParse(_text.AsSpan(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int code) && Rune.IsValid(code))
            {
                _at += digits;
                text.Append(new Rune(code).ToString());
                return;
            }

            throw Error($"'\\{kind}' is followed by {digits} hexadecimal digits of a character");
        }

        text.Append(kind switch
        {
            'b' => '\b',
            't' => '\t',
            'n' => '\n',
            'f' => '\f',
            'r' => '\r',
            '"' => '"',
            '\\' => '\\',
            _ => throw Error($"'\\{kind}' means nothing in a string; write '\\\\' for a backslash, or use single quotes"),
        });
    }

    private char Peek() => _at < _text.Length ? _text[_at] : '\0';

    private void Expect(char wanted)
    {
        SkipBlanks();
        if (Peek() != wanted) throw Error($"'{wanted}' is expected");
        _at++;
    }

    private void SkipBlanks()
    {
        while (Peek() is ' ' or '\t') _at++;
    }

    private void SkipLine()
    {
        while (_at < _text.Length && _text[_at] != '\n') _at++;
    }

    /// <summary>Over blanks, ends of lines and comments. False: nothing is left.</summary>
    private bool SkipToContent()
    {
        while (_at < _text.Length)
        {
            switch (_text[_at])
            {
                case '\n':
                    _line++;
                    _at++;
                    break;
                case ' ' or '\t' or '\r' or '\uFEFF':
                    _at++;
                    break;
                case '#':
                    SkipLine();
                    break;
                default:
                    return true;
            }
        }

        return false;
    }

    private ConfigurationException Error(string what) => new($"{_file}:{_line}: {what}.");
}
