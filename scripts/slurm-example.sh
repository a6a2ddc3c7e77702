#!/bin/sh
#SBATCH --job-name=varhead
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=64
#SBATCH --time=24:00:00
#SBATCH --signal=USR1@300
#SBATCH --requeue
#
# An example of a job for Slurm: stage 1, then stage 2, on four nodes with one process each.
#
#     sbatch scripts/slurm-example.sh
#
# The run directory must lie on a file system that all nodes see. Five minutes before the time is over Slurm sends
# SIGUSR1 to every process; they save once and end. The same command continues the run, with another number of nodes too.
set -eu

run=${RUN:-checkpoints/cifar10}
recipe=${RECIPE:-cifar10}

# --mpi=pmix starts the processes as mpirun would. (Without Slurm's support of PMIx: `mpirun` in the place of this srun.)
start() {
    srun --mpi=pmix --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" "$@"
}

# Exit status 138 says that SIGUSR1 came and that all is saved: then the job goes back to the queue.
status=0
start train --stage 1 --config "$recipe" --run "$run" || status=$?
if [ $status -eq 138 ]; then
    exec scontrol requeue "$SLURM_JOB_ID"
fi
[ $status -eq 0 ] || exit $status
start train --stage 2 --loss npr,sn --config "$recipe" --run "$run"
