# image: shell
# tmux, and in its terminals a shell, stty, less and vim: line discipline, job control keys, window sizes.
export TERM=screen
t() { tmux -f /dev/null -L test$$ "$@"; }
sees() { for i in $(seq 300); do t capture-pane -t 0 -p | grep -qE -- "$1" && { echo "ok: $1"; return; }; sleep 0.1; done; echo "no '$1' in:"; t capture-pane -t 0 -p; }
# Until a program that the terminal runs has made its file.
made() { until [ -e $1 ]; do sleep 0.05; done; }
t new-session -d -x 80 -y 24 "PS1='> ' bash --norc"
sees '^>'
t send-keys 'stty size; tty | tr -d 0-9; stty -a | grep -o -w icanon' Enter; sees '^24 80'; sees '^/dev/pts/'; sees '^icanon'
t send-keys 'wrong' C-u 'echo corrected' Enter; sees '^corrected'
seq 1 500 > lines
t send-keys 'clear; less lines' Enter; sees '^lines'
t send-keys '/^250' Enter; sees '^272'
t send-keys G; sees '^500'
t send-keys g; sees '^1$'
t send-keys q 'clear; vi edited' Enter; sees '^~'
t send-keys 'ihello vim' Escape yyp ':%s/vim/VIM/g' Enter; sees '^hello VIM'
t send-keys ':wq' Enter; sees '^>'; sleep 0.2; cat edited
t send-keys 'clear; sh -c "echo > running; exec sleep 100"' Enter; made running; t send-keys C-c; t send-keys 'echo "code $?"' Enter; sees '^code 130'
t send-keys 'clear; sh -c "echo \$\$ > typist; exec cat > typed"' Enter; made typed; t send-keys C-z; sees 'Stopped'
t send-keys 'fg' Enter; while [ "$(ps -o state= -p $(cat typist))" = T ]; do sleep 0.05; done; t send-keys 'a line' Enter C-d; t send-keys 'echo back' Enter; sees '^back'; cat typed
t send-keys 'clear; sh -c "echo > quitting; exec sleep 100"' Enter; made quitting; t send-keys 'C-\'; t send-keys 'echo "quit $?"' Enter; sees '^quit 131'
t split-window -h 'sleep 100'; t list-panes -F '#{pane_width}x#{pane_height}'; t resize-pane -t 0 -x 20
t send-keys -t 0 'clear; until stty size | grep "^24 20"; do sleep 0.1; done' Enter; sees '^24 20'
t send-keys -t 0 "clear; trap 'echo WINCH' WINCH; echo > trapped" Enter; made trapped; t resize-pane -t 0 -x 30; t send-keys -t 0 Enter; sees WINCH
t kill-server; echo "$?"
#> ok: ^>
#> ok: ^24 80
#> ok: ^/dev/pts/
#> ok: ^icanon
#> ok: ^corrected
#> ok: ^lines
#> ok: ^272
#> ok: ^500
#> ok: ^1$
#> ok: ^~
#> ok: ^hello VIM
#> ok: ^>
#> hello VIM
#> hello VIM
#> ok: ^code 130
#> ok: Stopped
#> ok: ^back
#> a line
#> ok: ^quit 131
#> 40x24
#> 39x24
#> ok: ^24 20
#> ok: WINCH
#> 0
