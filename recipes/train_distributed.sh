#!/usr/bin/env bash
# Train on several machines, or on several processes of this one, with MXNet's parameter server:
#
#     bash recipes/train_distributed.sh --num-workers 2 --num-servers 2 [--hostfile HOSTS] -- \
#         --rec-train train.rec --rec-val val.rec --num-gpus 8 --save-dir /shared/runs/etinynet1.0
#
# Before the `--` are options of tools/launch.py, after it those of tools/train_imagenet.py. HOSTS has one
# host a line, reached through ssh without a password, with this folder and its environment at the same
# place; --save-dir must be a folder that all of them see. --batch-size is that of all workers together.
# When a process dies, or gives no sign of life for --patience seconds, the others are ended too; the same command
# with --resume after the `--` goes on.
# The processes trust whoever reaches their ports: use a private network.
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

launch=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    launch+=("$1")
    shift
done
[ $# -eq 0 ] || shift
exec python tools/launch.py ${launch[@]+"${launch[@]}"} -- \
    "$(command -v python)" tools/train_imagenet.py --kvstore dist_sync "$@"
