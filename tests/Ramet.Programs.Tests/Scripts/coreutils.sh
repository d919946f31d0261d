# image: shell
# Files, links, times, modes, text tools and the rest of coreutils.
umask 022
mkdir -p a/b/c; echo one > a/one; ln -s one a/link; ln a/one a/hard; readlink a/link; stat -c '%F %h %s %a' a/one a/link
cp -a a copy; diff -r a copy && echo "cp -a"; stat -c %h copy/one; mv copy moved; rm -r moved; ls moved 2>&1
touch -d '2001-02-03 04:05:06.789 UTC' a/one; stat -c %Y a/one; date -u -r a/hard +%FT%T.%N; chmod u=rw,g=r,o= a/one; stat -c %A a/one
dd if=/dev/zero of=zeros bs=64K count=16 status=none; stat -c %s zeros; truncate -s 1G sparse; stat -c '%s %b' sparse; du -k sparse | cut -f1
cp --sparse=always zeros holes; cmp zeros holes && echo same; fallocate -l 1M full 2> /dev/null && stat -c %s full
split -b 300000 zeros part.; ls part.*; cat part.* | cmp - zeros && echo joined; csplit -s -f cut. <(seq 10) 4 8; wc -l cut.0* | tail -1
seq 100000 | sort -rn | head -1; seq 100000 | shuf | sort -n --parallel=2 | md5sum; sha256sum < zeros; cksum zeros; b2sum < /dev/null | cut -c1-16
head -c 300 /dev/zero | base64 -w 60 | uniq -c; printf '%s\n' b a b | sort | uniq -c; comm -12 <(printf 'a\nb\n') <(printf 'b\nc\n'); join <(echo '1 a') <(echo '1 b')
echo hello | tr -d l | rev 2> /dev/null; echo 'a:b:c' | cut -d: -f2; paste -d+ <(seq 3) <(seq 4 6); seq 5 | tac | paste -sd' '; nl <<< text; od -An -tx1 <<< ab; fold -w 3 <<< abcdefg; expand <<< $'a\tb'
expr 6 \* 7; factor 97 60; numfmt --to=iec 1048576; printf '%5.2f|%-4s|%x\n' 3.14159 ab 255; date -u -d @1000000000 +%c; basename /x/y.c .c; dirname /x/y; realpath --relative-to=a/b a
tee t1 t2 <<< tee; cat t1 t2; install -D -m 750 t1 deep/er/t; stat -c %a deep/er/t; mktemp -u XXXX | wc -c; nproc > /dev/null; env -i X=1 env; printenv HOME > /dev/null; pwd -P > /dev/null; tty; test -t 0; echo $?
timeout -s KILL 0.1 sleep 5; echo "timeout: $?"; expr $(nice -n 5 nice) - $(nice); stdbuf -oL echo stdbuf; nohup echo nohup 2> /dev/null; yes | head -1; sync; df . > /dev/null; id -u; arch; uname -s
cd /proc/self; test -d fd && ls cmdline; cd - > /dev/null; kill -l TERM; chown 12:34 t1; stat -c '%u %g' t1; mkfifo p; stat -c %F p; shred -u t2; ls t2 2>&1; link t1 t3; unlink t3
(echo start > log; tail -n +1 -f log & tailer=$!; sleep 0.2; echo later >> log; sleep 1.5; kill $tailer)
touch -d '1 hour ago' old; [ t1 -nt old ] && echo newer; ls -t old t1 | head -1; ls -1U a | wc -l; printf '%s\n' f1 f10 f2 | sort -V | paste -sd,
rm -rf a/b; mkdir d; chmod 0 d; rmdir d && echo removed; echo x > -dash; rm -- -dash; cat nonexistent; echo "cat: $?"
#> one
#> regular file 2 4 644
#> symbolic link 1 3 777
#> cp -a
#> 2
#> ls: cannot access 'moved': No such file or directory
#> 981173106
#> 2001-02-03T04:05:06.789000000
#> -rw-r-----
#> 1048576
#> 1073741824 0
#> 0
#> same
#> 1048576
#> part.aa
#> part.ab
#> part.ac
#> part.ad
#> joined
#> 10 total
#> 100000
#> dea9193b768319cbb4ff1a137ac03113  -
#> 30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58  -
#> 3018728591 1048576 zeros
#> 786a02f742015903
#>       6 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
#>       1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
#>       1 a
#>       2 b
#> b
#> 1 a b
#> oeh
#> b
#> 1+4
#> 2+5
#> 3+6
#> 5 4 3 2 1
#>      1	text
#>  61 62 0a
#> abc
#> def
#> g
#> a       b
#> 42
#> 97: 97
#> 60: 2 2 3 5
#> 1.0M
#>  3.14|ab  |ff
#> Sun Sep  9 01:46:40 2001
#> y
#> /x
#> ..
#> tee
#> tee
#> tee
#> 750
#> 5
#> X=1
#> not a tty
#> 1
#> timeout: 137
#> 5
#> stdbuf
#> nohup
#> y
#> 0
#> x86_64
#> Linux
#> cmdline
#> 15
#> 12 34
#> fifo
#> ls: cannot access 't2': No such file or directory
#> start
#> later
#> newer
#> t1
#> 4
#> f1,f2,f10
#> removed
#> cat: 1
