#!/usr/bin/env bash
# Pack a folder of pictures into RecordIO, the form that trains fastest:
#
#     bash recipes/make_rec.sh FOLDER PREFIX [--resize 480] [--quality 95] [--pass-through] [--classes FILE]
#
# FOLDER has a subfolder of pictures for each class, or a labels.csv (file,wnid,class_index). Makes
# PREFIX.rec, .idx, .lst and .classes.txt (the names, which belong beside the records), checked (PREFIX.rec.checked
# says so), or nothing; shuffled, so that any run of records holds all classes. About 200 pictures a second on each
# core for ImageNet.
from=$PWD
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
tool=$PWD/tools/make_rec.py
cd "$from" # the paths in the arguments are the caller's
exec python "$tool" "$@"
