#!/bin/sh
# Predicts how train scales over nodes: the tables of docs/scaling.md, from the model that the document explains.
#
#     sh scripts/scaling.sh
#     SPEED=40 PARAMETERS=4.2e6 BATCH=256 sh scripts/scaling.sh
#
# PARAMETERS   of the network (35.7e6: configs/cifar10.yaml)
# BATCH        images of a step, of all nodes together (128); in weak scaling, of each node
# SPEED        images per second of one node, without exchange (300)
# MESSAGE      seconds of a node's time for one message (2e-6)
# SHARE        part of the network's rate that the sum reaches (0.8)
# HIDDEN       part of the computing during which the sum goes on (0.5); 0: nothing is hidden
# SHARD        1: with stage1.shard, which gathers the weights after each step, and hides nothing of that (0)
# BYTES        of a number in the sum (4); 2: stage1.transport bf16
set -eu

awk -v parameters="${PARAMETERS:-35.7e6}" -v batch="${BATCH:-128}" -v speed="${SPEED:-300}" \
    -v message="${MESSAGE:-2e-6}" -v share="${SHARE:-0.8}" -v hidden="${HIDDEN:-0.5}" \
    -v shard="${SHARD:-0}" -v bytes="${BYTES:-4}" '
# Seconds of the sum over n nodes at `rate` bytes per second, in 32 pieces; and how long they wait for it.
function exchange(n, rate) { return 2 * (n - 1) / n * bytes * parameters / (share * rate) + 2 * (n - 1) * message * 32 }
# Seconds in which the weights are gathered, float32 in one piece.
function gathering(n, rate) { return shard * ((n - 1) / n * 4 * parameters / (share * rate) + (n - 1) * message) }
function waiting(e, computing) { return e - hidden * computing > e / 32 ? e - hidden * computing : e / 32 }
# The largest part of a batch that a node has.
function part(images, n) { return int((images + n - 1) / n) }
function row(n, images,   i, c, t, rate) {
    printf "%5d %9d", n, part(images, n)
    for (i = 1; i <= 2; i++) {
        rate = (i == 1 ? 10e9 : 100e9) / 8
        c = part(images, n) / speed
        t = c + (n > 1 ? waiting(exchange(n, rate), c) + gathering(n, rate) : 0)
        printf "   %8.3f %9.0f %6.0f %%", t, images / t, 100 * images / t / (n * speed)
    }
    print ""
}
function table(title, weak,   n) {
    print title
    print "               10 Gbit/s                      100 Gbit/s"
    print "nodes images/node   s/step  images/s  efficiency   s/step  images/s  efficiency"
    for (n = 1; n <= 256; n *= 2)
        if (weak || n <= batch) row(n, weak ? n * batch : batch)
    print ""
}
BEGIN {
    printf "%.3g parameters, %.0f MB per sum, %g images/s per node\n\n", parameters, 4 * parameters / 1e6, speed
    table("strong scaling: " batch " images per step", 0)
    table("weak scaling: " batch " images per node", 1)
}'
