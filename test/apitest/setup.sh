#!/bin/sh
# Installs the tools of this folder into .tools/api unless they are there: Python's and Node itself
# from PyPI, Node's from npm, all at fixed versions. It needs Python with venv.
set -eu

cd "$(dirname "$0")"
mkdir -p ../../.tools/api
tools=$(cd ../../.tools/api && pwd -P)

# What is installed. Programs of a venv name their folder, so that they don't survive a move.
wanted=$tools/wanted installed=$tools/installed
{
	echo "$tools"
	python3 --version
	cat requirements.txt constraints.txt package.json package-lock.json
} >"$wanted"
if cmp -s "$wanted" "$installed"; then
	exit
fi
rm -rf "$installed" "$tools/venv" "$tools/node_modules"
echo "installing Python's tools for the API" >&2
python3 -m venv "$tools/venv"
export PATH="$tools/venv/bin:$PATH" PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore npm_config_update_notifier=false
pip install --quiet --only-binary :all: --requirement requirements.txt --constraint constraints.txt
echo "installing Node's tools for the API" >&2
cp package.json package-lock.json "$tools/"
(cd "$tools" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error)
mv "$wanted" "$installed"
