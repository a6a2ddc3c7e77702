#!/bin/sh
# `infer analytic` adds its constants to checkpoints while a training saves them: everything saved
# stays, and the constants are there.

. tests/script.sh

# A network whose checkpoint takes a while to write.
cat >large.yaml <<'TEXT'
name: large
data: {format: mixture, channels: 1, resolution: 8}
diffusion: {schedule: linear, timesteps: 100}
model: {channels: 96, channel_mult: [1, 2], res_blocks: 1, attention: [], dropout: 0.0, norm_groups: 4}
stage1: {steps: 1, batch: 2}
stage2: {solver: adam, steps: 2, batch: 2}
TEXT
trained large.yaml good sn

# half_written: whether some of the new checkpoint is there; of the one that is begun only to see if it can be, there is nothing.
half_written() {
    [ -n "$(find r -name 'stage2-sn.h5.tmp-*' -size +100k)" ]
}

hit=no tries=0
while [ $hit = no ] && [ $tries -lt 40 ]; do
    tries=$((tries + 1))
    rm -rf r
    cp -p -r good r
    infer analytic --run r --images 3 --timesteps 2 --quiet >printed 2>errors &
    child=$!
    until half_written || ! kill -0 $child 2>/dev/null; do
        :
    done
    kill -STOP $child 2>/dev/null
    if half_written; then
        hit=yes
        works train --config large.yaml --run r --quiet --stage 2 --loss sn --set stage2.steps=5
    fi
    kill -CONT $child 2>/dev/null
    wait $child
    status=$?
    [ $status -eq 0 ] || problem "infer analytic: exit status $status: $(cat errors)"
done
[ $hit = yes ] || problem "infer analytic was never met while it wrote, in $tries tries"

works infer info r/stage2-sn.h5
grep -q "step 5" printed || problem "what was saved meanwhile is lost: $(cat printed)"
grep -q "variance analytic works" printed || problem "the constants are not there: $(cat printed)"
works train --config large.yaml --run r --quiet --stage 2 --loss sn --set stage2.steps=6
works infer info --verify r/stage2-sn.h5
grep -q "step 6" printed || problem "the run does not go on: $(cat printed)"

exit $result
