#!/bin/sh
# Measures how fast processes of mpirun sum as many numbers as the CIFAR-10 network has parameters: over shared memory,
# and over TCP between two network namespaces, whose link tc limits to a rate. As root, with Open MPI 4 and iproute2.
#
#     make build/sum_speed && sh scripts/sum_speed.sh [GBITS...]       1 and 10 Gbit/s unless told
#
# Each namespace has a host name of its own, so that Open MPI takes them for two machines. It starts the second one's
# process by `agent`, which stands for ssh. All of it is gone when the script ends.
set -eu
cd "$(dirname "$0")/.."
program=$PWD/build/sum_speed
numbers=${NUMBERS:-35.7e6}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_NUM_THREADS=1
[ -x "$program" ] || {
    echo "scripts/sum_speed.sh: build/sum_speed is missing: make build/sum_speed" >&2
    exit 2
}
[ $# -gt 0 ] || set -- 1 10

echo "shared memory"
mpirun -n 2 --oversubscribe "$program" "$numbers"

work=$(mktemp -d)
trap 'ip netns del varhead1 2>/dev/null; ip netns del varhead2 2>/dev/null; rm -rf "$work"' EXIT
for k in 1 2; do
    ip netns add varhead$k
    ip -n varhead$k link set lo up
done
ip link add vh1 netns varhead1 type veth peer name vh2 netns varhead2
for k in 1 2; do
    ip -n varhead$k addr add 10.213.7.$k/24 dev vh$k
    ip -n varhead$k link set vh$k up
done

# `agent HOST COMMAND...`: runs a command on the second machine.
cat >"$work/agent" <<'AGENT'
#!/bin/sh
shift
exec ip netns exec varhead2 unshare --uts sh -c "hostname varhead2; $*"
AGENT
chmod +x "$work/agent"
printf '127.0.0.1 localhost\n10.213.7.1 varhead1\n10.213.7.2 varhead2\n' >"$work/hosts"

for rate; do
    for k in 1 2; do # the queue holds 10 ms
        ip netns exec varhead$k tc qdisc replace dev vh$k root tbf rate "${rate}gbit" burst 1mb latency 10ms
    done
    echo "TCP, $rate Gbit/s"
    ip netns exec varhead1 unshare --uts --mount sh -c "hostname varhead1; mount --bind $work/hosts /etc/hosts
        mpirun -n 2 --host varhead1:1,varhead2:1 --mca plm_rsh_agent $work/agent --mca btl tcp,self \
            --mca btl_tcp_if_include 10.213.7.0/24 --mca oob_tcp_if_include 10.213.7.0/24 $program $numbers"
done
