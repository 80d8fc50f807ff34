#!/bin/sh
# Process 1 of a node: sets up the namespaces it was started in, then holds them open.
# When it dies the kernel ends every process of the node, and with them the mounts, the
# interfaces and the nftables tables: nothing of a node can outlive it.
#   node-init.sh STATE_FOLDER CACHE_FOLDER SERVICE_BINARY
set -eu
state=$1 cache=$2 service=$3

# Shared inside (kubelet and containerd must see each other's mounts), unknown outside.
mount --make-rshared /

# Programs that insist on fixed paths (shim sockets, CNI results, container log links) get
# them empty and for themselves.
for folder in /run /var/lib /var/log; do
	case "$state/ $cache/" in
	*"$folder"/*) ;;
	*) mount -t tmpfs tmpfs "$folder" ;;
	esac
done

# There is no registry and nothing else to ask outside: looking up a name fails at once.
: >"$state/node/resolv.conf"
if [ -f /etc/resolv.conf ]; then
	mount --bind "$state/node/resolv.conf" /etc/resolv.conf
fi

# The kubelet sets these for the whole machine; it gets copies instead.
mkdir -p "$state/node/sysctl"
for name in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops \
	kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
	copy="$state/node/sysctl/$(echo "$name" | tr / _)"
	cat "/proc/sys/$name" >"$copy"
	mount --bind "$copy" "/proc/sys/$name"
done

ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
touch "$state/node/namespaces-ready"
exec "$service" pause
