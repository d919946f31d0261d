using System.CommandLine;
using Ramet.Cli.Output;

namespace Ramet.Cli.Commands;

/// <summary><c>ramet completion</c>: scripts that let a shell ask Ramet itself what can come next.</summary>
internal static class CompletionCommand
{
    // Each asks `COMMAND [suggest:POSITION] "the line"`, COMMAND as it was typed: ramet, ./ramet, a path.
    private const string Bash = """
        # ramet completion for bash. In ~/.bashrc:  source <(ramet completion bash)
        _ramet_complete() {
            local word="${COMP_WORDS[COMP_CWORD]}" line="${COMP_LINE#*"${COMP_WORDS[0]}"}" IFS=$'\n'
            local command="${COMP_WORDS[0]/#\~/$HOME}"
            local position=$((COMP_POINT - ${#COMP_LINE} + ${#line} + 5))
            COMPREPLY=($(compgen -W "$("$command" "[suggest:$position]" "ramet$line" 2>/dev/null)" -- "$word"))
        }
        complete -o default -F _ramet_complete ramet ./ramet
        """;

    private const string Zsh = """
        #compdef ramet
        # ramet completion for zsh. In ~/.zshrc, after compinit:  source <(ramet completion zsh)
        _ramet_complete() {
            local command="${words[1]/#\~/$HOME}" line="ramet ${words[2,-1]}"
            local before="ramet ${words[2,CURRENT]}"
            local -a found
            found=("${(@f)$("$command" "[suggest:${#before}]" "$line" 2>/dev/null)}")
            found=(${found:#})
            if (( $#found )); then compadd -a found; else _files; fi
        }
        compdef _ramet_complete ramet ./ramet
        """;

    private const string Fish = """
        # ramet completion for fish. In ~/.config/fish/config.fish:  ramet completion fish | source
        function __ramet_complete
            set -l words (commandline -opc) (commandline -ct)
            set -l line "ramet "(string join ' ' -- $words[2..])
            $words[1] "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null
        end
        complete -c ramet -a '(__ramet_complete)'
        """;

    /// <summary>Defines the command.</summary>
    public static Command Create(GlobalOptions globals)
    {
        _ = globals;
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or fish." };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new TaughtCommand("completion", "Prints a script for completion in a shell.")
        {
            Examples =
            [
                ("source <(ramet completion bash)", "In ~/.bashrc; for zsh the same in ~/.zshrc."),
                ("ramet completion fish | source", "In ~/.config/fish/config.fish."),
            ],
        };
        command.Arguments.Add(shell);
        command.SetAction(parse =>
        {
            StandardStream.Write(1, parse.GetValue(shell) switch { "bash" => Bash, "zsh" => Zsh, _ => Fish } + "\n");
            return 0;
        });
        return command;
    }
}
