# image: shell
# dash runs POSIX scripts.
dash -euc '
fib() { if [ "$1" -lt 2 ]; then echo "$1"; else echo $(( $(fib $(($1 - 1))) + $(fib $(($1 - 2))) )); fi; }
fib 7
set -- a "b c" d; for word in "$@"; do printf "<%s>" "$word"; done; echo
case x.tar.gz in *.zip) echo zip;; *.tar.*) echo tar;; esac
i=0; while [ $i -lt 3 ]; do i=$((i+1)); [ $i = 2 ] && continue; echo $i; done
echo a:b:c | { IFS=: read -r x y; echo "$x $y"; }
trap "echo bye" EXIT
x=${undefined:-default}; echo "$x ${#x} ${x%lt} ${x#de}"
command -v sh > /dev/null && echo found
f=$(mktemp); echo text > "$f"; . /dev/null; read -r line < "$f"; echo "$line"; rm "$f"
sleep 0.1 & wait $!; echo "$?"
umask 027; : > made; ls -l made | cut -c1-10
exec 4> four; echo x >&4; exec 4>&-; cat four
'
echo "dash: $?"
dash -c 'kill -TERM $$'; echo "killed: $?"
dash -c 'nosuchprogram' 2>&1; echo "$?"
echo 'echo "$0 $1"' > script; dash script argument; chmod +x script; ./script again
#> 13
#> <a><b c><d>
#> tar
#> 1
#> 3
#> a b:c
#> default 7 defau fault
#> found
#> text
#> 0
#> -rw-r-----
#> x
#> bye
#> dash: 0
#> killed: 143
#> dash: 1: nosuchprogram: not found
#> 127
#> script argument
#> ./script again
