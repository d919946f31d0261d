# image: shell
# run: --cpus 2
# WAL mode with concurrent writers; a writer that is killed in the middle, in WAL mode and with a rollback journal.
sqlite3 wal.db 'pragma journal_mode=wal; create table t(i integer primary key, w int, v text); create index by_w on t(w);'
writer() { for k in 1 2 3 4 5; do sqlite3 -cmd '.timeout 30000' wal.db "begin immediate; insert into t(w, v) with recursive c(x) as (select 1 union all select x + 1 from c where x < 200) select $1, 'v' || x from c; commit;" || echo "writer $1 failed"; done; }
for w in 1 2 3 4; do writer $w & done; while [ $(jobs -r | wc -l) -gt 0 ]; do sqlite3 -cmd '.timeout 30000' wal.db 'select count(*) % 200 from t' | grep -v '^0$'; done; wait
sqlite3 wal.db 'select w, count(*) from t group by w; pragma integrity_check;'
sqlite3 wal.db "pragma cache_size=10; begin; insert into t(w, v) with recursive c(x) as (select 1 union all select x + 1 from c) select 99, hex(randomblob(500)) from c;" & victim=$!
for i in $(seq 100); do [ $(stat -c %s wal.db-wal 2> /dev/null || echo 0) -gt 1000000 ] && break; sleep 0.05; done
kill -9 $victim; wait $victim 2> /dev/null; echo "killed: $?"; ls
sqlite3 wal.db 'select count(*) from t where w = 99; select count(*) from t; pragma integrity_check; pragma wal_checkpoint(truncate);'
sqlite3 journal.db "pragma journal_mode=delete; create table t(i integer primary key, v text); insert into t select value, 'x' from generate_series(1, 1000);"
(printf 'pragma cache_size=10; begin; update t set v = hex(randomblob(2000)); select count(*) from t;\n.shell kill -9 $PPID\n' | sqlite3 journal.db) 2> /dev/null; ls journal*
sqlite3 journal.db "select count(*), sum(v = 'x') from t; pragma integrity_check;"; ls journal*
sqlite3 -cmd '.timeout 100' journal.db 'begin exclusive; select 1;' '.shell sqlite3 -cmd ".timeout 100" journal.db "select count(*) from t" 2>&1' 'commit;'
sqlite3 big.db 'create table t(a, b); with recursive c(x) as (select 1 union all select x + 1 from c where x < 100000) insert into t select x, x * 2 from c; create index i on t(a); select sum(b) from t; select b from t where a = 777; vacuum; pragma integrity_check;'
sqlite3 big.db '.dump' | sqlite3 restored.db; sqlite3 restored.db 'select count(*), sum(a) from t;'; sqlite3 big.db '.backup copy.db'; cmp <(sqlite3 big.db .dump) <(sqlite3 copy.db .dump) && echo "backup"
sqlite3 big.db 'pragma mmap_size=268435456; select count(*) from t where b % 3 = 0;'; sqlite3 -header -csv big.db 'select * from t limit 2;'; sqlite3 big.db 'select * from nothing;' 2>&1 | head -1
#> wal
#> 1|1000
#> 2|1000
#> 3|1000
#> 4|1000
#> ok
#> killed: 137
#> wal.db
#> wal.db-shm
#> wal.db-wal
#> 0
#> 4000
#> ok
#> 0|0|0
#> delete
#> 1000
#> journal.db
#> journal.db-journal
#> 1000|1000
#> ok
#> journal.db
#> Error: in prepare, database is locked (5)
#> 1
#> 10000100000
#> 1554
#> ok
#> 100000|5000050000
#> backup
#> 268435456
#> 33333
#> a,b
#> 1,2
#> 2,4
#> Error: in prepare, near "nothing": syntax error
