# image: shell
# Pipelines, here-documents, here-strings, process substitution, coprocesses, descriptors.
printf 'c\na\nb\n' | sort | tr a-z A-Z | paste -sd,
false | true | (exit 3); echo "${PIPESTATUS[@]}"
set -o pipefail; false | true; echo "pipefail: $?"; set +o pipefail
yes | head -n 2; echo "SIGPIPE: ${PIPESTATUS[0]}"
cat <<DOC
sum $((1 + 2)), $(echo substituted)
DOC
cat <<'DOC'
literal $HOME
DOC
cat <<< "here-string"
diff <(seq 1 3) <(seq 2 4); echo "diff: $?"
exec 5> >(tr a-z A-Z > upper); echo hello >&5; exec 5>&-; wait $!; cat upper
coproc TWICE { while read -r n; do echo $((n * 2)); done; }
echo 21 >&"${TWICE[1]}"; read -r answer <&"${TWICE[0]}"; echo "coproc: $answer"
exec {TWICE[1]}>&-; wait $TWICE_PID; echo "its end: $?"
mapfile -t lines < <(seq 1 1000); echo "${#lines[@]} ${lines[999]}"
exec 3<> both; echo one >&3; echo two >&3; exec 3>&-; cat both
{ echo out; echo err >&2; } 2>&1 >/dev/null | sed 's/^/through the pipe: /'
mkfifo named; (echo through a fifo > named) & cat named; wait
read -r -t 0.1 nothing < <(sleep 0.5); echo "read -t: $((($? > 128)))"
head -c 3000000 /dev/zero | tee >(wc -c > counted) | wc -c; while [ ! -s counted ]; do sleep 0.02; done; cat counted
seq 2000 | while read -r x; do [ "$x" = 2000 ] && echo "last: $x"; done
set -C; echo a > fresh; echo b > fresh || echo "noclobber: $?"
[[ foobar =~ ^foo(b.r)$ ]] && echo "${BASH_REMATCH[1]}"
exec 9>&1; echo "descriptor 9" >&9
#> A,B,C
#> 1 0 3
#> pipefail: 1
#> y
#> y
#> SIGPIPE: 141
#> sum 3, substituted
#> literal $HOME
#> here-string
#> 1d0
#> < 1
#> 3a3
#> > 4
#> diff: 1
#> HELLO
#> coproc: 42
#> its end: 0
#> 1000 1000
#> one
#> two
#> through the pipe: err
#> through a fifo
#> read -t: 1
#> 3000000
#> 3000000
#> last: 2000
#> noclobber: 1
#> bar
#> descriptor 9
