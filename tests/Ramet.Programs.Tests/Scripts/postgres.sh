# image: servers
# run: --cpus 2 --memory 1G
# PostgreSQL as a user of its own: initdb, pgbench, psql, concurrent sessions, recovery after kill -9.
export PATH=$PATH:/usr/lib/postgresql/15/bin PGHOST=$PWD PGPORT=15432 PGDATABASE=postgres PGUSER=postgres; data=$PWD/data
initdb -D data 2>&1 | head -1
grep -q ^postgres: /etc/passwd || { echo "postgres:x:999:999::$PWD:/bin/sh" >> /etc/passwd; echo postgres:x:999: >> /etc/group; }
chown 999:999 .; export HOME=$PWD; as() { setpriv --reuid 999 --regid 999 --clear-groups "$@"; }
start() { as pg_ctl -D data -o "-k $PWD -p $PORT_OPTION" -l log -w start > started || cat started log; tail -1 started; }
PORT_OPTION=15432
# Until a session is in pg_sleep.
sleeps() { until [ "$(psql -Atc "select count(*) from pg_stat_activity where wait_event = 'PgSleep'")" = 1 ]; do sleep 0.1; done; }
as initdb -D data -A trust -N --no-instructions > made || cat made; grep -c 'ok$' made
start
psql -Atc 'select 1 + 1'; psql -h 127.0.0.1 -Atc 'show shared_buffers'; psql -h ::1 -Atc 'select current_user'
pgbench -q -i -s 1 2>&1 | grep -c done; pgbench -c 4 -j 2 -t 25 | grep -E 'actually processed|failed'; psql -Atc 'select count(*) from pgbench_history; select sum(abalance) = (select sum(delta) from pgbench_history) from pgbench_accounts'
psql -q <<X
create table numbers as select i, md5(i::text) as hash from generate_series(1, 20000) i; create index on numbers (hash);
create function double(x int) returns int language plpgsql as 'begin return x * 2; end'; vacuum analyze numbers;
X
psql -Atc "select i, double(i) from numbers where hash = md5('777')" -c 'select count(*), sum(i) from numbers' -c 'set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0; select count(*) from numbers a where a.i % 7 = 0'
psql -c 'select * from nothing' 2>&1 | head -1; psql -Atc "select pg_sleep(10)" -c 'select 1' > cancelled 2>&1 & sleeps; psql -Atc "select pg_cancel_backend(pid) from pg_stat_activity where query like '%pg_sleep(10)%' and pid <> pg_backend_pid()"; wait $!; cat cancelled
psql -qAtc 'listen news' -c "notify news, 'told'" -c 'select 1' | grep -c told
psql -qc 'begin' -c 'insert into numbers select -1 from generate_series(1, 1000)' -c 'select pg_sleep(20)' > /dev/null 2>&1 & sleeps; psql -qc "insert into numbers values (0, 'committed')"
kill -9 $(head -1 data/postmaster.pid); wait $!; while pgrep postgres > /dev/null; do sleep 0.1; done; echo "killed"
start
grep -c 'not properly shut down; automatic recovery' log; psql -Atc 'select count(*), min(i) from numbers'
as pg_ctl -D data -m fast -w stop | tail -1; grep -ciE 'panic|corrupt' log
exit 0
#> initdb: error: cannot be run as root
#> 5
#> server started
#> 2
#> 128MB
#> postgres
#> 2
#> number of transactions actually processed: 100/100
#> number of failed transactions: 0 (0.000%)
#> 100
#> t
#> 777|1554
#> 20000|200010000
#> SET
#> SET
#> SET
#> SET
#> 2857
#> ERROR:  relation "nothing" does not exist
#> t
#> ERROR:  canceling statement due to user request
#> 1
#> 1
#> killed
#> server started
#> 1
#> 20001|0
#> server stopped
#> 0
