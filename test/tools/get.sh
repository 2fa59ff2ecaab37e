#!/bin/sh
# Installs the programs that the tests and the linters run, except those that are installed
# already.
#
#   get.sh [PROGRAM...]      all of them by default
#
# Go programs are built from source, at the versions below, into .tools/bin. The others come
# from PATH, or else from the system's packages, by apt-get (as root or by sudo).
set -eu

cd "$(dirname "$0")/../.."
bin=$PWD/.tools/bin

# go_program NAME MODULE VERSION PACKAGE
go_program() {
	if go version -m "$bin/$1" 2>/dev/null | grep -q "^[[:space:]]mod[[:space:]]$2[[:space:]]$3\b"; then
		return
	fi
	echo "building $1 $3" >&2
	CGO_ENABLED=0 GOOS='' GOARCH='' GOFLAGS='' GOBIN=$bin go install -trimpath -ldflags='-s -w' "$4@$3"
}

# system_program NAME PACKAGE
system_program() {
	if command -v "$1" >/dev/null; then
		return
	fi
	if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
		apt_install "$2"
	elif command -v apt-get >/dev/null && command -v sudo >/dev/null; then
		apt_install "$2" sudo
	else
		echo "$1 is not on PATH, and there is no apt-get (with root or sudo) to get it with: please install it" >&2
		exit 1
	fi
}

# apt_install PACKAGE [SUDO]
apt_install() {
	echo "installing $1 with apt-get" >&2
	${2-} apt-get update -qq >&2
	${2-} env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$1" >&2
}

get() {
	case $1 in
	minio) go_program minio github.com/minio/minio v0.0.0-20260212201848-7aac2a2c5b7c github.com/minio/minio ;;
	mc) go_program mc github.com/minio/mc v0.0.0-20250313080218-cf909e1063a9 github.com/minio/mc ;; # the version that this MinIO's own module names
	gofumpt) go_program gofumpt mvdan.cc/gofumpt v0.12.0 mvdan.cc/gofumpt ;;
	golangci-lint) go_program golangci-lint github.com/golangci/golangci-lint/v2 v2.15.0 github.com/golangci/golangci-lint/v2/cmd/golangci-lint ;;
	redis-server) system_program redis-server redis-server ;;
	python3) system_program python3 python3 ;;
	venv) python3 -c 'import ensurepip, venv' 2>/dev/null || system_program no-venv python3-venv ;;
	compose) docker compose version >/dev/null 2>&1 || system_program docker-compose docker-compose ;;
	debootstrap) system_program debootstrap debootstrap ;;
	*)
		echo "get.sh knows no program $1" >&2
		exit 2
		;;
	esac
}

command -v go >/dev/null || {
	echo "go is not on PATH: install Go as go.mod asks, from https://go.dev/dl" >&2
	exit 1
}
[ $# -gt 0 ] || set -- redis-server minio python3 gofumpt golangci-lint
for program; do
	get "$program"
done
