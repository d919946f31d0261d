# image: shell
# run: --cpus 2
# libnuma finds one node with all CPUs; programs are bound to it and to CPUs.
numactl --hardware | grep -E '^available|cpus|size' | sed -E 's/size: [0-9]+/size: N/'
numactl --show | grep -E '^(policy|cpubind|membind|physcpubind)'
numactl --cpunodebind=0 --membind=0 nproc; numactl --physcpubind=1 nproc; numactl --interleave=all echo interleaved; numactl --preferred=0 echo preferred
numactl --membind=1 true >/tmp/refusal 2>&1; code=$?; head -1 /tmp/refusal; echo "code: $code"
numastat | awk 'NR == 1 { print $1 }'
taskset -c 1 sh -c 'nproc; taskset -p $$ | sed "s/pid [0-9]*/pid PID/"'; lscpu | grep -E '^(CPU\(s\)|NUMA node\(s\)|On-line)' | tr -s ' '
#> available: 1 nodes (0)
#> node 0 cpus: 0 1
#> node 0 size: N MB
#> policy: default
#> physcpubind: 0 1 
#> cpubind: 0 
#> membind: 0 
#> 2
#> 1
#> interleaved
#> preferred
#> libnuma: Warning: node argument 1 is out of range
#> code: 1
#> node0
#> 1
#> pid PID's current affinity mask: 2
#> CPU(s): 2
#> On-line CPU(s) list: 0,1
#> NUMA node(s): 1
