#!/bin/bash
# Starts and removes the cluster of docker-compose.yml.
#
#   cluster.sh up [EXECUTORS]     returns once the API and all executors (4) are ready
#   cluster.sh down               removes containers, networks and volumes: all data
#
# Settings come from the environment, or else from .env. The script writes .env if there are no
# settings.
set -euo pipefail

cd "$(dirname "$0")/.."

readonly wait_seconds=120

if docker compose version >/dev/null 2>&1; then
	compose=(docker compose)
elif command -v docker-compose >/dev/null; then
	compose=(docker-compose)
else
	echo "there is neither docker-compose nor the compose plugin of docker: please install one" >&2
	exit 1
fi

# secret prints a password of 128 random bits, in hex: it also stands in URLs.
secret() {
	od -An -N16 -tx1 /dev/urandom | tr -d ' \n'
}

# write_env writes .env after .env.example, readable only by its owner, unless there are passwords
# already. It adds to an earlier version's .env the passwords that the file lacks. Compose needs
# them even to remove a cluster.
write_env() (
	if [ -n "${REDIS_PASSWORD-}" ]; then
		return
	fi
	umask 077
	if [ ! -e .env ]; then
		while IFS= read -r line; do
			echo "${line/%=change-me/=$(secret)}"
		done <.env.example >.env.new
		mv .env.new .env
		echo "wrote .env, with new passwords" >&2
		return
	fi
	while IFS= read -r line; do
		if [[ $line == *=change-me ]] && ! grep -q "^${line%%=*}=" .env; then
			echo "${line/%=change-me/=$(secret)}" >>.env
			echo "added ${line%%=*} to .env, with a new password" >&2
		fi
	done <.env.example
)

# ready prints how many executors are healthy, and fails unless the controller is healthy, too.
ready() {
	local container healthy=0
	for container in $("${compose[@]}" ps -q controller executor); do
		case $(docker inspect --format '{{index .Config.Labels "com.docker.compose.service"}} {{.State.Health.Status}}' "$container") in
		"controller healthy") ;;
		"executor healthy") healthy=$((healthy + 1)) ;;
		controller*) return 1 ;;
		esac
	done
	echo "$healthy"
}

up() {
	local executors=$1 deadline=$((SECONDS + wait_seconds)) healthy address
	"${compose[@]}" up --detach --scale "executor=$executors"
	until healthy=$(ready) && [ "$healthy" -ge "$executors" ]; do
		if [ $SECONDS -ge $deadline ]; then
			"${compose[@]}" ps >&2
			"${compose[@]}" logs --tail=20 >&2
			echo "the cluster is not ready after $wait_seconds seconds; its logs end as above" >&2
			return 1
		fi
		sleep 0.5
	done
	address=$("${compose[@]}" port controller 8080)
	echo "the cluster is ready, with $healthy executors: http://$address"
}

case ${1-} in
up)
	write_env
	up "${2:-4}"
	;;
down)
	write_env
	"${compose[@]}" down --volumes --remove-orphans
	;;
*)
	echo "usage: cluster.sh up [EXECUTORS] | down" >&2
	exit 2
	;;
esac
