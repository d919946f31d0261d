using System.CommandLine;
using System.CommandLine.Parsing;
using Ramet.Cli.Commands;
using Ramet.Images.Specs;

namespace Ramet.Cli.Input;

/// <summary>
/// Looks over arguments before they are parsed: names unknown commands and options, with the nearest right one (the parser would take an unknown option
/// for an argument), and marks where the arguments of a program begin.
/// </summary>
internal static class ArgumentScan
{
    /// <summary>The arguments, with "--" before the program of a command that runs one.</summary>
    /// <exception cref="UsageException">A command or option is unknown.</exception>
    public static string[] Arrange(Command root, string[] args)
    {
        List<Command> path = [root];
        for (int i = 0; i < args.Length; i++)
        {
            string word = args[i];
            if (word == "--") return args;
            var command = path[^1];
            if (word.Length > 1 && word[0] == '-')
            {
                if (TakesNextWord(path, word)) i++;
                continue;
            }

            if (command.Subcommands.Count > 0)
            {
                var next = command.Subcommands.FirstOrDefault(candidate => candidate.Name == word || candidate.Aliases.Contains(word));
                path.Add(next ?? throw new UsageException(
                    $"unknown command '{word}'.{NearestName.Suggest(word, command.Subcommands.Select(candidate => candidate.Name))} See: {Join(path)} --help"));
            }
            else if (command is TaughtCommand { TakesProgram: true })
            {
                return [.. args[..i], "--", .. args[i..]];
            }
        }

        return args;
    }

    /// <summary>"ramet image build".</summary>
    public static string PathOf(CommandResult result)
    {
        List<Command> path = [];
        for (SymbolResult? at = result; at is not null; at = at.Parent)
            if (at is CommandResult command) path.Insert(0, command.Command);
        return Join(path);
    }

    private static string Join(List<Command> path) => string.Join(' ', path.Select((command, i) => i == 0 ? "ramet" : command.Name));

    private static bool TakesNextWord(List<Command> path, string word)
    {
        int equals = word.AsSpan().IndexOfAny('=', ':');
        string name = equals < 0 ? word : word[..equals];
        var options = path.SelectMany((command, i) => i == path.Count - 1 ? command.Options : command.Options.Where(option => option.Recursive)).ToList();
        Option? Find(string wanted) => options.FirstOrDefault(option => option.Name == wanted || option.Aliases.Contains(wanted));

        if (Find(name) is { } known) return equals < 0 && known.Arity.MaximumNumberOfValues > 0;
        if (word[1] != '-')
        {
            // -it is -i -t; -fFILE is -f FILE.
            for (int i = 1; i < word.Length && Find($"-{word[i]}") is { } bundled; i++)
            {
                if (bundled.Arity.MaximumNumberOfValues > 0) return i == word.Length - 1;
                if (i == word.Length - 1) return false;
            }
        }

        var visible = options.Where(option => !option.Hidden).SelectMany(option => option.Aliases.Append(option.Name)).Where(option => option.StartsWith("--", StringComparison.Ordinal));
        throw new UsageException($"unknown option '{name}'.{NearestName.Suggest(name, visible)} See: {Join(path)} --help (what begins with '-' but is no option goes after '--').");
    }
}
