#!/bin/sh
# Runs every fuzz target of the repository, one after the other, for FUZZTIME (20s) each, and
# stops at the first that finds something. Go fuzzes one target of one package at a time.
set -eu

cd "$(dirname "$0")/../.."
targets=$(grep -roE --include='*_test.go' --exclude-dir='.*' '^func Fuzz[A-Za-z0-9_]*' -- * | sed 's/:func /:/' | sort)
if [ -z "$targets" ]; then
	echo "no fuzz targets in the repository" >&2
	exit 1
fi
for target in $targets; do
	file=${target%%:*} name=${target##*:}
	echo "== $name in ./$(dirname "$file")"
	go test -run='^$' -fuzz="^$name\$" -fuzztime="${FUZZTIME:-20s}" -fuzzminimizetime=10x "./$(dirname "$file")"
done
