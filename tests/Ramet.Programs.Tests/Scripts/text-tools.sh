# image: shell
# findutils, grep, sed, awk.
mkdir -p tree/{x,y}/deep; for i in $(seq 1 120); do echo "line $i of $((i * i))" > tree/x/f$i.txt; done; for i in 1 2 3; do : > tree/y/deep/empty$i; done
find tree -type f | wc -l; find tree -name 'f1?.txt' -print0 | sort -z | xargs -0 cat | md5sum; find tree -empty -type f | sort | head -2; find tree -maxdepth 1 -mindepth 1 -printf '%f %y\n' | sort
find tree -type f -size +0 -exec grep -l 'of 100$' {} + | sort; touch -d '1 hour ago' tree/x/f1.txt; find tree/x -newer tree/x/f1.txt -name 'f2.txt' -o -name f3.txt | sort; find tree -name 'empty*' -delete -print | wc -l; find tree/x \( -name 'f9*' -a ! -name f9.txt \) | wc -l
seq 6 | xargs -n 2 echo; seq 4 | xargs -P 4 -I{} sh -c 'sleep 0.0{}; echo {}' | sort | paste -sd' '; echo | xargs -r false; echo "xargs -r: $?"; seq 3 | xargs sh -c 'exit 255' 2> /dev/null; echo "xargs: $?"; xargs --show-limits < /dev/null 2>&1 | grep -c POSIX
grep -rc line tree/x | sort | head -2; grep -rhoP '(?<=of )\d{5}$' tree | sort -n | tail -2; echo abcabc | grep -o b | wc -l; grep -q nothing tree/x/f1.txt; echo "grep: $?"; printf 'a\nb\nc\nd\n' | grep -A1 -B1 -n c; grep -F '1 of 1' -r tree -l | sort; grep -iEv 'L[I]NE' tree/x/f1.txt; echo "$?"; printf 'bin\0ary' | grep -c ary
seq 10 | sed -n '2,4p;$p' | paste -sd' '; cp tree/x/f1.txt s; sed -i.bak -E 's/(line) ([0-9]+)/\2 \1/' s; cat s s.bak; printf 'a\nb\nc\n' | sed -e '/b/{N;s/\n/+/}' -e '1i\top'; echo abc | sed 'y/abc/xyz/'; seq 3 | sed '2!d'; printf 'x\n' | sed 's/x/&&/w written'; cat written
for awk in mawk gawk; do $awk 'BEGIN { for (i = 1; i <= 1000; i++) s += i * i; print s; printf "%5.2f|%s|%d\n", 3.14159, toupper("abc"), index("hello", "l"); "echo from a command" | getline line; print line; print length("four"), substr("abcdef", 2, 3); n = split("a-b-c", parts, "-"); print n, parts[3] }'; done
seq 1000 | awk '{ sum[$1 % 3] += $1 } END { for (k = 0; k < 3; k++) print k, sum[k] }'; awk -F: '$3 == 0 { print $1 }' /etc/passwd; printf 'k 1\nk 2\nj 5\n' | awk '{ a[$1] += $2 } END { for (k in a) print k, a[k] | "sort" }'; gawk 'BEGIN { print strftime("%F", 0, 1); print gensub(/o/, "0", "g", "foo") }'; gawk 'BEGIN { cat = "cat"; print "both ways" |& cat; close(cat, "to"); cat |& getline x; print x }'; awk 'BEGIN { exit 5 }'; echo "awk: $?"
#> 123
#> 50e8d7da267c398f0736f674cca165c6  -
#> tree/y/deep/empty1
#> tree/y/deep/empty2
#> x d
#> y d
#> tree/x/f10.txt
#> tree/x/f2.txt
#> tree/x/f3.txt
#> 3
#> 10
#> 1 2
#> 3 4
#> 5 6
#> 1 2 3 4
#> xargs -r: 0
#> xargs: 124
#> 2
#> tree/x/f1.txt:1
#> tree/x/f10.txt:1
#> 14161
#> 14400
#> 2
#> grep: 1
#> 2-b
#> 3:c
#> 4-d
#> tree/x/f1.txt
#> tree/x/f101.txt
#> tree/x/f11.txt
#> tree/x/f111.txt
#> tree/x/f41.txt
#> 1
#> 1
#> 2 3 4 10
#> 1 line of 1
#> line 1 of 1
#> top
#> a
#> b+c
#> xyz
#> 2
#> xx
#> xx
#> 333833500
#>  3.14|ABC|3
#> from a command
#> 4 bcd
#> 3 c
#> 333833500
#>  3.14|ABC|3
#> from a command
#> 4 bcd
#> 3 c
#> 0 166833
#> 1 167167
#> 2 166500
#> root
#> j 5
#> k 3
#> 1970-01-01
#> f00
#> both ways
#> awk: 5
