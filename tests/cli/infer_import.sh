#!/bin/sh
# A network of another program, as a user compares its variances: import, stage 2 on pictures, the page of `infer
# compare`, and the way out again. (What networks give: tests/test_import.c. What is refused:
# tests/test_import_refusals.c.)
golden=$PWD/tests/golden/import
. tests/script.sh

# said FILE TEXT: the text stands in a line of it.
said() {
    grep -q -e "$2" "$1" || problem "expected \"$2\" in $1: $(cat "$1")"
}

# -- Files of other programs, without importing them
foreign="$golden/diffusers-new $golden/pesser.ckpt $golden/ddim_ckpt.pth $golden/adm.pt $golden/ea_ddpm_sn.ckpt"
for path in $foreign; do
    works infer info "$path"
    said printed "^  weights .* tensors, [0-9]* numbers of float32"
done
works infer info "$golden/diffusers-new"
said printed "^  network .* told t - 1, predicts eps\|told t - 1, predicts eps"
said printed "^  import     possible"
works infer info "$golden/adm.pt"
said printed "not possible: .*--config FILE says them"
works infer info "$golden/adm.pt" --config "$golden/adm.json"
said printed "^  diffusion  cosine schedule, 1000 timesteps"
said printed "^  import     possible"
[ -z "$(find . -name '*.h5')" ] || problem "infer info made $(find . -name '*.h5')"

# -- Import, and what it says
works infer import "$golden/diffusers-new" --run cifar10
said printed "^cifar10/stage1.h5: .* numbers in .* tensors, from a safetensors file with the names of diffusers$"
[ ! -s errors ] || problem "import said on stderr: $(cat errors)"
works infer info cifar10/stage1.h5
fails_with 2 "--fresh replaces it" infer import "$golden/diffusers-new" --run cifar10
fails_with 2 "was imported" train --stage 1 --run cifar10 --set data.format=mixture

# -- Heads on it, fitted by Adam and by the exact solver, on pictures that data.train names
works infer sample --run cifar10 --variance beta --steps 2 --count 40 --out pictures.npz --quiet
for solver in exact adam; do
    works infer import "$golden/diffusers-new" --run $solver --quiet
    works train --stage 2 --loss npr,sn,nll --run $solver --quiet --set data.train=pictures.npz \
        --set data.test=pictures.npz --set stage2.solver=$solver --set stage2.images=8 --set stage2.steps=4 \
        --set stage2.batch=4 --set stage2.time_bins=1 --set stage2.correlation=none
    works infer nll --run $solver --variance beta,npr,sn,nll --steps 3 --images 2 --quiet
done

# -- The page
works infer compare --threads 1 --run exact --variance beta,npr,sn,nll --steps 2,3 --images 2 --samples 0
page=exact/compare/compare.html
for variance in beta npr sn nll; do
    said exact/compare/nll.csv "^$variance,linear,3,"
    grep -q "<tr><th>$variance</th>" $page || problem "$page has no row of $variance"
done

# -- Its own variance, learned, beside heads
works infer import "$golden/adm.pt" --config "$golden/adm.json" --run adm
works train --stage 2 --loss npr --run adm --quiet --set data.train=pictures.npz --set data.test=pictures.npz \
    --set stage2.solver=adam --set stage2.steps=2 --set stage2.batch=2
works infer nll --run adm --variance beta,beta_tilde,learned,npr --steps 20,5 --images 1 --out adm.csv --quiet
[ "$(grep -c '^learned,' adm.csv)" -eq 2 ] || problem "adm.csv: $(cat adm.csv)"

# -- Published heads and ours in one table
works infer import "$golden/ea_ddpm_npr.pth" --resolution 8 --head npr --run celeba
works infer sample --run celeba --variance npr --steps 2 --count 8 --out small.npz --quiet
works train --stage 2 --loss nll --run celeba --quiet --set data.train=small.npz --set data.test=small.npz \
    --set stage2.solver=adam --set stage2.steps=2 --set stage2.batch=2
works infer nll --run celeba --variance npr,nll --steps 3 --images 2 --out celeba.csv --quiet
[ "$(grep -c '^npr,\|^nll,' celeba.csv)" -eq 2 ] || problem "celeba.csv: $(cat celeba.csv)"

# -- Betas of a file: a recipe's own training, and a network that was trained with them
awk 'BEGIN { for (i = 0; i < 50; i++) print 0.002 + i * 0.004 }' >betas.txt
tiny_recipe
works train --config tiny.yaml --run own --stage 1 --quiet --set diffusion.betas=betas.txt
works infer info own/stage1.h5
said printed "betas schedule, 50 timesteps"
rm betas.txt # the run has its numbers
works infer nll --run own --variance beta --steps 5 --images 1 --quiet

# -- Images that the run names from the start, and that stage 2 names
works infer import "$golden/ea_ddpm_npr.pth" --resolution 8 --head npr --run named --data small.npz
works infer nll --run named --variance npr --steps 3 --images 1 --quiet
fails_with 2 "--data: nowhere: no such file" infer import "$golden/diffusers-new" --run wrong --data nowhere
fails_with 2 "small.npz: has images of 8 x 8 with 3 channels, expected 16 x 16 with 3 as the network's" \
    infer import "$golden/diffusers-new" --run wrong --data small.npz
[ ! -e wrong ] || problem "a wrong --data left a run"
works infer import "$golden/ea_ddpm_npr.pth" --resolution 8 --head npr --run later --quiet
fails_with 2 "data.train names no images; --set data.train=PATH does" train --stage 2 --loss sn --run later
works train --stage 2 --loss sn --run later --set data.train=small.npz --set stage2.solver=adam --set stage2.steps=2 \
    --set stage2.batch=2
said errors "note: data.test is auto, since the recipe names no images"
works infer nll --run later --variance sn --steps 3 --images 1 --quiet

# -- Out again: the same weights, bit for bit
works infer export --run cifar10 --format diffusers --out model
works infer import model --run again --quiet
works infer export --run again --format diffusers --out model2
diff -r model model2 >difference || problem "exported and imported, the network is another one: $(cat difference)"

# -- Pages of help
for command in import export; do
    works infer $command --help
    awk 'length > 80 { exit 1 }' printed || problem "infer $command --help: wider than 80"
done
exit $result
