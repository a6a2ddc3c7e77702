#!/bin/sh
# Runs a command as two processes of mpirun that take each other for another machine: in two network namespaces, whose
# link tc limits to a rate. As root, with Open MPI 4 and iproute2.
#
#     sh scripts/two_machines.sh GBITS COMMAND...
#     sh scripts/two_machines.sh 1 build/sum_speed 35.7e6                 (make build/sum_speed)
#     sh scripts/two_machines.sh 1 train --stage 1 --config cifar10-small
#
# Open MPI starts the second one's process by `agent`, which stands for ssh. All of it is gone when the script ends.
set -eu

if [ $# -lt 2 ]; then
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
rate=$1
shift
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_NUM_THREADS=1

work=$(mktemp -d)
trap 'ip netns del varhead1 2>/dev/null; ip netns del varhead2 2>/dev/null; rm -rf "$work"' EXIT
for k in 1 2; do
    ip netns add varhead$k
    ip -n varhead$k link set lo up
done
ip link add vh1 netns varhead1 type veth peer name vh2 netns varhead2
for k in 1 2; do # the queue holds 10 ms
    ip -n varhead$k addr add 10.213.7.$k/24 dev vh$k
    ip -n varhead$k link set vh$k up
    ip netns exec varhead$k tc qdisc replace dev vh$k root tbf rate "${rate}gbit" burst 1mb latency 10ms
done

# `agent HOST COMMAND...`: runs a command on the second machine.
cat >"$work/agent" <<'AGENT'
#!/bin/sh
shift
exec ip netns exec varhead2 unshare --uts sh -c "hostname varhead2; $*"
AGENT
chmod +x "$work/agent"
printf '127.0.0.1 localhost\n10.213.7.1 varhead1\n10.213.7.2 varhead2\n' >"$work/hosts"

# Each "machine" would bind its process to the same first core.
cat >"$work/start" <<'START'
hosts=$1/hosts agent=$1/agent
shift
hostname varhead1
mount --bind "$hosts" /etc/hosts
exec mpirun -n 2 --bind-to none --host varhead1:1,varhead2:1 --mca plm_rsh_agent "$agent" --mca btl tcp,self \
    --mca btl_tcp_if_include 10.213.7.0/24 --mca oob_tcp_if_include 10.213.7.0/24 "$@"
START
ip netns exec varhead1 unshare --uts --mount sh "$work/start" "$work" "$@"
