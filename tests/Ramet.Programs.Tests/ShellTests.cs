namespace Ramet.Programs.Tests;

/// <summary>Shells and everyday tools: the scripts say what, in their first lines. They print the same in a sandbox and on the bare machine.</summary>
public sealed class ShellTests(Programs programs)
{
    private static readonly string[] s_shell = ["bash", "ps"];

    [Fact]
    public void Bash_controls_jobs() => programs.Check("bash-jobs", s_shell);

    [Fact]
    public void Bash_connects_programs_with_pipes_documents_and_substitutions() => programs.Check("bash-pipelines", s_shell);

    [Fact]
    public void Bash_traps_signals() => programs.Check("bash-traps", s_shell);

    [Fact]
    public void Dash_runs_scripts() => programs.Check("dash", ["dash"]);

    [Fact]
    public void Coreutils_work() => programs.Check("coreutils", ["b2sum"]);

    [Fact]
    public void Find_grep_sed_and_awk_work() => programs.Check("text-tools", ["mawk", "gawk"]);

    [Fact]
    public void Tar_with_gzip_bzip2_xz_and_zstd_gives_back_what_it_took() => programs.Check("archives", ["zstd", "xz", "bzip2"]);

    [Fact]
    public void Rsync_copies_between_folders_and_from_a_daemon() => programs.Check("rsync", bare: null);

    [Fact]
    public void Tmux_less_and_vim_run_in_a_terminal() => programs.Check("terminal", ["tmux", "less", "vi"]);

    [Fact]
    public void Bubblewrap_boxes_programs_in() => programs.Check("bubblewrap", bare: null);

    [Fact]
    public void Libnuma_finds_one_node_with_all_virtual_CPUs() => programs.Check("numa", bare: null);

    [Fact]
    public void Git_works_on_a_repository_of_1000_files() => programs.Check("git", ["git"]);
}
