#!/bin/bash
# Builds the images that docker-compose.yml and the tests of test/e2e run. README.md says which
# and why.
#
#   make.sh [IMAGE...]      debian, redis, minio, bucketmill; all by default
#
# An image that exists and was built by the same recipe is not built again. To build it again, for
# example for Debian's security updates, remove it first: docker rmi bucketmill/debian:bookworm.
#
# DEBIAN_MIRROR names another mirror than deb.debian.org. Where no registry can be reached, the
# script needs debootstrap, as root or through sudo.
set -euo pipefail

cd "$(dirname "$0")/../.."

readonly public_debian=debian:bookworm-20251229-slim
readonly public_redis=redis:7.2.16
readonly recipe_label=io.bucketmill.recipe

sudo=
if [ "$(id -u)" != 0 ]; then
	sudo=sudo
fi

# recipe TEXT FILE... is a hash of what an image is made by.
recipe() {
	{ echo "$1" && cat "${@:2}"; } | sha256sum | cut -d' ' -f1
}

# made IMAGE RECIPE tells whether the image is there, made by that recipe.
made() {
	[ "$(docker image inspect --format "{{index .Config.Labels \"$recipe_label\"}}" "$1" 2>/dev/null)" = "$2" ]
}

# build IMAGE RECIPE ARGUMENT... runs docker build, showing its output only if it fails.
build() {
	local log
	echo "building $1" >&2
	if ! log=$(docker build --tag "$1" --label "$recipe_label=$2" "${@:3}" 2>&1); then
		echo "$log" >&2
		return 1
	fi
}

# have IMAGE gets a public image, or says that it can't be had.
have() {
	docker image inspect "$1" >/dev/null 2>&1 && return
	echo "pulling $1" >&2
	timeout 300 docker pull --quiet "$1" >/dev/null 2>&1
}

# bootstrap IMAGE makes a Debian from its packages.
bootstrap() (
	mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
	./test/tools/get.sh debootstrap
	echo "no registry can be reached: making $1 from the packages of $mirror" >&2
	root=$(mktemp -d)
	trap '$sudo rm -rf "$root"' EXIT
	if ! $sudo debootstrap --variant=minbase bookworm "$root" "$mirror" >"$root.log" 2>&1; then
		cat "$root.log" >&2
		exit 1
	fi
	rm -f "$root.log"
	printf 'deb %s %s main\n' "$mirror" bookworm "$mirror" bookworm-updates "${mirror%/debian}/debian-security" bookworm-security |
		$sudo tee "$root/etc/apt/sources.list" >/dev/null
	$sudo tar -C "$root" --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' --exclude='./usr/share/doc/*' \
		--exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' -c . | docker import - "$1" >/dev/null
)

make_debian() {
	local image=bucketmill/debian:bookworm base=$public_debian from=deploy/images/debian hash
	hash=$(recipe "$public_debian" "$from/Dockerfile")
	if made "$image" "$hash"; then
		return
	fi
	if ! have "$base"; then
		base=bucketmill/debian-bootstrap:bookworm
		docker image inspect "$base" >/dev/null 2>&1 || bootstrap "$base"
	fi
	build "$image" "$hash" --build-arg BASE="$base" "$from"
}

make_redis() {
	local image=bucketmill/redis:7 from=deploy/images/redis hash
	hash=$(recipe "$public_redis" "$from/Dockerfile")
	if made "$image" "$hash"; then
		return
	fi
	if have "$public_redis"; then
		echo "FROM $public_redis" | build "$image" "$hash" -
	else
		make_debian
		build "$image" "$hash" "$from"
	fi
}

make_minio() {
	local version image hash from=deploy/images/minio context
	./test/tools/get.sh minio mc
	version=$(go version -m .tools/bin/minio | awk '$1 == "mod" { print $3 }')
	image=bucketmill/minio:$(cut -d- -f2 <<<"$version" | cut -c1-8) # the day of its newest commit
	hash=$(recipe "$version $(go version -m .tools/bin/mc | awk '$1 == "mod" { print $3 }')" "$from/Dockerfile" "$from/healthy" "$from/accounts")
	if made "$image" "$hash"; then
		return
	fi
	make_debian
	context=$(mktemp -d)
	cp "$from/Dockerfile" "$from/healthy" "$from/accounts" .tools/bin/minio .tools/bin/mc "$context"
	build "$image" "$hash" "$context" || { rm -rf "$context" && return 1; }
	rm -rf "$context"
}

make_bucketmill() {
	local hash
	if [ ! -x bin/bucketmill ]; then
		echo 'there is no bin/bucketmill: run "make build" first' >&2
		return 1
	fi
	make_debian
	hash=$(recipe "$(docker image inspect --format '{{.Id}}' bucketmill/debian:bookworm)" deploy/Dockerfile bin/bucketmill)
	made bucketmill/bucketmill:local "$hash" || build bucketmill/bucketmill:local "$hash" --file deploy/Dockerfile --target bucketmill .
	made bucketmill/bucketmill:local-python "$hash" || build bucketmill/bucketmill:local-python "$hash" --file deploy/Dockerfile --target python .
}

if ! docker version >/dev/null; then
	echo "the images need a Docker engine: none answers (is it installed, is it running, may $(id -un) use it?)" >&2
	exit 1
fi
[ $# -gt 0 ] || set -- debian redis minio bucketmill
for image; do
	case $image in
	debian | redis | minio | bucketmill) "make_$image" ;;
	*)
		echo "make.sh knows no image $image" >&2
		exit 2
		;;
	esac
done
