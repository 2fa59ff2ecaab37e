#!/bin/sh
# Installs the tools of this folder into .tools/api, from PyPI and npm, unless they are there. It
# needs Python with venv, and Node 20.19 or newer with npm.
set -eu

cd "$(dirname "$0")"
tools=$(cd ../.. && pwd)/.tools/api
mkdir -p "$tools"

# fresh FILE: the tools are those of FILE
fresh() {
	cmp -s "$1" "$tools/$1.installed"
}

if ! fresh requirements.txt; then
	echo "installing Python's tools for the API" >&2
	rm -rf "$tools/venv"
	python3 -m venv "$tools/venv"
	"$tools/venv/bin/pip" install --quiet --disable-pip-version-check -r requirements.txt
	cp requirements.txt "$tools/requirements.txt.installed"
fi
if ! fresh package.json; then
	echo "installing Node's tools for the API" >&2
	rm -rf "$tools/node_modules" "$tools/package.json" "$tools/package-lock.json"
	cp package.json "$tools/"
	(cd "$tools" && npm install --no-audit --no-fund --ignore-scripts --loglevel=error)
	cp package.json "$tools/package.json.installed"
fi
