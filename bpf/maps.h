/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps of steer.bpf.c. The loader pins each by its name; all are typed with BTF. Writers: the
 * loader, the stack, `bpftool`. Every change is one entry, which the kernel replaces as a whole.
 */
#ifndef NETCHANNEL_BPF_MAPS_H
#define NETCHANNEL_BPF_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"

/* The stacks' sockets by slot; the kernel removes a socket that closes. */
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, NC_MAX_SLOTS);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NC_MAX_LANES);
	__type(key, nc_port);
	__type(value, struct nc_lane);
} lanes SEC(".maps");

/* The value is not used. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NC_MAX_ADDRESSES);
	__type(key, struct nc_address);
	__type(value, __u32);
} local_addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, NC_MAX_PEERS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nc_peer_prefix);
	__type(value, struct nc_peer);
} peers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NC_KNOBS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, enum nc_knob);
	__type(value, __u64);
} policy SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nc_attachment);
} attachment SEC(".maps");

/* By enum nc_verdict. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NC_VERDICTS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

#endif /* NETCHANNEL_BPF_MAPS_H */
