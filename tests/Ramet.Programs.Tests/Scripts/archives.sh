# image: shell
# tar with gzip, xz, zstd and bzip2, threads included.
mkdir -p t/sub/empty; for i in $(seq 1 150); do seq $i > t/f$i; done; ln -s f1 t/link; ln t/f2 t/hard; mkfifo t/fifo; chmod 4711 t/f3; touch -d @1000000000 t/f4; truncate -s 5M t/sparse; echo end >> t/sparse
tar cf t.tar t; tar tf t.tar | wc -l; mkdir x; tar xpf t.tar -C x; stat -c '%a' x/t/f3; stat -c %Y x/t/f4; readlink x/t/link; stat -c %h x/t/f2; stat -c %F x/t/fifo; rm t/fifo x/t/fifo; diff -r t x/t && echo "the same"
tar cSf sparse.tar t/sparse; [ $(stat -c %s sparse.tar) -lt 100000 ] && echo "sparse in the archive"; mkdir s; tar xf sparse.tar -C s; cmp t/sparse s/t/sparse && [ $(stat -c %b s/t/sparse) -lt 100 ] && echo "sparse on disk"
for tool in gzip bzip2 xz zstd; do tar cf - t | $tool -q -c > t.$tool; $tool -q -dc t.$tool | tar tf - | wc -l; $tool -q -t t.$tool && echo "$tool: intact"; done
tar czf a.tgz t; tar cJf a.txz t; tar --zstd -cf a.tzst t; tar cjf a.tbz t; for a in a.*; do tar tf $a | wc -l; done | uniq -c
xz -T 2 -k t.tar; xz -l t.tar.xz | grep -c t.tar.xz; xz -dc t.tar.xz | cmp - t.tar && echo "xz with threads"; zstd -q -T2 -19 t.tar -o t.zst; zstd -q -dc t.zst | cmp - t.tar && echo "zstd with threads"
gzip -k t.tar; zcat t.tar.gz | md5sum | cmp - <(md5sum < t.tar) && echo zcat; zgrep -c 150 <(gzip -c t/f150); gunzip -l t.tar.gz | awk 'NR == 2 { print $2 }' | cmp - <(stat -c %s t.tar) && echo "gunzip -l"
head -c 1000 t.tar.gz > cut.gz; gzip -t cut.gz 2> /dev/null; echo "cut off: $?"; printf garbage | xz -dc 2> /dev/null; echo "no xz: $?"; echo bad > bad.tar; tar xf bad.tar 2> /dev/null; echo "no tar: $?"
tar cf inc.tar -g snap t; echo new > t/new; tar cf inc2.tar -g snap t; tar tf inc2.tar | grep -c new; tar rf t.tar t/new; tar tf t.tar t/new; tar xOf t.tar t/new; tar --delete -f t.tar t/new; tar tf t.tar | grep -c new
exit 0
#> 157
#> 4711
#> 1000000000
#> f1
#> 2
#> fifo
#> the same
#> sparse in the archive
#> sparse on disk
#> 156
#> gzip: intact
#> 156
#> bzip2: intact
#> 156
#> xz: intact
#> 156
#> zstd: intact
#>       4 156
#> 1
#> xz with threads
#> zstd with threads
#> zcat
#> 1
#> gunzip -l
#> cut off: 1
#> no xz: 1
#> no tar: 2
#> 1
#> t/new
#> new
#> 0
